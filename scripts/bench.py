"""Side by side in one run: posting against a bare INSERT+UPDATE loop of the same rows, on each engine.

Both loops keep the disk waiting for every commit. Rounds alternate, so that a slow minute of the machine meets both;
what is quoted is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from moralbank import db, ids, ledger
from moralbank.ledger import AccountKind, Draft, Leg, Unit, models
from scripts.bench_http import CLIENTS, ChargingBench
from tests import _postgres

ROUNDS = 5
SECONDS = 1.5
RESIDENTS = 400


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--seconds", type=float, default=SECONDS)
    chosen = options.parse_args()
    print(f"Python {sys.version.split()[0]}, SQLAlchemy {sa.__version__}; {chosen.rounds} rounds of {chosen.seconds} s")
    print("| what | engine | clients | floor /s | ours /s | ratio: median (min–max) |")
    print("|---|---|---|---|---|---|")
    for name, engine in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        with engine() as url:
            db.migrate(url)
            bench = PostingBench(url)
            for clients in (1, 8):
                rows = [bench.round(clients, chosen.seconds) for _ in range(chosen.rounds)]
                bare, post = (statistics.median(column) for column in zip(*rows, strict=True))
                _row("ledger.post / bare loop", name, clients, bare, post, [mine / floor for floor, mine in rows])
            bench.close()
        with engine() as url:
            db.migrate(url)
            charging = ChargingBench(url)
            _row("HTTP charge / bare route", name, CLIENTS, *charging.run(chosen.rounds))
            charging.close()


def _row(what: str, engine: str, clients: int, floor: float, ours: float, ratios: list[float]) -> None:
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    print(f"| {what} | {engine} | {clients} | {floor:,.0f} | {ours:,.0f} | {spread} |", flush=True)


@contextmanager
def _sqlite() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="moralbank-bench-")
    yield f"sqlite:///{folder}/bench.db"
    shutil.rmtree(folder)


@contextmanager
def _postgresql() -> Iterator[str]:
    cluster = _postgres.start(Path(tempfile.mkdtemp(prefix="moralbank-bench-pg-")), is_durable=True)
    yield cluster.create_database("bench")
    cluster.stop()


def _bare_copy(table: sa.Table, into: sa.MetaData) -> sa.Table:
    """Return the ledger's table with its columns, keys and indexes, but without triggers and foreign keys."""
    columns = [
        sa.Column(
            column.name, column.type, primary_key=column.primary_key, nullable=column.nullable, autoincrement=False
        )
        for column in table.columns
    ]
    unique = [
        sa.UniqueConstraint(*(column.name for column in constraint.columns))
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    indexes = [sa.Index(f"bare_{index.name}", *(column.name for column in index.columns)) for index in table.indexes]
    return sa.Table(table.name.replace("ledger_", "bare_"), into, *columns, *unique, *indexes)


class PostingBench:
    """Awards of one point to residents in turn: through ledger.post, and as bare statements of the same rows."""

    def __init__(self, url: str) -> None:
        self.database = db.Database(url)
        self.is_sqlite = self.database.is_sqlite
        self.book = self.database.transact(ledger.open_book, "bench", "Bench")
        kinds = [AccountKind.RESIDENT] * RESIDENTS
        self.residents = self.database.transact(ledger.open_accounts, self.book, kinds)
        with self.database.reading() as reading:
            self.issuer = ledger.internal_account(reading, self.book, AccountKind.ISSUER)
        self.serial = 0
        self._lock = threading.Lock()
        self.database.transact(self._make_bare_tables)

    def _make_bare_tables(self, connection: sa.Connection) -> None:
        if not self.is_sqlite:
            connection.exec_driver_sql("RESET ROLE")
        bare = sa.MetaData()
        ledgers = (models.balances, models.entries, models.postings, models.keys)
        balances, *_ = [_bare_copy(table, bare) for table in ledgers]
        bare.create_all(connection)
        empty = {"book_id": self.book, "unit": 1, "n": 0, "balance": 0, "last_at": None}
        connection.execute(balances.insert(), [empty | {"account_id": account} for account in self.residents])
        if not self.is_sqlite:
            for table in bare.tables:
                connection.exec_driver_sql(f"GRANT ALL ON {table} TO PUBLIC")
            connection.exec_driver_sql(f"SET ROLE {db.APP_ROLE}")

    def round(self, clients: int, seconds: float) -> tuple[float, float]:
        """Return (bare loop, ledger.post) in postings per second."""
        return self._rate(self._bare, clients, seconds), self._rate(self._post, clients, seconds)

    def _rate(self, act: Callable[[int], None], clients: int, seconds: float) -> float:
        done = [0] * clients
        until = time.perf_counter() + seconds

        def run(client: int) -> None:
            while time.perf_counter() < until:
                act(self._next())
                done[client] += 1

        threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / (time.perf_counter() - started)

    def _next(self) -> int:
        with self._lock:
            self.serial += 1
            return self.serial

    def _post(self, serial: int) -> None:
        resident = self.residents[serial % RESIDENTS]
        legs = (Leg(self.issuer, Unit.POINTS, -1), Leg(resident, Unit.POINTS, 1))
        self.database.transact(ledger.post, Draft(self.book, "award", legs, f"bench:{serial}", "staff:1"))

    def _bare(self, serial: int) -> None:
        self.database.transact(self._bare_statements, serial)

    def _bare_statements(self, connection: sa.Connection, serial: int) -> None:
        mark = "?" if self.is_sqlite else "%s"
        now = datetime.now(UTC)
        entry_id = ids.new_id()
        entry, at = (entry_id.hex, f"{now:%Y-%m-%d %H:%M:%S.%f}") if self.is_sqlite else (entry_id, now)
        resident, book = self.residents[serial % RESIDENTS], self.book

        def run(statement: str, *values: object) -> sa.CursorResult:
            return connection.exec_driver_sql(statement.replace("?", mark), values)

        moved = run(
            "UPDATE bare_balances SET n = n + 1, balance = balance + 1, last_at = ? "
            "WHERE book_id = ? AND account_id = ? AND unit = 1 RETURNING n, balance",
            at, book, resident,
        )  # fmt: skip
        n, balance = moved.one()
        for leg in ((0, self.issuer, 1, -1, None, None), (1, resident, 1, 1, n, balance)):
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

    def close(self) -> None:
        self.database.dispose()


if __name__ == "__main__":
    main()
