"""The entries as stored bytes by their numbers, for whoever seals them in a log. Reads only, and locks nothing.

On PostgreSQL a lower number may be committed after a higher one, so a missing number may still come. Whoever may
still bring it is posting, and seen to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models
from moralbank.ledger.rows import DAY_LOCK
from moralbank.prepared import Prepared

#: From here on without end.
ENDLESS = 2**63 - 1
#: More need not be counted to know that too many wait.
COUNT_MAX = 100_000

_entries = models.entries
_LEAVES = Prepared(
    sa.select(_entries.c.seq, _entries.c.leaf_bytes)
    .where(
        _entries.c.book_id == sa.bindparam("book"),
        _entries.c.seq >= sa.bindparam("low"),
        _entries.c.seq <= sa.bindparam("high"),
    )
    .order_by(_entries.c.seq)
    .limit(sa.bindparam("most", type_=sa.BigInteger))
)
#: Every poster takes it before it draws a number and keeps it until its commit can be seen.
_POSTERS = sa.text(
    """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'advisory' AND classid = :space AND objid = :book AND objsubid = 2 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)


def last_seqs(db: Connection) -> dict[int, int]:
    """Return the last number of every book, 0 for one without entries."""
    last = sa.select(sa.func.max(_entries.c.seq)).where(_entries.c.book_id == models.books.c.book_id)
    query = sa.select(
        models.books.c.book_id, sa.func.coalesce(last.correlate(models.books).scalar_subquery(), 0).label("last")
    )
    return {row.book_id: row.last for row in db.execute(query)}


def list_leaves(db: Connection, book: int, spans: Sequence[tuple[int, int]], limit: int) -> list[tuple[int, bytes]]:
    """Return numbers and leaves of the entries within the spans, the first `limit` by number, all of one snapshot.

    spans: first and last number of each, rising.
    """
    # Asked for as a set: one statement on PostgreSQL, which sees one snapshot whatever the transaction's level.
    asked = [{"book": book, "low": low, "high": high, "most": limit} for low, high in spans]
    return [(seq, leaf) for found in _LEAVES.each(db, asked) for seq, leaf in found][:limit]


def posters(db: Connection, book: int) -> frozenset[str]:
    """Return the transactions that are posting into the book and may yet bring a number drawn earlier.

    What ended before this was asked is seen by every snapshot that begins after it.
    """
    if db.dialect.name == "sqlite":
        return frozenset()  # One writer: numbers come in the order of their commits.
    return frozenset(db.execute(_POSTERS, {"space": DAY_LOCK, "book": book}).scalars())


def seq_of(db: Connection, book: int, entry_id: UUID) -> int | None:
    """Return an entry's number in the book, or None."""
    query = sa.select(_entries.c.seq).where(_entries.c.book_id == book, _entries.c.entry_id == entry_id)
    found: int | None = db.execute(query).scalar()
    return found


def count_entries(db: Connection, book: int, through: int = ENDLESS) -> int:
    """Return how many entries have a number up to this one."""
    query = sa.select(sa.func.count()).where(_entries.c.book_id == book, _entries.c.seq <= through)
    return int(db.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Behind:
    """Entries after a number: how many (counted up to COUNT_MAX), and when the first of them was posted."""

    entries: int
    first_posted_at: datetime


def behind(db: Connection, book: int, after: int) -> Behind | None:
    """Return what comes after a number, or None when nothing does."""
    later = sa.select(_entries.c.posted_at).where(_entries.c.book_id == book, _entries.c.seq > after)
    first: datetime | None = db.execute(later.order_by(_entries.c.seq).limit(1)).scalar()
    if first is None:
        return None
    count = db.execute(sa.select(sa.func.count()).select_from(later.limit(COUNT_MAX).subquery())).scalar_one()
    return Behind(count, first)
