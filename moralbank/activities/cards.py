"""Reads what was scanned or typed at the door: whose card or number it is, or what it is instead."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from moralbank.activities import verdicts
from moralbank.activities.answers import Answer
from moralbank.residents.queries import Card, Resident, find_by_cards, find_by_numbers
from moralbank.residents.values import CARD_DIGITS, CARD_PREFIX

NUMBER_DIGITS = 8
#: Who begins a payment code of another app, by its first two digits.
_OTHER_APPS = {
    **dict.fromkeys(("10", "11", "12", "13", "14", "15"), "wechat"),
    **dict.fromkeys(("25", "26", "27", "28", "29", "30"), "alipay"),
}


def read_code(db: Connection, text: str, book_id: int | None) -> int | Answer:
    """Read one: a set of one."""
    [found] = read_codes(db, [text], book_id)
    return found


def read_codes(db: Connection, texts: Sequence[str], book_id: int | None) -> list[int | Answer]:
    """Return for each text the id of whom read_bearers finds, or its answer."""
    found = read_bearers(db, texts, book_id)
    return [one if isinstance(one, Answer) else one.resident_id for one in found]


def read_bearers(db: Connection, texts: Sequence[str], book_id: int | None) -> list[Resident | Answer]:
    """Return for each text the resident whose card, or number in the book, it is, or the answer that says what it is.

    Says nothing of a person who left or is suspended but that there is nobody to be found.
    """
    codes = ["".join(text.split()) for text in texts]
    numbers = [code for code in codes if book_id is not None and _is_digits(code) and len(code) == NUMBER_DIGITS]
    cards = [code for code in codes if _is_digits(code) and len(code) == CARD_DIGITS and code.startswith(CARD_PREFIX)]
    by_number = dict(zip(numbers, find_by_numbers(db, book_id, numbers) if numbers and book_id else [], strict=True))
    by_card = dict(zip(cards, find_by_cards(db, cards) if cards else [], strict=True))

    def whose(code: str) -> Resident | Answer:
        if code in by_number:
            return _bearer(by_number[code])
        return _card_bearer(by_card[code]) if code in by_card else _other(code)

    return [whose(code) for code in codes]


def _is_digits(code: str) -> bool:
    return code.isascii() and code.isdigit()


def _bearer(resident: Resident | None) -> Resident | Answer:
    if resident is not None and resident.awaits_guardian:
        return Answer(verdicts.NO_GUARDIAN)
    return resident if resident is not None and resident.is_active else Answer(verdicts.UNKNOWN)


def _card_bearer(found: tuple[Resident, Card] | None) -> Resident | Answer:
    if found is None:
        return Answer(verdicts.UNKNOWN)
    resident, card = found
    bearer = _bearer(resident)
    if isinstance(bearer, Resident) and not card.is_active:
        return Answer(verdicts.REVOKED_CARD, facts={"tail": card.tail})
    return bearer


def _other(code: str) -> Answer:
    app = other_app(code)
    # An address is what phones open: a camera also sees posters, notices and other people's codes.
    is_ours = not app and "://" not in code
    return Answer(verdicts.UNKNOWN) if is_ours else Answer(verdicts.WRONG_APP, facts={"app": app})


def other_app(digits: str) -> str:
    """Return whose code this is: wechat, alipay, payment (our own payment code), or nothing."""
    if len(digits) != 18 or not _is_digits(digits):
        return ""
    return "payment" if digits.startswith("71") else _OTHER_APPS.get(digits[:2], "")
