"""Reads just what lots are a function of: an account's lines without what they were for."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models
from moralbank.ledger.lots import Lot, lots
from moralbank.ledger.values import Unit
from moralbank.prepared import Prepared

_postings, _later = models.postings, models.entries.alias("later")


class _LotLine(NamedTuple):
    entry_id: UUID
    seq: int
    amount: int
    expires_on: date | None
    reverses: UUID | None


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
