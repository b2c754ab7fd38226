"""Posting's reads and writes in PostgreSQL's words: one round trip to look, one to append, for any number of rows.

Statements of a pipeline run one after the other, each with a snapshot of its own, so what is read after the lock is
what stands once the lock is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import psycopg
from sqlalchemy.engine import Connection

from moralbank.db import RETRYABLE, Raced
from moralbank.ledger.rows import DAY_LOCK, Answered, Held, Seen, Writes
from moralbank.ledger.values import AccountKind, Unit

_LOCK = """
SELECT account_id, unit, n, balance, last_at FROM ledger_balances
WHERE book_id = %s AND account_id = ANY(%s::bigint[]) ORDER BY account_id, unit FOR UPDATE
"""
_STANDING = """
SELECT pg_advisory_xact_lock_shared(%s, %s::int),
       (SELECT array_agg(nextval(%s::regclass)) FROM generate_series(1, %s))
"""
_CLOSED = "SELECT max(day) FROM ledger_closed_days WHERE book_id = %s"
_KINDS = "SELECT account_id, kind FROM ledger_accounts WHERE book_id = %s AND account_id = ANY(%s::bigint[])"
_KEYS = """
SELECT k.actor, k.key, k.fingerprint, e.leaf_bytes, k.refusal
FROM unnest(%s::text[], %s::text[]) AS wanted(actor, key)
JOIN ledger_keys k ON k.book_id = %s AND k.actor = wanted.actor AND k.key = wanted.key
LEFT JOIN ledger_entries e ON e.book_id = k.book_id AND e.entry_id = k.entry_id
"""
_SOURCES = """
SELECT e.kind, e.source_kind, e.source_id
FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted(kind, source_kind, source_id)
JOIN ledger_entries e ON e.book_id = %s AND e.kind = wanted.kind
 AND e.source_kind = wanted.source_kind AND e.source_id = wanted.source_id
"""
_MOVE = """
UPDATE ledger_balances b SET n = moved.n, balance = moved.balance, last_at = moved.last_at
FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
 AS moved(account_id, unit, n, balance, last_at)
WHERE b.book_id = %s AND b.account_id = moved.account_id AND b.unit = moved.unit
"""
_POSTINGS = """
INSERT INTO ledger_postings (book_id, entry_id, leg, account_id, unit, amount, n, balance_after, expires_on, seq,
 posted_at)
SELECT %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[],
 %s::bigint[], %s::date[], %s::bigint[], %s::timestamptz[])
"""
_ENTRIES = """
INSERT INTO ledger_entries (book_id, entry_id, seq, kind, actor, branch_id, source_kind, source_id, rule_code,
 rule_version, grade, occurred_on, posted_at, reverses, leaf_bytes)
SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[],
 %s::text[], %s::int[], %s::text[], %s::date[], %s::timestamptz[], %s::uuid[], %s::bytea[])
"""
_PRIVATE_PARTS = """
INSERT INTO ledger_private_parts (book_id, entry_id, salt, content)
SELECT %s, * FROM unnest(%s::uuid[], %s::bytea[], %s::text[])
"""
_KEY_ROWS = """
INSERT INTO ledger_keys (book_id, actor, key, fingerprint, entry_id, refusal)
SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::uuid[], %s::text[])
"""
_UNIQUE_VIOLATION = "23505"


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Turn rows into columns, as unnest takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


class PostgresqlRows:
    """See rows.Rows."""

    def __init__(self, db: Connection) -> None:
        self._raw = cast("psycopg.Connection[tuple[Any, ...]]", db.connection.driver_connection)

    def look(
        self,
        book: int,
        accounts: Sequence[int],
        keys: Sequence[tuple[str, str]],
        sources: Sequence[tuple[str, str, str]],
        seqs: int,
    ) -> Seen:
        run, wanted = self._raw.execute, list(accounts)
        try:
            with self._raw.pipeline():
                locked = run(_LOCK, (book, wanted))
                standing = run(_STANDING, (DAY_LOCK, book, f"ledger_seq_{book}", seqs))
                closed = run(_CLOSED, (book,))
                kinds = run(_KINDS, (book, wanted))
                answered = run(_KEYS, (*_columns(keys), book))
                taken = run(_SOURCES, (*_columns(sources), book)) if sources else None
        except psycopg.Error as error:
            raise _named(error) from error
        [(_, numbers)] = standing.fetchall()
        [(closed_through,)] = closed.fetchall()
        return Seen(
            held={(row[0], Unit(row[1])): Held(row[2], row[3], row[4]) for row in locked},
            kinds={account: AccountKind(kind) for account, kind in kinds},
            answered={(row[0], row[1]): Answered(row[2], row[3], row[4]) for row in answered},
            posted_sources={(row[0], row[1], row[2]) for row in taken} if taken else set(),
            closed_through=closed_through,
            seqs=numbers,
        )

    def append(self, book: int, writes: Writes) -> None:
        run = self._raw.execute
        moved = [
            (account, int(unit), held.n, held.balance, held.last_at) for (account, unit), held in writes.moved.items()
        ]
        try:
            with self._raw.pipeline():
                if moved:
                    run(_MOVE, (*_columns(moved), book))
                if writes.entries:
                    run(_POSTINGS, (book, *_columns(_postings(writes))))
                    run(_ENTRIES, (book, *_columns(_entries(writes))))
                if writes.private_parts:
                    run(_PRIVATE_PARTS, (book, *_columns(writes.private_parts)))
                if writes.keys:
                    run(_KEY_ROWS, (book, *_columns(writes.keys)))
        except psycopg.Error as error:
            raise _named(error) from error


def _postings(writes: Writes) -> list[tuple[Any, ...]]:
    return [
        (
            entry.entry_id, place, leg.account, int(leg.unit), leg.amount, leg.n, leg.balance_after, leg.expires_on,
            entry.seq, entry.posted_at,
        )
        for entry in writes.entries
        for place, leg in enumerate(entry.legs)
    ]  # fmt: skip


def _entries(writes: Writes) -> list[tuple[Any, ...]]:
    return [
        (
            entry.entry_id, entry.seq, entry.kind, entry.actor, entry.branch, *entry.source, *entry.rule, entry.grade,
            entry.occurred_on, entry.posted_at, entry.reverses, entry.leaf,
        )
        for entry in writes.entries
    ]  # fmt: skip


def _named(error: psycopg.Error) -> Exception:
    """Tell a lost race, after which the act runs again, from a fault of ours."""
    return Raced() if error.sqlstate in RETRYABLE or error.sqlstate == _UNIQUE_VIOLATION else error
