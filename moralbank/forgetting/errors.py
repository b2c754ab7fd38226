"""Why somebody can't be forgotten, or not yet."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Forbidden, Invalid, NotFound, Refused


class UnknownForgetting(NotFound):
    code = "forgetting-unknown"
    title = N_("没有这份申请")
    sentence = N_("没有找到这份申请，请回到列表选择。")


class ForgettingUnfit(Invalid):
    code = "forgetting-unfit"
    title = N_("请核对申请")
    sentence = N_("请核对依据、申请人和身份核对方式：去世后由近亲属申请，其他情形由本人或监护人申请。")


class ForgettingAsked(Conflict):
    code = "forgetting-asked"
    title = N_("已经有申请")
    sentence = N_("这位储户已有一份待审批的申请，请先审批或等它过期。")


class ForgettingDecided(Conflict):
    code = "forgetting-decided"
    title = N_("已经办过")
    sentence = N_("这份申请已经审批或过期，请回到列表查看。")


class ForgettingByOne(Forbidden):
    code = "forgetting-by-one"
    title = N_("要由另一个人审批")
    sentence = N_("登记申请和审批要由两个人办，请另一位工作人员审批。")


class SessionsUnfinished(Refused):
    code = "forgetting-sessions-unfinished"
    title = N_("还有活动没办完")
    sentence = N_("还有 {sessions} 个场次没有核对签字、{led} 个活动由这位储户带队，请先办完或换人。")


class PointsLeft(Refused):
    code = "forgetting-points-left"
    title = N_("账上还有积分")
    sentence = N_("账上还有 {points} 分，请先兑换完，或由本人书面选择捐给互助池、放弃。")
