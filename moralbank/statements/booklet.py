"""The paper passbook (存折): which line stands where on its pages, and the code that tells whether it is true.

A page holds so many lines for good: line n has its place, so that a booklet is printed on where it ended. The code
beside the last line that was printed covers all lines of the page up to it, by the hashes of their leaves: it can't be
made without the book, and one line that differs gives another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from moralbank import ids, ledger
from moralbank.ledger import Line, Unit
from moralbank.statements.errors import CodeMistyped, UnknownLine
from moralbank.statements.values import Owner

#: Lines on a page of the booklet (moralbank/papers/booklet.typ has the same).
ROWS = 20
_BODY_DIGITS, _CODE_DIGITS = 6, 8
#: Pages of one print: a booklet that is printed anew from its first line has few.
PAGES_MAX = 25


class Verdict(StrEnum):
    """What a paper passbook is beside the book."""

    EQUAL = "equal"
    BEHIND = "behind"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class Comparison:
    """n: the last line on paper; last: in the book."""

    verdict: Verdict
    n: int
    last: int

    @property
    def behind(self) -> int:
        return self.last - self.n


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the booklet: number, the lines to print on it, and the code beside the last of them."""

    number: int
    lines: tuple[Line, ...]
    code: str


def page_of(n: int) -> int:
    """Return on which page a line stands, from 1."""
    return (n - 1) // ROWS + 1


def slot_of(n: int) -> int:
    """Return at which place of its page a line stands, from 0."""
    return (n - 1) % ROWS


def last_line(db: Connection, owner: Owner, unit: Unit) -> int:
    """Return the number of the last line in the book, 0 where there is none."""
    newest = ledger.history(db, owner.book, owner.account, unit, limit=1)
    return newest[0].n or 0 if newest else 0


def page_code(db: Connection, owner: Owner, unit: Unit, n: int) -> str:
    """Return the code of a page up to a line. Raises: UnknownLine."""
    return _code(db, owner, unit, _page_lines(db, owner, unit, n))


def compare(db: Connection, owner: Owner, unit: Unit, n: int, typed: str) -> Comparison:
    """Hold the last line of a paper passbook and its code against the book.

    Raises: CodeMistyped, where the digits can't be a code: they were copied wrong.
    """
    digits = "".join(character for character in typed if character.isdigit() and character.isascii())
    if len(digits) != _CODE_DIGITS or not ids.has_valid_check(digits):
        raise CodeMistyped()
    last = last_line(db, owner, unit)
    if not 1 <= n <= last or page_code(db, owner, unit, n) != digits:
        return Comparison(Verdict.CASE, n, last)
    return Comparison(Verdict.EQUAL if n == last else Verdict.BEHIND, n, last)


def pages(db: Connection, owner: Owner, unit: Unit, first: int) -> list[Page]:
    """Return what is to be printed from a line on, at most PAGES_MAX pages. Raises: UnknownLine."""
    last = last_line(db, owner, unit)
    if not 1 <= first <= last:
        raise UnknownLine(n=first)
    found = []
    for number in range(page_of(first), min(page_of(last), page_of(first) + PAGES_MAX - 1) + 1):
        whole = _page_lines(db, owner, unit, min(number * ROWS, last))
        fresh = tuple(line for line in whole if (line.n or 0) >= first)
        found.append(Page(number, fresh, _code(db, owner, unit, whole)))
    return found


def in_fours(code: str) -> str:
    return f"{code[:4]} {code[4:]}"


def _page_lines(db: Connection, owner: Owner, unit: Unit, n: int) -> list[Line]:
    """Return the lines of a page up to a line, the first first. Raises: UnknownLine."""
    found = ledger.history(db, owner.book, owner.account, unit, before_n=n + 1, limit=slot_of(n) + 1)[::-1]
    if not found or found[-1].n != n:
        raise UnknownLine(n=n)
    return found


def _code(db: Connection, owner: Owner, unit: Unit, lines: Sequence[Line]) -> str:
    openings = ledger.list_openings(db, owner.book, [line.entry_id for line in lines])
    hashes = {one.entry_id: ledger.leaf_hash(one.leaf) for one in openings}
    said = [f"moralbank passbook {owner.book} {owner.account} {int(unit)} {page_of(lines[-1].n or 1)}"]
    said += [f"{line.n} {line.amount} {line.balance_after} {hashes[line.entry_id]}" for line in lines]
    number = int.from_bytes(hashlib.sha256("\n".join(said).encode()).digest()[:8], "big")
    return ids.with_check(f"{number % 10**_BODY_DIGITS:0{_BODY_DIGITS}}")
