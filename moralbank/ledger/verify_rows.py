"""What verifying reads, in each engine's words: pages of entries and legs as the plain values that a leaf spells.

The engine turns instants, days and ids into the leaf's own text, so that nothing is parsed that is only compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

PAGE = 2_000
_BEFORE_ALL = -(2**63)


class EntryRow(NamedTuple):
    """An entry with its private part. at: as the leaf spells it; ids are hex."""

    seq: int
    entry_id: str
    kind: str
    actor: str
    branch: int | None
    source_kind: str | None
    source_id: str | None
    rule_code: str | None
    rule_version: int | None
    grade: str | None
    on: str
    at: str
    reverses: str | None
    checker: str | None
    leaf: bytes
    salt: bytes | None
    content: str | None


class LegRow(NamedTuple):
    """A posting beside the number of its entry. is_same: its own number and instant are the entry's."""

    seq: int
    leg: int
    account: int
    unit: int
    amount: int
    n: int | None
    balance_after: int | None
    expires_on: str | None
    is_same: bool | None


#: `_make` without its check of the length, which the statements below settle.
_entry_row: Callable[[Sequence[Any]], EntryRow] = partial(tuple.__new__, EntryRow)
_leg_row: Callable[[Sequence[Any]], LegRow] = partial(tuple.__new__, LegRow)


class Words(NamedTuple):
    """How an engine spells a column as the leaf does."""

    instant: str
    day: str
    uuid: str


SQLITE = Words("replace({}, ' ', 'T') || 'Z'", "{}", "{}")
POSTGRESQL = Words(
    """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""", "{}::text", "encode(uuid_send({}), 'hex')"
)


class Reader:
    """Reads one book through one connection, which sees one snapshot."""

    def __init__(self, db: Connection, book: int) -> None:
        self._is_sqlite = db.dialect.name == "sqlite"
        self._raw: Any = db.connection.driver_connection
        self._book = book
        words = SQLITE if self._is_sqlite else POSTGRESQL
        at, uuid = words.instant.format, words.uuid.format
        self._entries = f"""
SELECT e.seq, {uuid("e.entry_id")}, e.kind, e.actor, e.branch_id, e.source_kind, e.source_id, e.rule_code,
 e.rule_version, e.grade, {words.day.format("e.occurred_on")}, {at("e.posted_at")}, {uuid("e.reverses")},
 e.checker, e.leaf_bytes, p.salt, p.content
FROM ledger_entries e LEFT JOIN ledger_private_parts p ON p.book_id = e.book_id AND p.entry_id = e.entry_id
WHERE e.book_id = :book AND e.seq > :first ORDER BY e.seq LIMIT {PAGE}
"""  # noqa: S608 - the words are this module's own
        self._legs = f"""
SELECT e.seq, p.leg, p.account_id, p.unit, p.amount, p.n, p.balance_after, {words.day.format("p.expires_on")},
 p.seq = e.seq AND p.posted_at = e.posted_at
FROM ledger_entries e CROSS JOIN ledger_postings p
WHERE e.book_id = :book AND e.seq > :first AND e.seq <= :last AND p.book_id = e.book_id AND p.entry_id = e.entry_id
ORDER BY e.seq, p.leg
"""  # noqa: S608
        self._balances = f"""
SELECT account_id, unit, n, balance, {at("last_at")}, {words.day.format("next_expiry_on")}
FROM ledger_balances WHERE book_id = :book
"""  # noqa: S608
        self._reversed = f"""
SELECT DISTINCT {uuid("reverses")} FROM ledger_entries WHERE book_id = :book AND reverses IS NOT NULL
"""  # noqa: S608

    def pages(self) -> Iterator[tuple[list[EntryRow], dict[int, list[LegRow]]]]:
        """Yield the entries in the order of their numbers with their legs, a page at a time: memory stays bounded."""
        last = _BEFORE_ALL
        while True:
            entries = list(map(_entry_row, self._all(self._entries, first=last)))
            if not entries:
                return
            rows = map(_leg_row, self._all(self._legs, first=last, last=entries[-1].seq))
            yield entries, {seq: list(legs) for seq, legs in groupby(rows, itemgetter(0))}
            last = entries[-1].seq

    def balances(self) -> list[tuple[int, int, int, int, str | None, str]]:
        """Return account, unit, n, balance, the last line's instant and the next expiry of every balance row."""
        return self._all(self._balances)

    def reversed_ids(self) -> set[str]:
        """Return the entries that others say they reverse."""
        return {row[0] for row in self._all(self._reversed)}

    def count(self, what: str) -> int:
        """Return the one number that a statement about the book answers with."""
        [(number,)] = self._all(what)
        return int(number)

    def _all(self, statement: str, **values: int) -> list[Any]:
        given = {"book": self._book, **values}
        if self._is_sqlite:
            rows: list[Any] = self._raw.execute(statement, given).fetchall()
            return rows
        named = statement
        for name in given:
            named = named.replace(f":{name}", f"%({name})s")
        return list(self._raw.execute(named, given, binary=True).fetchall())
