"""Tells what a typed or scanned number is, so that it is refused for what it is. Pure: knows no database."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from moralbank import ids
from moralbank.errors import N_
from moralbank.redemptions.errors import (
    CodeMissing,
    Misread,
    NotAPaymentCode,
    NumberInPointsField,
    OtherAppsCode,
    PointsInCodeField,
    PointsMissing,
    PointsNotWhole,
)
from moralbank.residents.values import CARD_DIGITS, CARD_PREFIX

CODE_PREFIX = "71"
VOUCHER_PREFIX = "72"
CODE_RANDOM_DIGITS = 14
CODE_DIGITS = len(CODE_PREFIX) + CODE_RANDOM_DIGITS + 2
POINTS_DIGITS_MAX = 6
#: What scanners put before a symbol's content: AIM identifiers (]Q1, ]C0) and the mark of a UTF-8 QR code.
_SCANNER_MARK = re.compile(r"^(?:\][A-Za-z]\d|\\0000\d\d)")
_INTERNET = re.compile(r"^https?:", re.IGNORECASE)


class Means(StrEnum):
    """How a resident authorises a charge."""

    CODE = "code"
    CARD_PIN = "card_pin"
    #: What was reserved is collected; it is written down as authorised by a code.
    VOUCHER = "voucher"


def plain(text: str) -> str:
    """Return what was meant of what a keyboard, an input method or a scanner delivered.

    Full-width digits become plain ones; control characters and spaces go.
    """
    visible = "".join(mark for mark in text if unicodedata.category(mark) not in ("Cc", "Cf"))
    folded = unicodedata.normalize("NFKC", visible)
    return re.sub(r"\s", "", folded)


def read_points(text: str) -> int:
    """Return the points that were typed.

    Raises (in the order checked): PointsMissing, NumberInPointsField, PointsNotWhole.
    """
    typed = plain(text)
    if not typed:
        raise PointsMissing
    if typed.isascii() and typed.isdigit() and len(typed) > POINTS_DIGITS_MAX:
        raise NumberInPointsField(what=_name(typed))
    if not (typed.isascii() and typed.isdigit()) or int(typed) == 0:
        raise PointsNotWhole
    return int(typed)


def read_number(text: str) -> tuple[Means, str]:
    """Return what the number in the scan field authorises by, and its digits.

    Raises (in the order checked): CodeMissing, NotAPaymentCode, Misread, PointsInCodeField, OtherAppsCode.
    """
    digits = _SCANNER_MARK.sub("", plain(text)).replace("-", "")
    if not digits:
        raise CodeMissing
    if _INTERNET.match(digits):
        raise NotAPaymentCode(what=N_("网址二维码"))
    if not (digits.isascii() and digits.isdigit()):
        raise Misread
    if len(digits) == CODE_DIGITS and digits.startswith(CODE_PREFIX):
        return Means.CODE, _checked(digits)
    if len(digits) == CODE_DIGITS and digits.startswith(VOUCHER_PREFIX):
        return Means.VOUCHER, _checked(digits)
    if len(digits) == CARD_DIGITS and digits.startswith(CARD_PREFIX):
        return Means.CARD_PIN, _checked(digits)
    if len(digits) <= POINTS_DIGITS_MAX:
        raise PointsInCodeField
    if app := _app(digits):
        raise OtherAppsCode(app=app)
    if len(digits) in (8, 11):
        raise NotAPaymentCode(what=_name(digits))
    raise Misread


def is_voucher(text: str) -> bool:
    """Tell whether what stands in the scan field is meant for the code of something reserved."""
    digits = _SCANNER_MARK.sub("", plain(text)).replace("-", "")
    return len(digits) == CODE_DIGITS and digits.startswith(VOUCHER_PREFIX) and digits.isascii() and digits.isdigit()


def _checked(digits: str) -> str:
    if not ids.has_valid_check(digits):
        raise Misread
    return digits


def _name(digits: str) -> str:
    """Return what people call a number of more digits than points have."""
    if len(digits) == CARD_DIGITS and digits.startswith(CARD_PREFIX):
        return N_("居民卡号")
    if len(digits) == CODE_DIGITS and digits.startswith(CODE_PREFIX):
        return N_("付款码")
    if len(digits) == CODE_DIGITS and digits.startswith(VOUCHER_PREFIX):
        return N_("取货码")
    if app := _app(digits):
        return app
    if len(digits) == 11 and digits.startswith("1"):
        return N_("手机号")
    if len(digits) == 8:
        return N_("储户编号")
    return N_("卡号或别的号码")


def _app(digits: str) -> str | None:
    """Return whose payment code this is, by the prefixes that the apps publish."""
    prefix, length = int(digits[:2]), len(digits)
    if length == 18 and 10 <= prefix <= 15:
        return N_("微信付款码")
    if 16 <= length <= 24 and 25 <= prefix <= 30:
        return N_("支付宝付款码")
    if length in (18, 19, 20) and prefix == 62:
        return N_("云闪付付款码")
    return None
