"""Posting's reads and writes in PostgreSQL's words: for any batch one statement to lock, one to look, one to append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy.engine import Connection

from moralbank.db import RETRYABLE, Raced
from moralbank.ledger.rows import DAY_LOCK, Answered, Held, Seen, Writes
from moralbank.ledger.values import AccountKind, Unit

#: The shared day lock is a filter that is evaluated once, before any row; closing a day waits for it, nobody else.
_LOCK = """
SELECT account_id, unit, n, balance, last_at FROM ledger_balances
WHERE (SELECT pg_advisory_xact_lock_shared(%s, %s::int)::text) = ''
 AND book_id = %s AND account_id = ANY(%s::bigint[]) ORDER BY account_id, unit FOR UPDATE
"""
#: A statement of its own, so that it sees what stands now that the locks are held.
_LOOK = """
SELECT (SELECT array_agg(nextval(%s::regclass)) FROM generate_series(1, %s)),
 (SELECT max(day) FROM ledger_closed_days WHERE book_id = %s),
 (SELECT json_object_agg(account_id, kind) FROM ledger_accounts
  WHERE book_id = %s AND account_id = ANY(%s::bigint[])),
 (SELECT json_agg(
   json_build_array(k.actor, k.key, encode(k.fingerprint, 'hex'), encode(e.leaf_bytes, 'hex'), k.refusal))
  FROM unnest(%s::text[], %s::text[]) AS wanted(actor, key)
  JOIN ledger_keys k ON k.book_id = %s AND k.actor = wanted.actor AND k.key = wanted.key
  LEFT JOIN ledger_entries e ON e.book_id = k.book_id AND e.entry_id = k.entry_id),
 (SELECT json_agg(json_build_array(e.kind, e.source_kind, e.source_id))
  FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted(kind, source_kind, source_id)
  JOIN ledger_entries e ON e.book_id = %s AND e.kind = wanted.kind
   AND e.source_kind = wanted.source_kind AND e.source_id = wanted.source_id),
 (SELECT array_agg(entry_id) FROM ledger_entries WHERE book_id = %s AND entry_id = ANY(%s::uuid[]))
"""
#: The entries wait for the count of the postings, so their trigger finds every leg.
_APPEND = """
WITH moved AS (
 UPDATE ledger_balances b SET n = v.n, balance = v.balance, last_at = v.last_at
 FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
  AS v(account_id, unit, n, balance, last_at)
 WHERE b.book_id = %s AND b.account_id = v.account_id AND b.unit = v.unit
), legs AS (
 INSERT INTO ledger_postings (book_id, entry_id, leg, account_id, unit, amount, n, balance_after, expires_on, seq,
  posted_at)
 SELECT %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[],
  %s::bigint[], %s::date[], %s::bigint[], %s::timestamptz[])
 RETURNING leg
), parts AS (
 INSERT INTO ledger_private_parts (book_id, entry_id, salt, content)
 SELECT %s, * FROM unnest(%s::uuid[], %s::bytea[], %s::text[])
), keys AS (
 INSERT INTO ledger_keys (book_id, actor, key, fingerprint, entry_id, refusal)
 SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::uuid[], %s::text[])
)
INSERT INTO ledger_entries (book_id, entry_id, seq, kind, actor, branch_id, source_kind, source_id, rule_code,
 rule_version, grade, occurred_on, posted_at, reverses, leaf_bytes)
SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[],
 %s::text[], %s::int[], %s::text[], %s::date[], %s::timestamptz[], %s::uuid[], %s::bytea[])
WHERE (SELECT count(*) FROM legs) > 0
"""
_UNIQUE_VIOLATION = "23505"


def _columns(rows: Sequence[Sequence[Any]], width: int) -> Sequence[Sequence[Any]]:
    """Turn rows into that many columns, as unnest takes them."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width


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
        brought: Sequence[UUID],
        seqs: int,
    ) -> Seen:
        wanted = list(accounts)
        asked = (
            f"ledger_seq_{book}", seqs, book,
            book, wanted,
            *_columns(keys, 2), book,
            *_columns(sources, 3), book,
            book, list(brought),
        )  # fmt: skip
        try:
            locked = self._raw.execute(_LOCK, (DAY_LOCK, book, book, wanted)).fetchall()
            [(numbers, closed_through, kinds, answered, taken, present)] = self._raw.execute(_LOOK, asked).fetchall()
        except psycopg.Error as error:
            raise _named(error) from error
        return Seen(
            held={(account, Unit(unit)): Held(n, balance, last_at) for account, unit, n, balance, last_at in locked},
            kinds={int(account): AccountKind(kind) for account, kind in (kinds or {}).items()},
            answered={
                (actor, key): Answered(bytes.fromhex(asked), bytes.fromhex(leaf) if leaf else None, refusal)
                for actor, key, asked, leaf, refusal in answered or ()
            },
            posted_sources={(kind, source_kind, source_id) for kind, source_kind, source_id in taken or ()},
            taken_ids=set(present or ()),
            closed_through=closed_through,
            seqs=numbers,
        )

    def append(self, book: int, writes: Writes) -> None:
        moved = [
            (account, int(unit), held.n, held.balance, held.last_at) for (account, unit), held in writes.moved.items()
        ]
        columns = (
            *_columns(moved, 5), book,
            book, *_columns(_postings(writes), 10),
            book, *_columns(writes.private_parts, 3),
            book, *_columns(writes.keys, 5),
            book, *_columns(_entries(writes), 14),
        )  # fmt: skip
        try:
            self._raw.execute(_APPEND, columns)
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
