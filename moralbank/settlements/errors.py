"""What settling refuses."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


class UnknownSettlement(NotFound):
    code = "unknown-settlement"
    title = N_("没有这张结算单")
    sentence = N_("没有找到这张结算单，请回结算列表再选。")


class UnknownSettlementLine(NotFound):
    code = "unknown-settlement-line"
    title = N_("没有这一行")
    sentence = N_("这张结算单没有这一行，请刷新页面再选。")


class UnknownDispute(NotFound):
    code = "unknown-dispute"
    title = N_("没有这条疑问")
    sentence = N_("没有找到这条疑问，请刷新页面再看。")


class MonthNotClosed(Refused):
    code = "month-not-closed"
    title = N_("这个月还没有日结完")
    sentence = N_("{month} 的最后一天日结以后才能结算，请在下月 1 日日结后再来。")


class DisputeTooLate(Refused):
    code = "dispute-too-late"
    title = N_("提疑问的日期已过")
    sentence = N_("这张结算单的疑问提到 {day} 为止，请直接联系驿站。")


class LineDisputed(Conflict):
    code = "line-disputed"
    title = N_("这一行已提过疑问")
    sentence = N_("这一行已经提过疑问，请看驿站的答复。")


class DisputeAnswered(Conflict):
    code = "dispute-answered"
    title = N_("这条疑问已经答复")
    sentence = N_("别人已经答复了这条疑问，请刷新页面看结果。")


class NothingCorrected(Invalid):
    code = "nothing-corrected"
    title = N_("金额没有变")
    sentence = N_("更正后的金额和原来一样。如果不用更正，请选“说明”。")


class DisputeStillOpen(Refused):
    code = "dispute-still-open"
    title = N_("还有疑问没有答复")
    sentence = N_("这张结算单还有 {count} 条疑问没有答复，答复以后才能确认。")


class SettlementConfirmed(Conflict):
    code = "settlement-confirmed"
    title = N_("这张结算单已经确认")
    sentence = N_("这张结算单已经确认，不能再改。有出入请在下一张里提。")


class SettlementNotConfirmed(Refused):
    code = "settlement-not-confirmed"
    title = N_("商家还没有确认")
    sentence = N_("商家核对确认，或 {day} 以后自动确认，才能登记付款。")


class NothingToPay(Refused):
    code = "nothing-to-pay"
    title = N_("没有要付的款")
    sentence = N_("这张结算单没有要付的款，不用登记。")


class SettlementPaid(Conflict):
    code = "settlement-paid"
    title = N_("已经登记过付款")
    sentence = N_("这张结算单已经登记过付款，凭证号 {reference}。")


class PayerIssued(Refused):
    code = "payer-issued"
    title = N_("要换一个人登记付款")
    sentence = N_("结算单是您出的，请另一位同事登记付款。")


class BudgetAtHub(Refused):
    code = "budget-at-hub"
    title = N_("预算由中心空间管")
    sentence = N_("出资和参考成本由中心空间登记，请联系中心空间。")
