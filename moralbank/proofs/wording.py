"""What was proven, said in one sentence. Needs the reader's language, so pages call it."""

from __future__ import annotations

from datetime import date

from moralbank import clock
from moralbank.errors import N_
from moralbank.proofs.values import Signed
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language, ngettext

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
