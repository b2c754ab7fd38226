"""What messages refuse."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused, TooMany


class UnknownDelivery(NotFound):
    code = "unknown-delivery"
    title = N_("没有这条发送记录")
    sentence = N_("没有找到这条发送记录，请回列表再选。")


class DeliveryNotStuck(Conflict):
    code = "delivery-not-stuck"
    title = N_("这一条不用重发")
    sentence = N_("这一条已经发出或正在等着发，请刷新列表再看。")


class NothingToConfirm(Refused):
    code = "nothing-to-confirm"
    title = N_("没有要确认的邮箱")
    sentence = N_("没有等待确认的邮箱，或验证码已过期。请重新填写邮箱，会再发一个验证码。")


class WrongMailboxCode(Invalid):
    code = "wrong-mailbox-code"
    title = N_("验证码不对")
    sentence = N_("验证码不对，请照邮件里的 6 位数字再填一次。")


class MailboxAskedOften(TooMany):
    code = "mailbox-asked-often"
    title = N_("刚发过验证码")
    sentence = N_("验证码刚发出，请等 {seconds} 秒再要新的；也请看看垃圾邮件夹。")


class NoMail(Refused):
    code = "no-mail"
    title = N_("这里还不能发邮件")
    sentence = N_("本行还没有开通邮件，消息都在收件箱里。需要时请向驿站提出。")
