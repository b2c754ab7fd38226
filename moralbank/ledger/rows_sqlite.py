"""Posting's reads and writes in SQLite's words. The transaction began IMMEDIATE, so it is the only writer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import cast
from uuid import UUID

from sqlalchemy.engine import Connection

from moralbank.ledger.rows import Answered, Held, Seen, Writes
from moralbank.ledger.values import Unit
from moralbank.prepared import Act, Asking

_ACCOUNTS = """
SELECT a.account_id, b.unit, b.n, b.balance, b.last_at, b.next_expiry_on
FROM json_each(?) wanted
CROSS JOIN ledger_accounts a ON a.book_id = ? AND a.account_id = wanted.value
LEFT JOIN ledger_balances b ON b.book_id = a.book_id AND b.account_id = a.account_id
"""
_KEYS = """
SELECT k.actor, k.key, k.fingerprint, e.leaf_bytes, k.refusal
FROM json_each(?) wanted
CROSS JOIN ledger_keys k ON k.book_id = ? AND k.actor = wanted.value ->> 0 AND k.key = wanted.value ->> 1
LEFT JOIN ledger_entries e ON e.book_id = k.book_id AND e.entry_id = k.entry_id
"""
_SOURCES = """
SELECT e.kind, e.source_kind, e.source_id
FROM json_each(?) wanted
CROSS JOIN ledger_entries e ON e.book_id = ? AND e.kind = wanted.value ->> 0
 AND e.source_kind = wanted.value ->> 1 AND e.source_id = wanted.value ->> 2
"""
_IDS = """
SELECT e.entry_id FROM json_each(?) wanted CROSS JOIN ledger_entries e ON e.book_id = ? AND e.entry_id = wanted.value
"""
_STANDING = """
SELECT (SELECT max(day) FROM ledger_closed_days WHERE book_id = ?1),
       (SELECT max(seq) FROM ledger_entries WHERE book_id = ?1)
"""
_MOVE = """
UPDATE ledger_balances SET n = ?, balance = ?, last_at = ?, next_expiry_on = ?
WHERE book_id = ? AND account_id = ? AND unit = ?
"""
_POSTING = """
INSERT INTO ledger_postings (book_id, entry_id, leg, account_id, unit, amount, n, balance_after, expires_on, seq,
 posted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ENTRY = """
INSERT INTO ledger_entries (book_id, entry_id, seq, kind, actor, branch_id, source_kind, source_id, rule_code,
 rule_version, grade, occurred_on, posted_at, reverses, checker, leaf_bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PRIVATE_PART = "INSERT INTO ledger_private_parts (book_id, entry_id, salt, content) VALUES (?, ?, ?, ?)"
_KEY = "INSERT INTO ledger_keys (book_id, actor, key, fingerprint, entry_id, refusal) VALUES (?, ?, ?, ?, ?, ?)"


@lru_cache(maxsize=64)  # A batch has one instant.
def _instant(moment: datetime) -> str:
    """Spell an instant as db.UtcDateTime stores it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _read_instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _hex(uuid: UUID | None) -> str | None:
    return uuid.hex if uuid else None


_UNITS = {int(unit): unit for unit in Unit}


class SqliteRows:
    """See rows.Rows."""

    def __init__(self, db: Connection) -> None:
        self._raw = cast(sqlite3.Connection, db.connection.driver_connection)

    def looking(
        self,
        book: int,
        accounts: Sequence[int],
        keys: Sequence[tuple[str, str]],
        sources: Sequence[tuple[str, str, str]],
        brought: Sequence[UUID],
        seqs: int,
    ) -> Asking[Seen]:
        return Act(lambda: self._look(book, accounts, keys, sources, brought, seqs))

    def appending(self, book: int, writes: Writes) -> Asking[None]:
        return Act(lambda: self._append(book, writes))

    def _look(
        self,
        book: int,
        accounts: Sequence[int],
        keys: Sequence[tuple[str, str]],
        sources: Sequence[tuple[str, str, str]],
        brought: Sequence[UUID],
        seqs: int,
    ) -> Seen:
        run = self._raw.execute
        held: dict[tuple[int, Unit], Held] = {}
        known: set[int] = set()
        for account, unit, n, balance, last_at, next_on in run(_ACCOUNTS, (json.dumps(accounts), book)):
            known.add(account)
            if unit is not None:
                held[account, _UNITS[unit]] = Held(n, balance, _read_instant(last_at), date.fromisoformat(next_on))
        answered = {(row[0], row[1]): Answered(*row[2:]) for row in run(_KEYS, (json.dumps(keys), book))}
        taken = set(run(_SOURCES, (json.dumps(sources), book))) if sources else set()
        ids = json.dumps([entry_id.hex for entry_id in brought])
        present = {UUID(row[0]) for row in run(_IDS, (ids, book))} if brought else set()
        closed, last = run(_STANDING, (book,)).fetchone()
        first = (last or 0) + 1
        closed_through = date.fromisoformat(closed) if closed else None
        return Seen(held, known, answered, taken, present, closed_through, list(range(first, first + seqs)))

    def _append(self, book: int, writes: Writes) -> None:
        run = self._raw.executemany
        run(
            _MOVE,
            [
                (
                    held.n,
                    held.balance,
                    _instant(held.last_at) if held.last_at else None,
                    held.next_expiry_on.isoformat(),
                    book,
                    account,
                    int(unit),
                )
                for (account, unit), held in writes.moved.items()
            ],
        )
        postings, entries = [], []
        for entry in writes.entries:
            entry_id, posted_at = entry.hex, _instant(entry.posted_at)
            postings += [
                (
                    book, entry_id, place, leg.account, leg.unit, leg.amount, leg.n, leg.balance_after,
                    _day(leg.expires_on), entry.seq, posted_at,
                )
                for place, leg in enumerate(entry.legs)
            ]  # fmt: skip
            entries.append(
                (
                    book, entry_id, entry.seq, entry.kind, entry.actor, entry.branch, *entry.source, *entry.rule,
                    entry.grade, _day(entry.occurred_on), posted_at, _hex(entry.reverses), entry.checker, entry.leaf,
                )
            )  # fmt: skip
        run(_POSTING, postings)
        run(_ENTRY, entries)
        run(_PRIVATE_PART, [(book, entry.hex, salt, content) for entry, salt, content in writes.private_parts])
        run(_KEY, [(book, actor, key, asked, _hex(entry), code) for actor, key, asked, entry, code in writes.keys])
