"""Reads just what lots are a function of: an account's lines without what they were for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models
from moralbank.ledger.lots import Lot, LotWalk, lots
from moralbank.ledger.rows import CHUNK
from moralbank.ledger.values import Unit
from moralbank.prepared import Prepared

_postings, _later = models.postings, models.entries.alias("later")


class _LotLine(NamedTuple):
    entry_id: UUID
    seq: int
    amount: int
    expires_on: date | None
    reverses: UUID | None


class LotLines(NamedTuple):
    """An account's lines, in the order of posting, with the number of each."""

    account: int
    lines: list[_LotLine]


#: Which line was reversed is asked of the few entries that reverse, and not of every line's own entry.
_LINES = Prepared(
    sa.select(
        _postings.c.entry_id, _postings.c.seq, _postings.c.amount, _postings.c.expires_on, _later.c.entry_id.label("by")
    )
    .outerjoin(_later, (_later.c.book_id == _postings.c.book_id) & (_later.c.reverses == _postings.c.entry_id))
    .where(
        _postings.c.book_id == sa.bindparam("book"),
        _postings.c.account_id == sa.bindparam("account"),
        _postings.c.unit == sa.bindparam("unit"),
        _postings.c.posted_at < sa.bindparam("until"),
    )
    .order_by(_postings.c.seq)
)


def open_lots(db: Connection, book: int, account: int, unit: Unit, until: datetime) -> list[Lot]:
    """Return what is left, just before an instant, of each credit of an account, first to expire first."""
    rows = _LINES.all(db, book=book, account=account, unit=int(unit), until=until)
    # A reversal has a leg on every account of what it reverses, so both lines are here.
    reverses = {by: entry_id for entry_id, _, _, _, by in rows if by is not None}
    return lots(
        _LotLine(entry_id, seq, amount, expires_on, reverses.get(entry_id))
        for entry_id, seq, amount, expires_on, _ in rows
    )


def drawn_until(db: Connection, book: int, account: int, unit: Unit, entry_id: UUID) -> date | None:
    """Return when the last of the lots that a debit drew from expires; None when one of them never does."""
    for _, lines in walk_lines(db, book, [account], unit):
        walk = LotWalk()
        for line in lines:
            days = walk.take(line)
            if line.entry_id == entry_id:
                return None if None in days else max(day for day in days if day is not None)
    raise AssertionError("the caller names a debit of the account")


def read_lots(db: Connection, book: int, accounts: Collection[int], unit: Unit) -> dict[int, list[Lot]]:
    """Return what is left of each credit of each account that has lines, however many there are in few statements."""
    return {account: lots(lines) for account, lines in walk_lines(db, book, accounts, unit)}


def walk_lines(db: Connection, book: int, accounts: Collection[int], unit: Unit) -> Iterator[LotLines]:
    """Yield the lines of each account that has any, by number of the account."""
    wanted = sorted(accounts)
    for start in range(0, len(wanted), CHUNK):
        of_these = _postings.c.account_id.in_(wanted[start : start + CHUNK])
        query = (
            sa.select(
                _postings.c.account_id,
                _postings.c.entry_id,
                _postings.c.seq,
                _postings.c.amount,
                _postings.c.expires_on,
                _later.c.entry_id.label("by"),
            )
            .outerjoin(_later, (_later.c.book_id == _postings.c.book_id) & (_later.c.reverses == _postings.c.entry_id))
            .where(_postings.c.book_id == book, of_these, _postings.c.unit == int(unit))
            .order_by(_postings.c.account_id, _postings.c.seq)
        )
        for account, found in groupby(db.execute(query), lambda row: row.account_id):
            rows = list(found)
            reverses = {row.by: row.entry_id for row in rows if row.by is not None}
            lines = [
                _LotLine(row.entry_id, row.seq, row.amount, row.expires_on, reverses.get(row.entry_id)) for row in rows
            ]
            yield LotLines(account, lines)
