"""The floor of posting: an award as bare statements of the same rows, in tables without triggers and foreign keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult

from moralbank import ids
from moralbank.ledger import models
from scripts.bench_floor import Plain

_COPIED = (models.balances, models.entries, models.postings, models.keys)


def make_tables(plain: Plain, book: int, residents: Sequence[int]) -> None:
    """Make the ledger's tables once more with their columns, keys and indexes alone."""
    bare = sa.MetaData()
    balances, *_ = [_bare_copy(table, bare) for table in _COPIED]
    empty = {"book_id": book, "unit": 1, "n": 0, "balance": 0, "last_at": None}
    with plain.writing() as db:
        bare.create_all(db)
        db.execute(balances.insert(), [empty | {"account_id": account} for account in residents])


def _bare_copy(table: sa.Table, into: sa.MetaData) -> sa.Table:
    columns = [
        sa.Column(
            column.name,
            column.type,
            primary_key=column.primary_key,
            nullable=column.nullable,
            server_default=column.server_default.arg if isinstance(column.server_default, sa.DefaultClause) else None,
            autoincrement=False,
        )
        for column in table.columns
    ]
    unique = [
        sa.UniqueConstraint(*(column.name for column in constraint.columns))
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    indexes = [
        sa.Index(f"bare_{index.name}", *(column.name for column in index.columns), unique=index.unique)
        for index in table.indexes
    ]
    return sa.Table(table.name.replace("ledger_", "bare_"), into, *columns, *unique, *indexes)


class BareLoop:
    """UPDATE … RETURNING the balance, two INSERTs of postings, one of the entry, one of the key, COMMIT."""

    def __init__(self, plain: Plain, book: int, issuer: int) -> None:
        self._plain, self._book, self._issuer = plain, book, issuer

    def award(self, resident: int, serial: int) -> None:
        with self._plain.writing() as db:
            self._statements(db, resident, serial)

    def _statements(self, db: Connection, resident: int, serial: int) -> None:
        now, entry_id, book = datetime.now(UTC), ids.new_id(), self._book
        is_sqlite = self._plain.is_sqlite
        entry, at = (entry_id.hex, f"{now:%Y-%m-%d %H:%M:%S.%f}") if is_sqlite else (entry_id, now)

        def run(statement: str, *values: object) -> CursorResult[tuple[int, int]]:
            return db.exec_driver_sql(statement if is_sqlite else statement.replace("?", "%s"), values)

        moved = run(
            "UPDATE bare_balances SET n = n + 1, balance = balance + 1, last_at = ? "
            "WHERE book_id = ? AND account_id = ? AND unit = 1 RETURNING n, balance",
            at, book, resident,
        )  # fmt: skip
        n, balance = moved.one()
        for leg in ((0, self._issuer, 1, -1, None, None), (1, resident, 1, 1, n, balance)):
            run(
                "INSERT INTO bare_postings (book_id, entry_id, leg, account_id, unit, amount, n, balance_after, seq, "
                "posted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                book, entry, *leg, serial, at,
            )  # fmt: skip
        leaf = b'{"at":"2026-11-21T07:23:30.559695Z","book":1,"id":"' + entry_id.hex.encode() + b'"}' + b" " * 150
        run(
            "INSERT INTO bare_entries (book_id, entry_id, seq, kind, actor, occurred_on, posted_at, leaf_bytes) "
            "VALUES (?, ?, ?, 'award', 'staff:1', '2026-11-21', ?, ?)",
            book, entry, serial, at, leaf,
        )  # fmt: skip
        run(
            "INSERT INTO bare_keys (book_id, actor, key, fingerprint, entry_id) VALUES (?, 'staff:1', ?, ?, ?)",
            book, f"bench:{serial}", leaf[:32], entry,
        )  # fmt: skip
