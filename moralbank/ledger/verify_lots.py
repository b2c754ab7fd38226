"""Follows the lots of the accounts where they matter: something expired there, or the day to look at next was moved on.

Reads only. Of every other account that day is the earliest of its credits, which costs `verify` nothing to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import models
from moralbank.ledger.lot_reading import walk_lines
from moralbank.ledger.lots import LotWalk
from moralbank.ledger.values import NEVER, UNLOOKED, Unit


class Wrong(NamedTuple):
    """What does not follow from the lots of an account."""

    what: str
    account: int
    entry_id: UUID | None
    detail: str


def wrong(db: Connection, book: int, accounts: Collection[int], next_days: Mapping[int, date]) -> Iterator[Wrong]:
    """Yield what is wrong with expiries and next days of these accounts, in points.

    next_days: the day that each balance row names.
    """
    expiries = _expiries(db, book) if accounts else {}
    for account, lines in walk_lines(db, book, accounts, Unit.POINTS):
        walk = LotWalk()
        dates: set[date] = set()
        for line in lines:
            ends = walk.take(line)
            if line.expires_on is not None:
                dates.add(line.expires_on)
            until = expiries.get(line.entry_id)
            if until is not None and any(end is None or end > until for end in ends):
                yield Wrong("it takes points away before their time", account, line.entry_id, f"on {until}")
        first = min((lot.expires_on for lot in walk.left() if lot.expires_on is not None), default=NEVER)
        said = next_days[account]
        if said != UNLOOKED and (said > first or said not in dates | {NEVER}):
            yield Wrong("the day of the next expiry does not follow from the lots", account, None, f"{said}")


def _expiries(db: Connection, book: int) -> dict[UUID, date]:
    """Return the entries that took expired points away, and on which day."""
    entries = models.entries.c
    query = sa.select(entries.entry_id, entries.posted_at).where(entries.book_id == book, entries.kind == "expiry")
    return {entry_id: clock.local(posted_at).date() for entry_id, posted_at in db.execute(query)}
