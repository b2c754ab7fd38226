"""Refusals around acting for somebody."""

from __future__ import annotations

from moralbank.errors import N_, Forbidden, Invalid, NotFound, Refused


class UnknownLink(NotFound):
    code = "link-unknown"
    title = N_("没有这条代办关系")
    sentence = N_("没有找到这条代办关系，请回到列表选择。")


class LinkEnded(Refused):
    code = "link-ended"
    title = N_("代办已经结束")
    sentence = N_("这条代办关系已经结束，不能再替对方办事。要继续，请重新连接，或到驿站办理。")


class NotAgreed(Invalid):
    """Number, PIN or word is wrong; which of them is not told to somebody who guesses."""

    code = "link-not-agreed"
    title = N_("对方还没有同意")
    sentence = N_("编号、密码或口令不对。请对方自己输入密码，或在对方手机上生成口令；没有手机的到驿站办。")


class LinkOneself(Refused):
    code = "link-oneself"
    title = N_("不用连接自己")
    sentence = N_("这是您自己的编号，请填家人的。")


class AlreadyLinked(Refused):
    code = "link-exists"
    title = N_("已经连接")
    sentence = N_("这位已经可以由您代办，不用再连接。")


class LinksFull(Refused):
    code = "links-full"
    title = N_("人数已满")
    sentence = N_("一部手机最多替 {most} 位家人办事。请先结束一位，再添加。")


class HolderTooYoung(Refused):
    code = "link-holder-minor"
    title = N_("未满 18 岁不能替别人办")
    sentence = N_("替家人办事的要年满 18 岁。请由大人在自己的手机上连接。")


class OtherBook(Refused):
    code = "link-other-book"
    title = N_("不在同一个中心")
    sentence = N_("对方的积分记在另一个中心的账上，不能在这里代办。")


class PersonNotActive(Refused):
    code = "link-person-not-active"
    title = N_("对方现在不能办")
    sentence = N_("对方的账户已暂停或退出，现在不能代办。请问驿站。")


class BadAppointment(Invalid):
    code = "helper-bad-appointment"
    title = N_("代办人的约定有误")
    sentence = N_("请改正标出的内容再提交。")


class HelperUnfit(Refused):
    code = "helper-unfit"
    title = N_("这个账号不能做代办人")
    sentence = N_("工作人员、收银员和监督员的账号不能兼做代办人。请另开一个代办人账号。")


class HelperWithoutLogin(Refused):
    code = "helper-without-login"
    title = N_("还没有账号")
    sentence = N_("这位储户还没有开通登录。请先给他开通，再登记为代办人。")


class HelpersFull(Refused):
    code = "helpers-full"
    title = N_("代办人已满")
    sentence = N_("一位储户同时最多有 {most} 位代办人。请先结束一位，再登记。")


class BeyondScope(Forbidden):
    code = "helper-scope"
    title = N_("不在约定的范围内")
    sentence = N_("约定里没有这一项，您不能替对方办。需要时请本人到驿站改约定。")
