"""Everything that asking and checking refuse, in the words the reader sees."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Forbidden, Invalid, NotFound, Refused


class UnknownRequest(NotFound):
    code = "approval-unknown"
    title = N_("没有这个申请")
    sentence = N_("没有找到这个申请，请回到待复核列表。")


class NotAskable(Invalid):
    code = "approval-not-askable"
    title = N_("这笔不能申请冲正")
    sentence = N_("只有居民的存入、期初和更正可以申请冲正；兑换请在收银台撤销或退分。")


class AlreadyAsked(Conflict):
    code = "approval-already-asked"
    title = N_("已经有人申请")
    sentence = N_("这笔已经有冲正申请，请到待复核列表里看。")


class OwnRequest(Forbidden):
    code = "approval-own-request"
    title = N_("不能复核自己的申请")
    sentence = N_("这个申请是您自己提的，要由另一个人复核；不想要了可以撤回。")


class SamePerson(Forbidden):
    """Known where both logins have one name; whoever has a namesake lets a third check."""

    code = "approval-same-person"
    title = N_("像是同一个人")
    sentence = N_("提申请的账号和您同名，不能算两个人。请由另一个人复核。")


class OwnAffair(Forbidden):
    """Known where the resident, or one of their household, has the name of the one who acts."""

    code = "approval-own-affair"
    title = N_("和您自己有关")
    sentence = N_("这是您本人或同户的积分，请由别人经办和复核。")


class NeedsOutside(Forbidden):
    """Whoever leads an activity at the branch is of the resident's home, so the branch doesn't check its own."""

    code = "approval-needs-outside"
    title = N_("要由上级网点复核")
    sentence = N_("这位居民是带队人本人或同户，要由上级网点的工作人员来复核，本网点的人不能复核。")


class NotYours(Forbidden):
    code = "approval-not-yours"
    title = N_("不是您提的申请")
    sentence = N_("申请只能由提的人撤回；不同意可以写明原因退回。")


class AlreadyDecided(Refused):
    code = "approval-already-decided"
    title = N_("这个申请已经办结")
    sentence = N_("这个申请已经有了结果，不能再改。")


class RequestLapsed(Refused):
    code = "approval-lapsed"
    title = N_("申请已过期")
    sentence = N_("申请提出后超过 72 小时没有复核，已经失效。需要的话请重新申请。")
