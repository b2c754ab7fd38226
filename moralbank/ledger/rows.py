"""What posting reads and writes, as sets: a fixed number of statements, however many entries come together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.db import Raced, violated
from moralbank.ledger import models
from moralbank.ledger.values import AccountKind, Unit

#: SQLite takes 32,766 parameters a statement; every list below is cut to stay under it.
CHUNK = 5_000

T = TypeVar("T")

_accounts, _balances, _entries, _keys = models.accounts, models.balances, models.entries, models.keys


@dataclass(slots=True)
class Held:
    """A guarded account's balance row, locked by this transaction and moved on in memory."""

    n: int
    balance: int
    last_at: datetime | None


def _chunks(items: Iterable[T]) -> Iterable[list[T]]:
    rest = list(items)
    for start in range(0, len(rest), CHUNK):
        yield rest[start : start + CHUNK]


_LOCK = (
    sa.select(_balances.c.account_id, _balances.c.unit, _balances.c.n, _balances.c.balance, _balances.c.last_at)
    .where(_balances.c.book_id == sa.bindparam("book"))
    .where(_balances.c.account_id.in_(sa.bindparam("accounts", expanding=True)))
    .order_by(_balances.c.account_id, _balances.c.unit)
    .with_for_update()
)


def lock_balances(db: Connection, book: int, accounts: Iterable[int]) -> dict[tuple[int, Unit], Held]:
    """Lock and read the balances of the guarded ones among the accounts, in one order for every transaction."""
    held: dict[tuple[int, Unit], Held] = {}
    for part in _chunks(sorted(set(accounts))):
        for account, unit, n, balance, last_at in db.execute(_LOCK, {"book": book, "accounts": part}):
            held[account, Unit(unit)] = Held(n, balance, last_at)
    return held


_KINDS = sa.select(_accounts.c.account_id, _accounts.c.kind).where(
    _accounts.c.book_id == sa.bindparam("book"),
    _accounts.c.account_id.in_(sa.bindparam("accounts", expanding=True)),
)


def kinds(db: Connection, book: int, accounts: Iterable[int]) -> dict[int, AccountKind]:
    """Return the kind of each of the accounts that the book has."""
    found: dict[int, AccountKind] = {}
    for part in _chunks(sorted(set(accounts))):
        rows = db.execute(_KINDS, {"book": book, "accounts": part})
        found.update((account, AccountKind(kind)) for account, kind in rows)
    return found


@dataclass(frozen=True, slots=True)
class Answered:
    """What a key was answered the first time: an entry (by its leaf) or a refusal's code."""

    fingerprint: bytes
    leaf: bytes | None
    refusal: str | None


_ANSWERED = (
    sa.select(_keys.c.key, _keys.c.fingerprint, _keys.c.refusal, _entries.c.leaf_bytes)
    .outerjoin(_entries, (_entries.c.book_id == _keys.c.book_id) & (_entries.c.entry_id == _keys.c.entry_id))
    .where(_keys.c.book_id == sa.bindparam("book"), _keys.c.actor == sa.bindparam("actor"))
    .where(_keys.c.key.in_(sa.bindparam("keys", expanding=True)))
)


def answered(db: Connection, book: int, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Answered]:
    """Return what the (actor, key) pairs were answered before, for those that were."""
    by_actor: dict[str, set[str]] = {}
    for actor, key in keys:
        by_actor.setdefault(actor, set()).add(key)
    found: dict[tuple[str, str], Answered] = {}
    for actor, wanted in by_actor.items():
        for part in _chunks(wanted):
            for row in db.execute(_ANSWERED, {"book": book, "actor": actor, "keys": part}):
                found[actor, row.key] = Answered(row.fingerprint, row.leaf_bytes, row.refusal)
    return found


_SOURCES = sa.select(_entries.c.kind, _entries.c.source_kind, _entries.c.source_id).where(
    _entries.c.book_id == sa.bindparam("book"),
    _entries.c.kind == sa.bindparam("kind"),
    _entries.c.source_kind == sa.bindparam("source_kind"),
    _entries.c.source_id.in_(sa.bindparam("ids", expanding=True)),
)


def posted_sources(db: Connection, book: int, sources: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Return those of the (kind, source kind, source id) that have an entry already."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for kind, source_kind, source_id in sources:
        grouped.setdefault((kind, source_kind), []).append(source_id)
    found: set[tuple[str, str, str]] = set()
    for (kind, source_kind), wanted in grouped.items():
        for part in _chunks(wanted):
            rows = db.execute(_SOURCES, {"book": book, "kind": kind, "source_kind": source_kind, "ids": part})
            found.update((row.kind, row.source_kind, row.source_id) for row in rows)
    return found


def leaves(db: Connection, book: int, entry_ids: Iterable[UUID]) -> dict[UUID, bytes]:
    """Return the leaves of those of the entries that exist."""
    found: dict[UUID, bytes] = {}
    for part in _chunks(set(entry_ids)):
        query = sa.select(_entries.c.entry_id, _entries.c.leaf_bytes).where(
            _entries.c.book_id == book, _entries.c.entry_id.in_(part)
        )
        found.update((row.entry_id, row.leaf_bytes) for row in db.execute(query))
    return found


def reversed_ones(db: Connection, book: int, entry_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the entries that are reversed already."""
    found: set[UUID] = set()
    for part in _chunks(set(entry_ids)):
        query = sa.select(_entries.c.reverses).where(_entries.c.book_id == book, _entries.c.reverses.in_(part))
        found.update(db.execute(query).scalars())
    return found


_CLOSED = sa.select(sa.func.max(models.closed_days.c.day)).where(models.closed_days.c.book_id == sa.bindparam("book"))


def closed_through(db: Connection, book: int) -> date | None:
    """Return the last closed day, and keep the days as they are until this transaction ends."""
    if db.dialect.name == "postgresql":
        db.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:space, :book)"), {"space": DAY_LOCK, "book": book})
    day: date | None = db.execute(_CLOSED, {"book": book}).scalar()
    return day


#: The advisory lock that posters share and closing a day takes alone.
DAY_LOCK = 0x6D62


def draw_seqs(db: Connection, book: int, count: int) -> list[int]:
    """Draw the next entry numbers of the book; called while the locks are held, so they rise along every account."""
    if db.dialect.name == "postgresql":
        query = sa.text("SELECT nextval(CAST(:name AS regclass)) FROM generate_series(1, :count)")
        return list(db.execute(query, {"name": f"ledger_seq_{book}", "count": count}).scalars())
    last = db.execute(sa.select(sa.func.max(_entries.c.seq)).where(_entries.c.book_id == book)).scalar() or 0
    return list(range(last + 1, last + 1 + count))


_MOVE = (
    sa.update(_balances)
    .where(
        _balances.c.book_id == sa.bindparam("b_book"),
        _balances.c.account_id == sa.bindparam("b_account"),
        _balances.c.unit == sa.bindparam("b_unit"),
    )
    .values(n=sa.bindparam("b_n"), balance=sa.bindparam("b_balance"), last_at=sa.bindparam("b_last_at"))
)


def append(
    db: Connection,
    postings: Sequence[dict[str, Any]],
    entries: Sequence[dict[str, Any]],
    private_parts: Sequence[dict[str, Any]],
    keys: Sequence[dict[str, Any]],
    moved: Sequence[dict[str, Any]],
) -> None:
    """Write everything a batch decided: postings before their entries, which the triggers then find balanced.

    Raises: Raced when another transaction took a key, a source or a reversal since they were looked up.
    """
    try:
        if entries:
            if moved:
                db.execute(_MOVE, moved)
            db.execute(models.postings.insert(), postings)
            db.execute(models.entries.insert(), entries)
        if private_parts:
            db.execute(models.private_parts.insert(), private_parts)
        if keys:
            db.execute(models.keys.insert(), keys)
    except sa.exc.IntegrityError as error:
        if db.dialect.name == "postgresql" and violated(error, *_RACED):
            raise Raced from error
        raise


_RACED = (
    "pk_ledger_keys",
    "pk_ledger_entries",
    "uq_ledger_entries_book_id_reverses",
    "uq_ledger_entries_book_id_kind_source_kind_source_id",
)
