"""The wedge and wrong-field cases as a table."""

from __future__ import annotations

import pytest

from moralbank import ids
from moralbank.errors import MoralBankError
from moralbank.redemptions import errors
from moralbank.redemptions.numbers import Means, read_number, read_points

CODE = ids.with_check("71" + "12345678901234")
CARD = ids.with_check("70" + "12345678901234567890")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@pytest.mark.parametrize(
    ("typed", "points"),
    [("20", 20), ("２０", 20), (" 20 ", 20), ("20\r\n", 20), ("\t20", 20), ("007", 7), ("999999", 999999)],
)
def test_points_are_read_however_they_were_typed(typed: str, points: int) -> None:
    assert read_points(typed) == points


@pytest.mark.parametrize(
    ("typed", "refusal", "what"),
    [
        ("", errors.PointsMissing, None),
        ("   ", errors.PointsMissing, None),
        ("0", errors.PointsNotWhole, None),
        ("-20", errors.PointsNotWhole, None),
        ("2.5", errors.PointsNotWhole, None),
        ("1e3", errors.PointsNotWhole, None),
        ("二十", errors.PointsNotWhole, None),
        ("²", 2, None),
        ("'; DROP TABLE", errors.PointsNotWhole, None),
        ("2147483647", errors.NumberInPointsField, "卡号或别的号码"),
        ("5464526", errors.NumberInPointsField, "卡号或别的号码"),
        (CARD, errors.NumberInPointsField, "居民卡号"),
        (CARD.translate(FULL_WIDTH), errors.NumberInPointsField, "居民卡号"),
        (CODE, errors.NumberInPointsField, "付款码"),
        ("134567890123456789", errors.NumberInPointsField, "微信付款码"),
        ("13800000001", errors.NumberInPointsField, "手机号"),
        ("10002345", errors.NumberInPointsField, "储户编号"),
    ],
)
def test_a_number_in_the_points_field_is_refused_for_what_it_is(typed: str, refusal, what) -> None:
    if isinstance(refusal, int):
        assert read_points(typed) == refusal
        return
    with pytest.raises(refusal) as refused:
        read_points(typed)
    assert refused.value.fields.get("what") == what


@pytest.mark.parametrize(
    ("scanned", "means", "number"),
    [
        (CODE, Means.CODE, CODE),
        (CARD, Means.CARD_PIN, CARD),
        (CODE.translate(FULL_WIDTH), Means.CODE, CODE),
        (f"{CODE[:4]} {CODE[4:8]} {CODE[8:]}", Means.CODE, CODE),
        (f"{CARD[:4]}-{CARD[4:]}", Means.CARD_PIN, CARD),
        (f"{CODE}\r", Means.CODE, CODE),
        (f"\x02{CODE}\x03", Means.CODE, CODE),
        (f"]Q1{CODE}", Means.CODE, CODE),
        (f"\\000026{CODE}", Means.CODE, CODE),
        (f"\ufeff{CODE}", Means.CODE, CODE),
    ],
)
def test_a_scan_is_understood_whatever_the_scanner_puts_around_it(scanned, means, number) -> None:
    assert read_number(scanned) == (means, number)


def _slip(number: str) -> str:
    return number[:-1] + str((int(number[-1]) + 1) % 10)


@pytest.mark.parametrize(
    ("scanned", "refusal", "said"),
    [
        ("", errors.CodeMissing, None),
        ("20", errors.PointsInCodeField, None),
        ("300", errors.PointsInCodeField, None),
        ("134567890123456789", errors.OtherAppsCode, "微信付款码"),
        ("284567890123456789", errors.OtherAppsCode, "支付宝付款码"),
        ("6234567890123456789", errors.OtherAppsCode, "云闪付付款码"),
        ("https://bank.example/a/AbCdEf", errors.NotAPaymentCode, "网址二维码"),
        ("10002345", errors.NotAPaymentCode, "储户编号"),
        ("13800000001", errors.NotAPaymentCode, "手机号"),
        (_slip(CODE), errors.Misread, None),
        (_slip(CARD), errors.Misread, None),
        (CODE[:-1], errors.Misread, None),
        (CODE + CODE, errors.Misread, None),
        ("'; DROP TABLE redemptions_codes", errors.Misread, None),
        ("٢٠٢٠٢٠٢٠٢٠", errors.Misread, None),
    ],
)
def test_what_is_no_payment_code_is_refused_for_what_it_is(scanned, refusal, said) -> None:
    with pytest.raises(refusal) as refused:
        read_number(scanned)
    assert next(iter(refused.value.fields.values()), None) == said


def test_no_refusal_repeats_the_number_that_was_typed() -> None:
    for read, text in ((read_points, CARD), (read_points, CODE), (read_number, _slip(CARD))):
        with pytest.raises(MoralBankError) as refused:
            read(text)
        assert text not in str(refused.value)
