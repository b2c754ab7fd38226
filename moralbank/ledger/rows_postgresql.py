"""Posting's reads and writes in PostgreSQL's words: for any batch one statement to lock, one to look, one to append.

What a batch asks and writes goes over as arrays, a column in each: the server takes JSON apart at three times the cost.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy.engine import Connection

from moralbank.ledger.rows import DAY_LOCK, Answered, Held, Seen, Writes
from moralbank.ledger.values import Unit
from moralbank.prepared import Asking
from moralbank.wire import Answer, Call, Words

T = TypeVar("T")

#: The shared day lock is a filter that is evaluated once, before any row; closing a day waits for it, nobody else.
_LOCK = Words("""
SELECT account_id, unit, n, balance, last_at, next_expiry_on FROM ledger_balances
WHERE (SELECT pg_advisory_xact_lock_shared(%(space)s::int, %(book)s::int)::text) = ''
 AND book_id = %(book)s AND account_id = ANY(%(accounts)s::bigint[]) ORDER BY account_id, unit FOR UPDATE
""")
#: A statement of its own, so that it sees what stands now that the locks are held. OFFSET keeps the look-ups one by
#: one: planned for a table that was small, a join, or a list of ids, reads the whole book.
_LOOK = Words("""
SELECT (SELECT array_agg(nextval(%(sequence)s::text::regclass)) FROM generate_series(1, %(seqs)s::int)),
 (SELECT max(day) FROM ledger_closed_days WHERE book_id = %(book)s::bigint),
 (SELECT array_agg(account_id) FROM ledger_accounts
  WHERE book_id = %(book)s AND account_id = ANY(%(accounts)s::bigint[])),
 (SELECT json_agg(
   json_build_array(k.actor, k.key, encode(k.fingerprint, 'hex'), encode(e.leaf_bytes, 'hex'), k.refusal))
  FROM unnest(%(actors)s::text[], %(keys)s::text[]) AS wanted(actor, key)
  CROSS JOIN LATERAL (SELECT * FROM ledger_keys
   WHERE book_id = %(book)s AND actor = wanted.actor AND key = wanted.key OFFSET 0) k
  LEFT JOIN LATERAL (SELECT leaf_bytes FROM ledger_entries
   WHERE book_id = %(book)s AND entry_id = k.entry_id OFFSET 0) e ON true),
 (SELECT json_agg(json_build_array(e.kind, e.source_kind, e.source_id))
  FROM unnest(%(kinds)s::text[], %(source_kinds)s::text[], %(source_ids)s::text[]) AS wanted(kind, what, id)
  CROSS JOIN LATERAL (SELECT * FROM ledger_entries
   WHERE book_id = %(book)s AND kind = wanted.kind AND source_kind = wanted.what AND source_id = wanted.id OFFSET 0) e),
 (SELECT array_agg(e.entry_id) FROM unnest(%(brought)s::uuid[]) AS wanted(id)
  CROSS JOIN LATERAL (SELECT entry_id FROM ledger_entries
   WHERE book_id = %(book)s AND entry_id = wanted.id OFFSET 0) e)
""")
#: The entries wait for the count of the postings, so their trigger finds every leg. The balances are there and locked;
#: spelled as a conflict each is found by its key, where a join planned for a small bank reads everybody's.
_APPEND = Words("""
WITH moved AS (
 INSERT INTO ledger_balances (book_id, account_id, unit, n, balance, last_at, next_expiry_on)
 SELECT %(book)s::bigint, v.* FROM unnest(%(moved_account)s::bigint[], %(moved_unit)s::smallint[],
  %(moved_n)s::bigint[], %(moved_balance)s::bigint[], %(moved_at)s::timestamptz[], %(moved_next)s::date[]) AS v
 ON CONFLICT (book_id, account_id, unit) DO UPDATE
 SET n = excluded.n, balance = excluded.balance, last_at = excluded.last_at, next_expiry_on = excluded.next_expiry_on
), legs AS (
 INSERT INTO ledger_postings (book_id, entry_id, leg, account_id, unit, amount, n, balance_after, expires_on, seq,
  posted_at)
 SELECT %(book)s, v.* FROM unnest(%(leg_entry)s::uuid[], %(leg)s::smallint[], %(leg_account)s::bigint[],
  %(leg_unit)s::smallint[], %(leg_amount)s::bigint[], %(leg_n)s::bigint[], %(leg_balance)s::bigint[],
  %(leg_expires)s::date[], %(leg_seq)s::bigint[], %(leg_at)s::timestamptz[]) AS v
 RETURNING leg
), parts AS (
 INSERT INTO ledger_private_parts (book_id, entry_id, salt, content)
 SELECT %(book)s, v.* FROM unnest(%(part_entry)s::uuid[], %(part_salt)s::bytea[], %(part_content)s::text[]) AS v
), keys AS (
 INSERT INTO ledger_keys (book_id, actor, key, fingerprint, entry_id, refusal)
 SELECT %(book)s, v.* FROM unnest(%(key_actor)s::text[], %(key)s::text[], %(key_fingerprint)s::bytea[],
  %(key_entry)s::uuid[], %(key_refusal)s::text[]) AS v
)
INSERT INTO ledger_entries (book_id, entry_id, seq, kind, actor, branch_id, source_kind, source_id, rule_code,
 rule_version, grade, occurred_on, posted_at, reverses, checker, leaf_bytes)
SELECT %(book)s, v.* FROM unnest(%(entry_id)s::uuid[], %(seq)s::bigint[], %(kind)s::text[], %(actor)s::text[],
 %(branch)s::bigint[], %(source_kind)s::text[], %(source_id)s::text[], %(rule_code)s::text[], %(rule_version)s::int[],
 %(grade)s::text[], %(occurred_on)s::date[], %(posted_at)s::timestamptz[], %(reverses)s::uuid[], %(checker)s::text[],
 %(leaf)s::bytea[]) AS v
WHERE (SELECT count(*) FROM legs) > 0
""")
_BYTEA = 17
_TO_ESCAPE = re.compile(r'["\\]')


class PostgresqlRows:
    """See rows.Rows."""

    def looking(
        self,
        book: int,
        accounts: Sequence[int],
        keys: Sequence[tuple[str, str]],
        sources: Sequence[tuple[str, str, str]],
        brought: Sequence[UUID],
        seqs: int,
    ) -> Asking[Seen]:
        wanted = _plain(accounts)
        actors, names = _columns(keys, 2)
        kinds, source_kinds, source_ids = _columns(sources, 3)
        asked = {
            "sequence": f"ledger_seq_{book}",
            "seqs": seqs,
            "book": book,
            "accounts": wanted,
            "actors": _texts(actors),
            "keys": _texts(names),
            "kinds": _texts(kinds),
            "source_kinds": _texts(source_kinds),
            "source_ids": _texts(source_ids),
            "brought": _ids(brought),
        }
        locked = {"space": DAY_LOCK, "book": book, "accounts": wanted}
        # Two statements, the later with its own snapshot.
        return _Spoken([_call(_LOCK, locked), _call(_LOOK, asked)], _seen)

    def appending(self, book: int, writes: Writes) -> Asking[None]:
        given = {"book": book, **_moved(writes), **_legs(writes), **_parts_and_keys(writes), **_entries(writes)}
        return _Spoken([_call(_APPEND, given)], lambda _answers: None)


@dataclass(frozen=True, slots=True)
class _Spoken(Generic[T]):
    """What is asked in PostgreSQL's words, and how to read the answers."""

    spoken: list[Call]
    read: Callable[[list[Answer]], T]

    def now(self, _db: Connection) -> T:
        raise AssertionError("SQLite has words of its own")

    def calls(self, _db: Connection) -> list[Call]:
        return self.spoken

    def told(self, _db: Connection, answers: Iterator[Answer]) -> T:
        return self.read([next(answers) for _ in self.spoken])


def _seen(answers: list[Answer]) -> Seen:
    lock, look = answers
    [(numbers, closed_through, known, answered, taken, present)] = look.rows()
    return Seen(
        held={(account, _UNITS[unit]): Held(*held) for account, unit, *held in lock.rows()},
        known=set(known or ()),
        answered={
            (actor, key): Answered(bytes.fromhex(asked), bytes.fromhex(leaf) if leaf else None, refusal)
            for actor, key, asked, leaf, refusal in answered or ()
        },
        posted_sources={(kind, source_kind, source_id) for kind, source_kind, source_id in taken or ()},
        taken_ids=set(present or ()),
        closed_through=closed_through,
        seqs=numbers,
    )


_UNITS = {int(unit): unit for unit in Unit}


def _moved(writes: Writes) -> dict[str, object]:
    moved = writes.moved
    return {
        "moved_account": _plain(account for account, _ in moved),
        "moved_unit": _plain(int(unit) for _, unit in moved),
        "moved_n": _plain(held.n for held in moved.values()),
        "moved_balance": _plain(held.balance for held in moved.values()),
        "moved_at": _texts(held.last_at.isoformat() if held.last_at else None for held in moved.values()),
        "moved_next": _texts(held.next_expiry_on.isoformat() for held in moved.values()),
    }


def _legs(writes: Writes) -> dict[str, object]:
    lines = [
        (
            entry.entry_id.hex, place, leg.account, int(leg.unit), leg.amount, leg.n, leg.balance_after,
            leg.expires_on, entry.seq, entry.posted_at.isoformat(),
        )
        for entry in writes.entries
        for place, leg in enumerate(entry.legs)
    ]  # fmt: skip
    ids, places, accounts, units, amounts, numbers, balances, expiries, seqs, instants = _columns(lines, 10)
    return {
        "leg_entry": _plain(ids),
        "leg": _plain(places),
        "leg_account": _plain(accounts),
        "leg_unit": _plain(units),
        "leg_amount": _plain(amounts),
        "leg_n": _plain(numbers),
        "leg_balance": _plain(balances),
        "leg_expires": _days(expiries),
        "leg_seq": _plain(seqs),
        "leg_at": _texts(instants),
    }


def _parts_and_keys(writes: Writes) -> dict[str, object]:
    entries, salts, contents = _columns(writes.private_parts, 3)
    actors, keys, fingerprints, answers, refusals = _columns(writes.keys, 5)
    return {
        "part_entry": _ids(entries),
        "part_salt": _bytes(salts),
        "part_content": _texts(contents),
        "key_actor": _texts(actors),
        "key": _texts(keys),
        "key_fingerprint": _bytes(fingerprints),
        "key_entry": _ids(answers),
        "key_refusal": _texts(refusals),
    }


def _entries(writes: Writes) -> dict[str, object]:
    entries = writes.entries
    return {
        "entry_id": _ids(entry.entry_id for entry in entries),
        "seq": _plain(entry.seq for entry in entries),
        "kind": _texts(entry.kind for entry in entries),
        "actor": _texts(entry.actor for entry in entries),
        "branch": _plain(entry.branch for entry in entries),
        "source_kind": _texts(entry.source[0] for entry in entries),
        "source_id": _texts(entry.source[1] for entry in entries),
        "rule_code": _texts(entry.rule[0] for entry in entries),
        "rule_version": _plain(entry.rule[1] for entry in entries),
        "grade": _texts(entry.grade for entry in entries),
        "occurred_on": _days(entry.occurred_on for entry in entries),
        "posted_at": _texts(entry.posted_at.isoformat() for entry in entries),
        "reverses": _ids(entry.reverses for entry in entries),
        "checker": _texts(entry.checker for entry in entries),
        "leaf": _bytes(entry.leaf for entry in entries),
    }


def _call(words: Words, given: dict[str, Any]) -> tuple[Words, list[object]]:
    return words, [given[name] for name in words.names]


def _columns(rows: Sequence[tuple[Any, ...]], number: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * number


def _plain(values: Iterable[object]) -> str:
    """Spell an array of what needs no quotes."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def _texts(values: Iterable[str | None]) -> str:
    return f"{{{','.join(['NULL' if text is None else _quoted(text) for text in values])}}}"


def _quoted(text: str) -> str:
    return f'"{_TO_ESCAPE.sub(_ESCAPED, text)}"' if '"' in text or "\\" in text else f'"{text}"'


_ESCAPED = r"\\\g<0>"


def _ids(values: Iterable[UUID | None]) -> str:
    return f"{{{','.join(['NULL' if uuid is None else uuid.hex for uuid in values])}}}"


def _days(values: Iterable[date | None]) -> str:
    return f"{{{','.join(['NULL' if day is None else day.isoformat() for day in values])}}}"


def _bytes(values: Iterable[bytes]) -> bytes:
    """Spell an array of byte strings in the server's binary format: its head, then each with its length."""
    parts = [struct.pack(">i", len(value)) + value for value in values]
    if not parts:
        return struct.pack(">iii", 0, 0, _BYTEA)
    return struct.pack(">iiiii", 1, 0, _BYTEA, len(parts), 1) + b"".join(parts)
