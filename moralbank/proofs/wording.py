"""What was proven, said in one sentence. Needs the reader's language, so pages call it."""

from __future__ import annotations

from datetime import date

from moralbank import clock
from moralbank.errors import N_
from moralbank.proofs.values import Signed
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language, ngettext

#: What the page of a proof says of an entry, and of a deed.
OF_ENTRY = {
    "title": N_("这一笔的证明"),
    "proven": N_("这一笔在%(book)s里，没有改过。"),
    "code": N_("这一笔的编码"),
    "compare": N_("请把小票上的编码和上面的比一比：一样，就是您手里的这一笔。扫码打开的，手机已替您比过。"),
    "late": N_("这一笔已记账，该在%(time)s前封存，还没有封。请保留小票，拍下这一页，告诉驿站和监督单位。"),
    "soon": N_("这一笔刚刚记账，%(time)s前封存，到时再看这一页。"),
}
OF_DEED = {
    "title": N_("这一条经办的证明"),
    "proven": N_("这一条经办记录在%(book)s里，没有改过。"),
    "code": N_("这一条的编码"),
    "compare": N_(
        "从记录里点进来的，手机已把编码和那里的比过。谁做的、看了谁、为什么，这一页不说；那些只给本人和监督员看。"
    ),
    "late": N_("这一条已经记下，该在%(time)s前封存，还没有封。请拍下这一页，告诉驿站和监督单位。"),
    "soon": N_("这一条刚刚记下，%(time)s前封存，到时再看这一页。"),
}
_EN = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ZH = "零一两三四五六七八九十"
_MONTHS = (
    N_("1月"), N_("2月"), N_("3月"), N_("4月"), N_("5月"), N_("6月"),
    N_("7月"), N_("8月"), N_("9月"), N_("10月"), N_("11月"), N_("12月"),
)  # fmt: skip


def count_word(number: int) -> str:
    """三 or three, as a number up to ten is said; figures above."""
    words = _EN if language() == "en" else _ZH
    return words[number] if number < len(words) else str(number)


def month_word(month: date) -> str:
    """3月 or March, with the year when it is not the present one."""
    name = _(_MONTHS[month.month - 1])
    if month.year == clock.today().year:
        return name
    return _("%(year)s年%(month)s", year=month.year, month=name)


def signed_by(signed: Signed) -> str:
    """三家单位签过的账 or the book that three offices have signed."""
    if not signed.is_witnessed:
        return _("银行签过的账")
    number = len(signed.offices)
    return ngettext("一家单位签过的账", "%(count)s家单位签过的账", number, count=count_word(number))


def reservation(signed: Signed) -> str:
    """Say what is still missing of other offices' signatures; nothing when nothing is."""
    if signed.is_witnessed:
        return ""
    if not signed.offices:
        return _("银行已签，别的单位还没有签。")
    return _("别的单位已有 %(count)s 家签了，要 %(needed)s 家才算数。", count=len(signed.offices), needed=signed.needed)
