"""Posting's reads and writes in PostgreSQL's words: for any batch one statement to lock, one to look, one to append.

What a batch asks and writes goes over as one JSON text: adapting three dozen arrays to the wire costs more than that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy.engine import Connection

from moralbank.db import RETRYABLE, Raced
from moralbank.ledger.rows import DAY_LOCK, Answered, Held, NewEntry, Seen, Writes
from moralbank.ledger.values import AccountKind, PostedLeg, Unit

#: The shared day lock is a filter that is evaluated once, before any row; closing a day waits for it, nobody else.
_LOCK = """
SELECT account_id, unit, n, balance, last_at FROM ledger_balances
WHERE (SELECT pg_advisory_xact_lock_shared(%s, %s::int)::text) = ''
 AND book_id = %s AND account_id = ANY(%s::bigint[]) ORDER BY account_id, unit FOR UPDATE
"""
#: A statement of its own, so that it sees what stands now that the locks are held. PostgreSQL takes a JSON list for a
#: hundred rows, and would read a whole table for those; a condition that always holds makes it expect one.
_LOOK = """
SELECT (SELECT array_agg(nextval(%(sequence)s::regclass)) FROM generate_series(1, %(seqs)s)),
 (SELECT max(day) FROM ledger_closed_days WHERE book_id = %(book)s),
 (SELECT json_object_agg(account_id, kind) FROM ledger_accounts
  WHERE book_id = %(book)s AND account_id = ANY(%(accounts)s::bigint[])),
 (SELECT json_agg(
   json_build_array(k.actor, k.key, encode(k.fingerprint, 'hex'), encode(e.leaf_bytes, 'hex'), k.refusal))
  FROM json_array_elements(%(keys)s::json) AS wanted(pair)
  JOIN ledger_keys k ON k.book_id = %(book)s AND k.actor = wanted.pair ->> 0 AND k.key = wanted.pair ->> 1
  LEFT JOIN ledger_entries e ON e.book_id = k.book_id AND e.entry_id = k.entry_id
  WHERE json_typeof(wanted.pair) = 'array'),
 (SELECT json_agg(json_build_array(e.kind, e.source_kind, e.source_id))
  FROM json_array_elements(%(sources)s::json) AS wanted(source)
  JOIN ledger_entries e ON e.book_id = %(book)s AND e.kind = wanted.source ->> 0
   AND e.source_kind = wanted.source ->> 1 AND e.source_id = wanted.source ->> 2
  WHERE json_typeof(wanted.source) = 'array'),
 (SELECT array_agg(entry_id) FROM ledger_entries WHERE book_id = %(book)s AND entry_id = ANY(%(brought)s::uuid[]))
"""
#: The entries wait for the count of the postings, so their trigger finds every leg.
_APPEND = """
WITH given AS (SELECT %(writes)s::json AS doc), moved AS (
 UPDATE ledger_balances b SET n = v.n, balance = v.balance, last_at = v.last_at
 FROM given, json_to_recordset(doc -> 'moved')
  AS v(account_id bigint, unit smallint, n bigint, balance bigint, last_at timestamptz)
 WHERE b.book_id = %(book)s AND b.account_id = v.account_id AND b.unit = v.unit AND v.unit IN (1, 2)
), legs AS (
 INSERT INTO ledger_postings (book_id, entry_id, leg, account_id, unit, amount, n, balance_after, expires_on, seq,
  posted_at)
 SELECT %(book)s, v.* FROM given, json_to_recordset(doc -> 'legs')
  AS v(entry_id uuid, leg smallint, account_id bigint, unit smallint, amount bigint, n bigint, balance_after bigint,
       expires_on date, seq bigint, posted_at timestamptz)
 RETURNING leg
), parts AS (
 INSERT INTO ledger_private_parts (book_id, entry_id, salt, content)
 SELECT %(book)s, v.entry_id, decode(v.salt, 'hex'), v.content FROM given, json_to_recordset(doc -> 'parts')
  AS v(entry_id uuid, salt text, content text)
), keys AS (
 INSERT INTO ledger_keys (book_id, actor, key, fingerprint, entry_id, refusal)
 SELECT %(book)s, v.actor, v.key, decode(v.fingerprint, 'hex'), v.entry_id, v.refusal
 FROM given, json_to_recordset(doc -> 'keys')
  AS v(actor text, key text, fingerprint text, entry_id uuid, refusal text)
)
INSERT INTO ledger_entries (book_id, entry_id, seq, kind, actor, branch_id, source_kind, source_id, rule_code,
 rule_version, grade, occurred_on, posted_at, reverses, checker, leaf_bytes)
SELECT %(book)s, v.entry_id, v.seq, v.kind, v.actor, v.branch_id, v.source_kind, v.source_id, v.rule_code,
 v.rule_version, v.grade, v.occurred_on, v.posted_at, v.reverses, v.checker, decode(v.leaf, 'hex')
FROM given, json_to_recordset(doc -> 'entries')
 AS v(entry_id uuid, seq bigint, kind text, actor text, branch_id bigint, source_kind text, source_id text,
      rule_code text, rule_version int, grade text, occurred_on date, posted_at timestamptz, reverses uuid,
      checker text, leaf text)
WHERE (SELECT count(*) FROM legs) > 0
"""
_UNIQUE_VIOLATION = "23505"


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
        asked = {
            "sequence": f"ledger_seq_{book}",
            "seqs": seqs,
            "book": book,
            "accounts": wanted,
            "keys": json.dumps(keys),
            "sources": json.dumps(sources),
            "brought": list(brought),
        }
        try:
            with self._raw.pipeline():  # Two statements, the later with its own snapshot, in one round trip.
                lock = self._raw.execute(_LOCK, (DAY_LOCK, book, book, wanted))
                look = self._raw.execute(_LOOK, asked)
            locked = lock.fetchall()
            [(numbers, closed_through, kinds, answered, taken, present)] = look.fetchall()
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
        given = {
            "moved": [_moved(account, unit, held) for (account, unit), held in writes.moved.items()],
            "legs": [_leg(entry, place, leg) for entry in writes.entries for place, leg in enumerate(entry.legs)],
            "parts": [
                {"entry_id": entry.hex, "salt": salt.hex(), "content": content}
                for entry, salt, content in writes.private_parts
            ],
            "keys": [
                {"actor": actor, "key": key, "fingerprint": asked.hex(), "entry_id": _hex(entry), "refusal": refusal}
                for actor, key, asked, entry, refusal in writes.keys
            ],
            "entries": [_entry(entry) for entry in writes.entries],
        }
        try:
            self._raw.execute(_APPEND, {"book": book, "writes": json.dumps(given)})
        except psycopg.Error as error:
            raise _named(error) from error


def _moved(account: int, unit: Unit, held: Held) -> dict[str, Any]:
    last_at = held.last_at.isoformat() if held.last_at else None
    return {"account_id": account, "unit": int(unit), "n": held.n, "balance": held.balance, "last_at": last_at}


def _leg(entry: NewEntry, place: int, leg: PostedLeg) -> dict[str, Any]:
    return {
        "entry_id": entry.entry_id.hex,
        "leg": place,
        "account_id": leg.account,
        "unit": int(leg.unit),
        "amount": leg.amount,
        "n": leg.n,
        "balance_after": leg.balance_after,
        "expires_on": leg.expires_on.isoformat() if leg.expires_on else None,
        "seq": entry.seq,
        "posted_at": entry.posted_at.isoformat(),
    }


def _entry(entry: NewEntry) -> dict[str, Any]:
    source_kind, source_id = entry.source
    rule_code, rule_version = entry.rule
    return {
        "entry_id": entry.entry_id.hex,
        "seq": entry.seq,
        "kind": entry.kind,
        "actor": entry.actor,
        "branch_id": entry.branch,
        "source_kind": source_kind,
        "source_id": source_id,
        "rule_code": rule_code,
        "rule_version": rule_version,
        "grade": entry.grade,
        "occurred_on": entry.occurred_on.isoformat(),
        "posted_at": entry.posted_at.isoformat(),
        "reverses": _hex(entry.reverses),
        "checker": entry.checker,
        "leaf": entry.leaf.hex(),
    }


def _hex(uuid: UUID | None) -> str | None:
    return uuid.hex if uuid else None


def _named(error: psycopg.Error) -> Exception:
    """Tell a lost race, after which the act runs again, from a fault of ours."""
    return Raced() if error.sqlstate in RETRYABLE or error.sqlstate == _UNIQUE_VIOLATION else error
