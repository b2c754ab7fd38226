"""Reads of issued statements: which there are, and whether the ledger still says what was issued."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.ledger import AccountKind
from moralbank.statements import content
from moralbank.statements.content import Content, Edges
from moralbank.statements.errors import IssuedDiffers, NotIssued
from moralbank.statements.models import issued
from moralbank.statements.periods import Period, read_period

_ACCOUNT_BITS = 0xFFFF_FFFF
_STEP = 500


@dataclass(frozen=True, slots=True)
class Issued:
    """A statement as it was issued."""

    book: int
    account: int
    period: Period
    points: Edges
    minutes: Edges
    content_hash: bytes
    issued_at: datetime

    @property
    def number(self) -> str:
        """What stands on it as its number: period, and the account within its book."""
        return f"{self.period.name}-{self.account & _ACCOUNT_BITS:08}"

    @property
    def mark(self) -> str:
        """The first digits of the content's hash, as they stand on paper."""
        digits = self.content_hash.hex()[:16].upper()
        return " ".join(digits[at : at + 4] for at in range(0, 16, 4))


def full_account(book: int, number: int) -> int:
    """Return the account of a book whose number within it stands in a statement's number."""
    return book << 32 | number


def find_issued(db: Connection, book: int, account: int, period: Period) -> Issued | None:
    """Return an account's issued statement of a period, or None."""
    here = (issued.c.book_id == book, issued.c.account_id == account, issued.c.period == period.name)
    row = db.execute(sa.select(issued).where(*here)).first()
    return None if row is None else _issued(row)


def get_issued(db: Connection, book: int, account: int, period: Period) -> Issued:
    """Return an account's issued statement of a period. Raises: NotIssued."""
    found = find_issued(db, book, account, period)
    if found is None:
        raise NotIssued(period=period.name)
    return found


def list_issued(db: Connection, book: int, account: int) -> list[Issued]:
    """Return an account's issued statements, the latest first; of those that end together the longest first."""
    of_account = sa.select(issued).where(issued.c.book_id == book, issued.c.account_id == account)
    found = [_issued(row) for row in db.execute(of_account)]
    return sorted(found, key=lambda one: (one.period.following, -one.period.first.toordinal()), reverse=True)


def stream_issued(db: Connection, book: int, period: Period) -> Iterator[Issued]:
    """Yield every issued statement of a period of a book, by account."""
    after = 0
    while True:
        page = (
            sa.select(issued)
            .where(issued.c.book_id == book, issued.c.period == period.name, issued.c.account_id > after)
            .order_by(issued.c.account_id)
            .limit(_STEP)
        )
        rows = db.execute(page).all()
        yield from map(_issued, rows)
        if len(rows) < _STEP:
            return
        after = rows[-1].account_id


def reproduce(db: Connection, one: Issued) -> tuple[str, bytes]:
    """Return the content of an issued statement as the ledger says it now, with its hash."""
    texts: list[bytes] = []
    period = one.period
    kind = _kind(db, one)
    made = Content(one.book, one.account, period.name, period.since, period.until, texts=texts)
    content.write(made, ledger.stream_sections(db, one.book, [(one.account, kind)], period.since, period.until))
    return b"".join(texts).decode(), made.digest()


def check(db: Connection, one: Issued) -> str:
    """Return the content of an issued statement. Raises: IssuedDiffers, when it isn't what was issued."""
    text, digest = reproduce(db, one)
    if digest != one.content_hash:
        raise IssuedDiffers(account=one.account, period=one.period.name)
    return text


def _kind(db: Connection, one: Issued) -> AccountKind:
    account = ledger.find_account(db, one.book, one.account)
    assert account is not None, "an issued statement is of an account"
    return account.kind


def _issued(row: sa.Row[Any]) -> Issued:
    def edges(name: str) -> Edges:
        opening_n, opening, lines, closing = (
            getattr(row, f"{name}_{what}") for what in ("opening_n", "opening", "lines", "closing")
        )
        return Edges(opening_n, opening, closing, lines)

    return Issued(
        row.book_id,
        row.account_id,
        read_period(row.period),
        edges("points"),
        edges("minutes"),
        row.content_hash,
        row.issued_at,
    )
