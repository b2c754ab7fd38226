"""What posting reads and writes, as sets: the same few statements, however many entries come together.

This is the hot path, so it speaks to the engine's driver itself, in SQL whose text never changes. Each engine has its
own spelling (rows_sqlite, rows_postgresql) of the two acts that `Rows` describes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models
from moralbank.ledger.values import PostedLeg, Unit
from moralbank.prepared import Asking

#: SQLite takes 32,766 parameters a statement; a list in a rarer statement is cut to stay under it.
CHUNK = 5_000

#: The advisory lock that posters share and closing a day takes alone.
DAY_LOCK = 0x6D62

_entries = models.entries


@dataclass(slots=True)
class Held:
    """A guarded account's balance row, locked by this transaction and moved on in memory."""

    n: int
    balance: int
    last_at: datetime | None
    #: See models.balances.
    next_expiry_on: date


@dataclass(frozen=True, slots=True)
class Answered:
    """What a key was answered the first time: an entry (by its leaf) or a refusal's code."""

    fingerprint: bytes
    leaf: bytes | None
    refusal: str | None


@dataclass(slots=True)
class Seen:
    """What stands in the book of all that a batch asks about, read after its balances were locked."""

    held: dict[tuple[int, Unit], Held]
    #: Those of the accounts that exist.
    known: set[int]
    answered: dict[tuple[str, str], Answered]
    posted_sources: set[tuple[str, str, str]]
    #: Those of the ids that callers bring which an entry has already.
    taken_ids: set[UUID]
    closed_through: date | None
    #: As many fresh numbers as asked for, rising.
    seqs: list[int]


@dataclass(slots=True)  # Not frozen: that takes four times as long to make, and nobody else gets it.
class NewEntry:
    """An entry that was decided, ready to be written."""

    entry_id: UUID
    #: The same as the leaf and SQLite spell it.
    hex: str
    seq: int
    posted_at: datetime
    kind: str
    actor: str
    branch: int | None
    source: tuple[str | None, str | None]
    rule: tuple[str | None, int | None]
    grade: str | None
    occurred_on: date
    reverses: UUID | None
    checker: str | None
    leaf: bytes
    legs: tuple[PostedLeg, ...]


@dataclass(slots=True)
class Writes:
    """Everything that a batch decided."""

    entries: list[NewEntry] = field(default_factory=list)
    #: entry, salt, content
    private_parts: list[tuple[UUID, bytes, str]] = field(default_factory=list)
    #: actor, key, fingerprint, entry or None, refusal or None
    keys: list[tuple[str, str, bytes, UUID | None, str | None]] = field(default_factory=list)
    moved: dict[tuple[int, Unit], Held] = field(default_factory=dict)


class Rows(Protocol):
    """The ledger's tables on one engine, through one connection."""

    def looking(
        self,
        book: int,
        accounts: Sequence[int],
        keys: Sequence[tuple[str, str]],
        sources: Sequence[tuple[str, str, str]],
        brought: Sequence[UUID],
        seqs: int,
    ) -> Asking[Seen]:
        """Lock the guarded ones among the accounts in one order for every transaction; then read what is asked."""

    def appending(self, book: int, writes: Writes) -> Asking[None]:
        """Write a batch: postings before their entries, which the triggers then find balanced.

        It breaks a unique key when another transaction took a key, a source or a reversal since they were looked up.
        """


def of(db: Connection) -> Rows:
    """Return the rows as this connection's engine spells them."""
    if db.dialect.name == "sqlite":
        from moralbank.ledger.rows_sqlite import SqliteRows

        return SqliteRows(db)
    from moralbank.ledger.rows_postgresql import PostgresqlRows

    return PostgresqlRows()


def salts(db: Connection, book: int, entry_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the salts of those of the entries whose private parts are there."""
    parts, found = models.private_parts.c, {}
    for start in range(0, len(entry_ids), CHUNK):
        query = sa.select(parts.entry_id, parts.salt).where(
            parts.book_id == book, parts.entry_id.in_(entry_ids[start : start + CHUNK])
        )
        found.update({row.entry_id: bytes(row.salt) for row in db.execute(query)})
    return found


def leaves(db: Connection, book: int, entry_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """Return the leaves of those of the entries that exist."""
    found: dict[UUID, bytes] = {}
    wanted = list(set(entry_ids))
    for start in range(0, len(wanted), CHUNK):
        query = sa.select(_entries.c.entry_id, _entries.c.leaf_bytes).where(
            _entries.c.book_id == book, _entries.c.entry_id.in_(wanted[start : start + CHUNK])
        )
        found.update((row.entry_id, row.leaf_bytes) for row in db.execute(query))
    return found


def reversed_ones(db: Connection, book: int, entry_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the entries that are reversed already."""
    found: set[UUID] = set()
    wanted = list(set(entry_ids))
    for start in range(0, len(wanted), CHUNK):
        query = sa.select(_entries.c.reverses).where(
            _entries.c.book_id == book, _entries.c.reverses.in_(wanted[start : start + CHUNK])
        )
        found.update(db.execute(query).scalars())
    return found
