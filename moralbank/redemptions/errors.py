"""What the counter refuses, in the operator's words. No refusal tells a till what a resident holds."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused, TooMany

# What was typed or scanned can't be meant; `field` is where it was.


class _InPoints(Invalid):
    field = "points"


class _InCode(Invalid):
    field = "code"


class _InPin(Invalid):
    field = "pin"


class PointsMissing(_InPoints):
    code = "points-missing"
    title = N_("还没选换什么")
    sentence = N_("请先选一个项目，或输入要收的积分，再扫付款码。")


class PointsNotWhole(_InPoints):
    code = "points-not-whole"
    title = N_("积分看不懂")
    sentence = N_("积分只填 1 到 999999 的整数，例如 20。")


class NumberInPointsField(_InPoints):
    """A card or a code ended up as an amount: the commonest accident at real counters."""

    code = "number-in-points-field"
    title = N_("这里填积分")
    sentence = N_("这是{what}，不是积分，没有扣分。请把积分清空重填，再把{what}扫到付款码一栏。")


class OfferAndPoints(_InPoints):
    code = "offer-and-points"
    title = N_("项目和积分只选一样")
    sentence = N_("选了项目就不用再填积分；要收别的数目，请选“自己填积分”。")


class CodeMissing(_InCode):
    code = "code-missing"
    title = N_("请扫付款码")
    sentence = N_("请扫储户手机上的付款码；没带手机的，扫居民卡再输密码。")


class PointsInCodeField(_InCode):
    code = "points-in-code-field"
    title = N_("这里扫付款码")
    sentence = N_("这一栏扫付款码或居民卡，积分请填到积分一栏，没有扣分。")


class OtherAppsCode(_InCode):
    code = "other-apps-code"
    title = N_("不是道德银行的码")
    sentence = N_("这是{app}，没有扣分。请储户打开道德银行，点“出示付款码”。")


class NotAPaymentCode(_InCode):
    code = "not-a-payment-code"
    title = N_("这个号码不能付款")
    sentence = N_("这是{what}，不能付款。请扫储户手机上的付款码，或扫居民卡再输密码。")


class Misread(_InCode):
    code = "misread"
    title = N_("没扫清楚")
    sentence = N_("号码不完整或有错，没有扣分，请再扫一次。")


class PinMissing(_InPin):
    code = "pin-missing"
    title = N_("请储户输密码")
    sentence = N_("用居民卡付款，要储户自己输 6 位密码。")


class KeyMissing(Invalid):
    code = "key-missing"
    title = N_("页面太旧")
    sentence = N_("这一页打开太久了，没有扣分。请刷新后再收。")


# What is decided against.


class TillLocked(TooMany):
    code = "till-locked"
    title = N_("先停一下")
    sentence = N_("一分钟里扫了太多认不出的码，请 {seconds} 秒后再试。")


class UnknownCode(Refused):
    code = "unknown-code"
    title = N_("认不出这个付款码")
    sentence = N_("没有这个付款码，没有扣分。请储户重新点“显示付款码”，再扫一次。")


class CodeUsed(Refused):
    code = "code-used"
    title = N_("付款码已用过")
    sentence = N_("这个付款码已经付过一次，这次没有扣分。请储户重新点“显示付款码”。")


class CodeExpired(Refused):
    code = "code-expired"
    title = N_("付款码过期了")
    sentence = N_("付款码一分钟就换新，没有扣分。请储户重新点“显示付款码”，再扫一次。")


class UnknownCard(Refused):
    code = "unknown-card"
    title = N_("认不出这张卡")
    sentence = N_("没有这张卡，没有扣分。请核对卡号，或请储户到驿站换卡。")


class CardWithoutPin(Refused):
    code = "card-without-pin"
    title = N_("这张卡还没设密码")
    sentence = N_("请储户到驿站设好 6 位密码，再用卡付款。没有扣分。")


class WrongPin(Refused):
    code = "wrong-pin"
    title = N_("密码不对")
    sentence = N_("密码不对，没有扣分，请储户再输一次。连错 5 次要停一段时间。")


class ResidentNotActive(Refused):
    code = "resident-not-active"
    title = N_("这个账户现在不能用")
    sentence = N_("这位储户的账户现在不能用，没有扣分，请储户到驿站问一下。")


class OtherBank(Refused):
    code = "other-bank"
    title = N_("不是这里的储户")
    sentence = N_("这位储户在另一个中心开户，这里还不能收，没有扣分。")


class OwnHousehold(Refused):
    code = "own-household"
    title = N_("不能收自家人的")
    sentence = N_("自己和家人的积分要请另一位收银员来收，没有扣分。")


class OfferLimitReached(Refused):
    code = "offer-limit-reached"
    title = N_("这个月已经换够")
    sentence = N_("“{offer}”每人每月最多 {times} 次，这位储户这个月已换满，没有扣分。")


class DayLimitReached(Refused):
    code = "day-limit-reached"
    title = N_("超过每天上限")
    sentence = N_("每人每天最多用 {points} 分，这一笔会超过，没有扣分。请改少一点，或明天再来。")


class MonthLimitReached(Refused):
    code = "month-limit-reached"
    title = N_("超过每月上限")
    sentence = N_("每人每月最多用 {points} 分，这一笔会超过，没有扣分。请改少一点，或下个月再来。")


class CardLimitReached(Refused):
    code = "card-limit-reached"
    title = N_("超过用卡上限")
    sentence = N_("只用卡每天最多 {points} 分，没有扣分。再多请用手机付款码，或到驿站办理。")


class NotEnoughPoints(Refused):
    code = "not-enough-points"
    title = N_("积分不够")
    sentence = N_("储户的积分不够付 {points} 分，没有扣分。请换一样，或少收一点。")


class NeverArrived(Refused):
    """The till asked what became of a key that had not come: from now on it can't."""

    code = "never-arrived"
    title = N_("这一笔没有收到")
    sentence = N_("刚才网络断了，这一笔没有送到，没有扣分。请重新扫码。")


# What may be asked again.


class ChargedJustNow(Conflict):
    """The same merchant, resident and points within a minute: asked before it is done twice."""

    code = "charged-just-now"
    title = N_("刚刚收过一笔")
    sentence = N_("刚刚收过这位储户 {points} 分，再收一笔吗？")


class KeyReused(Conflict):
    code = "charge-key-reused"
    title = N_("这张单子已经用过")
    sentence = N_("这张单子已经收过另一笔，这次没有扣分。请刷新后再收。")


# Undoing.


class UnknownCharge(NotFound):
    code = "unknown-charge"
    title = N_("没有这一笔")
    sentence = N_("没有找到这一笔，请看今天的流水。")


class UndoByOther(Refused):
    code = "undo-by-other"
    title = N_("不能撤销别人的")
    sentence = N_("只有收这一笔的人在同一台机器上能撤销。要退分请找驿站工作人员。")


class UndoTooLate(Refused):
    code = "undo-too-late"
    title = N_("过了撤销时间")
    sentence = N_("收款 {seconds} 秒内才能撤销。现在要退分，请打开这一笔的小票，点“退分”。")


# Agreeing on the phone.


class PhoneNeeded(Conflict):
    """So much is charged only when the resident agrees on the phone: the till asks for that."""

    code = "phone-needed"
    title = N_("请储户在手机上确认")
    sentence = N_("这一笔 {points} 分，要储户在手机上点“确认”才收。")


class UnknownPhoneOrder(NotFound):
    code = "unknown-phone-order"
    title = N_("没有这一单")
    sentence = N_("没有找到这一单，可能已经有人打开过，请收银员重新出一张码。")


class PhoneOrderOver(Refused):
    code = "phone-order-over"
    title = N_("这一单已结束")
    sentence = N_("这一单已付过、已取消或过了时间，没有再扣分。要付请收银员重新来一单。")


class NotAgreed(Refused):
    code = "not-agreed"
    title = N_("储户没有确认")
    sentence = N_("储户没有在手机上确认，没有扣分。还要收请再扫一次。")


class StickerLimitReached(Refused):
    code = "sticker-limit-reached"
    title = N_("超过扫店码上限")
    sentence = N_("扫店里贴的码每天最多付 {points} 分，没有扣分。再多请出示付款码。")


class PaidJustNow(Conflict):
    """The same to the same shop by its sticker within a minute: asked before it is done twice."""

    code = "paid-just-now"
    title = N_("刚刚付过一笔")
    sentence = N_("您刚刚在这家店付过 {points} 分，这次没有扣分。真要再付一笔，请再点一次“确认付款”。")


# Reserving.


class UnknownVoucher(NotFound):
    code = "unknown-voucher"
    title = N_("没有这份预留")
    sentence = N_("没有找到这份预留，请回“可换”看看。")


class VouchersFull(Refused):
    code = "vouchers-full"
    title = N_("预留已满")
    sentence = N_("同时最多预留 {most} 份，请先取走或取消一份，再来预留。")


class VoucherElsewhere(Refused):
    code = "voucher-elsewhere"
    title = N_("不是这家店的")
    sentence = N_("这份预留要到{merchant}取，这里不能取，什么都没有扣。")


class VoucherCollected(Refused):
    code = "voucher-collected"
    title = N_("已经取过了")
    sentence = N_("这份预留已经取走，不能再取。")


class VoucherEnded(Refused):
    code = "voucher-ended"
    title = N_("预留已结束")
    sentence = N_("这份预留已取消或过了日子，积分已退回储户；要的话请重新兑换。")


# Closing the day.


class UnknownZReport(NotFound):
    code = "unknown-zreport"
    title = N_("没有这张日结单")
    sentence = N_("没有找到这张收银日结单，请回日结单列表再选。")


# Giving back later.


class RefundTooEarly(Refused):
    code = "refund-too-early"
    title = N_("现在可以直接撤销")
    sentence = N_("收款 {seconds} 秒内请收这一笔的人直接撤销；过了这个时间再办退分。")


class RefundKeyReused(Conflict):
    code = "refund-key-reused"
    title = N_("这一页已经用过")
    sentence = N_("这一页已经退过另一笔，这次没有退分。请刷新后再退。")


class NothingToRefund(Refused):
    code = "nothing-to-refund"
    title = N_("没有可退的积分")
    sentence = N_("这一笔已撤销、已退完，或没有用积分，没有可退的。")


class RefundTooMuch(_InPoints):
    code = "refund-too-much"
    title = N_("退得太多")
    sentence = N_("这一笔最多还能退 {points} 分，什么都没有退。请改少一点。")


class SupervisorNeeded(Refused):
    code = "supervisor-needed"
    title = N_("当天退分要店长办")
    sentence = N_("当天的退分由店长办理，请店长登录后来退；还没有店长的，请驿站在商家页面指定一位。")


class HelperEnded(Refused):
    code = "helper-ended"
    title = N_("不能代为付款")
    sentence = N_("出示这个付款码的人不能再替本人付款。请本人付款，或用居民卡和密码。")


class HelperChargeLimitReached(Refused):
    code = "helper-charge-limit"
    title = N_("超过代办人一笔的上限")
    sentence = N_("代办人一笔最多付 {points} 分。请少付一点，或请本人付款。")


class HelperDayLimitReached(Refused):
    code = "helper-day-limit"
    title = N_("超过代办人一天的上限")
    sentence = N_("代办人一天最多付 {points} 分。请明天再来，或请本人付款。")


class HelperMonthLimitReached(Refused):
    code = "helper-month-limit"
    title = N_("超过代办人一个月的上限")
    sentence = N_("代办人一个月最多付 {points} 分。请下个月再来，或请本人付款。")
