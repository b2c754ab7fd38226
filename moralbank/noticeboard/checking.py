"""Judges what somebody typed from a notice board: it matches, it doesn't, it was mistyped, or it isn't there yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection

from moralbank.ledger import Book
from moralbank.noticeboard import sheets
from moralbank.noticeboard.errors import NoSheet
from moralbank.transparency import board
from moralbank.transparency.board_errors import BoardCharacterUnknown, BoardLength, BoardMistyped

#: More places than these are no slip of the pen.
SLIPS_MAX = 4


class Verdict(StrEnum):
    MATCHES = "matches"
    DIFFERS = "differs"
    MISTYPED = "mistyped"
    NOT_YET = "not-yet"


@dataclass(frozen=True, slots=True)
class Answer:
    """places: where characters are wrong, counted from 1; empty when that can't be told."""

    verdict: Verdict
    places: tuple[int, ...] = ()
    #: How many were typed and how many there should be, when these differ.
    count: int | None = None
    wanted: int | None = None


def check(db: Connection, book: Book, when: date | int, typed: str) -> Answer:
    """Hold what was typed against the root of a day's sheet, or of the first so many leaves. Writes nothing."""
    roots = _roots(db, book, when)
    try:
        root = board.read(typed)
    except BoardCharacterUnknown as refusal:
        return Answer(Verdict.MISTYPED, (int(str(refusal.fields["place"])),))
    except BoardLength as refusal:
        count, wanted = (int(str(refusal.fields[name])) for name in ("count", "wanted"))
        return Answer(Verdict.MISTYPED, count=count, wanted=wanted)
    except BoardMistyped:
        return Answer(Verdict.MISTYPED, _slips(typed, roots))
    if not roots:
        return Answer(Verdict.NOT_YET)
    if root in roots:
        return Answer(Verdict.MATCHES)
    # Seven in 2,047 slips keep the check bits right; another book's root is never so near to this one's.
    places = _slips(typed, roots)
    return Answer(Verdict.MISTYPED, places) if places else Answer(Verdict.DIFFERS)


def _roots(db: Connection, book: Book, when: date | int) -> Sequence[bytes]:
    if isinstance(when, int):
        root = sheets.find_root(db, book, when)
        return [] if root is None else [root]
    try:
        return sheets.roots_of_day(db, book, when)
    except NoSheet:
        return []


def _slips(typed: str, roots: Sequence[bytes]) -> tuple[int, ...]:
    """Return the places at which characters differ from a root, when they are so few that it was meant."""
    few = [found for root in roots if len(found := board.differences(typed, root)) <= SLIPS_MAX]
    return tuple(min(few, key=len)) if few else ()
