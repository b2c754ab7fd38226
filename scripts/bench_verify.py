"""Verifying a large book beside a bare loop over the same rows, and what an award takes on disk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from moralbank import db, ledger
from moralbank.ledger import Report
from scripts.bench_engines import POSTGRESQL, Engines
from scripts.bench_flat import Books
from scripts.bench_grown import BATCH, Grown, analyse
from scripts.bench_table import Family, Measure, Row

_TABLES = ("ledger_keys", "ledger_entries", "ledger_postings", "ledger_balances", "ledger_private_parts")
_AT_ONCE = 2_000


def families(engines: Engines, books: Books, engine: str, awards: int) -> Iterator[Family]:
    name = f"verify every invariant, {books.sizes[-1]:,} entries"
    rows = (
        Row(f"{name}, rows", "verified", None, 120_000, unit="/s"),
        Row(f"{name} / a loop that reads the same rows and hashes the leaves", "verified", "hashed", None, 0.5),
    )
    yield Family("verify", engine, rows, partial(_verifying, books), warms_up=False, rounds_max=2)
    wanted, goal = (900, 500) if engine == POSTGRESQL else (None, None)
    disk = (
        Row("award of points and minutes on disk, with all indexes", "award", None, wanted, goal, "B", at_most=True),
        Row("redemption on disk, with all indexes", "redemption", None, None, None, "B", at_most=True),
    )
    yield Family("disk", engine, disk, partial(_weighing, engines, engine, awards), warms_up=False, rounds_max=1)


@contextmanager
def _verifying(books: Books) -> Iterator[tuple[Measure, ...]]:
    grown = books.of(books.sizes[-1])
    yield (
        Measure(("hashed",), lambda: (_hash_rate(grown),)),
        Measure(("verified",), lambda: (_verify_rate(grown),)),
    )


def _verify_rate(grown: Grown) -> float:
    """Return the rows of the book that are checked in a second."""
    with grown.database.reading() as connection:
        started = time.perf_counter()
        report = ledger.verify(connection, grown.book)
        seconds = time.perf_counter() - started
    if not report.is_sound:
        raise RuntimeError(f"the bench's own book is broken: {report.first_fault}")
    return _rows(report) / seconds


def _rows(report: Report) -> int:
    return report.entries + report.postings + report.keys + report.private_parts + report.accounts


def _hash_rate(grown: Grown) -> float:
    """Return the rows of the same tables that a loop reads in a second, which hashes each leaf that it meets."""
    rows = 0
    with grown.database.reading() as connection:
        raw: Any = connection.connection.driver_connection
        started = time.perf_counter()
        for table in _TABLES:
            # A server's cursor on PostgreSQL, so that neither side holds the whole book in memory.
            cursor = raw.cursor() if grown.database.is_sqlite else raw.cursor(name=table, binary=True)
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - names of our own
            leaf = next((place for place, column in enumerate(cursor.description) if column[0] == "leaf_bytes"), None)
            while page := cursor.fetchmany(_AT_ONCE):
                rows += len(page)
                if leaf is not None:
                    for row in page:
                        hashlib.sha256(b"\x00" + row[leaf]).digest()
            cursor.close()
        return rows / (time.perf_counter() - started)


@contextmanager
def _weighing(engines: Engines, engine: str, awards: int) -> Iterator[tuple[Measure, ...]]:
    with closing(Grown(engines.database(engine), 0)) as grown:
        yield (
            Measure(("award",), lambda: (_weigh(grown, grown.awards(awards), awards),)),
            Measure(("redemption",), lambda: (_weigh(grown, grown.redemptions(awards), awards),)),
        )


def _weigh(grown: Grown, drafts: Iterator[ledger.Draft], number: int) -> float:
    """Return the bytes by which the database grows with each of the entries."""
    before = _bytes(grown.database)
    for first in range(0, number, BATCH):
        batch = [next(drafts) for _ in range(min(BATCH, number - first))]
        grown.database.transact(ledger.post_many, batch)
        if first == 0:
            analyse(grown.database)
    return (_bytes(grown.database) - before) / number


def _bytes(database: db.Database) -> int:
    with database.reading() as connection:
        if database.is_sqlite:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        sizes = ", ".join(f"pg_total_relation_size('{table}')" for table in _TABLES)
        return int(sum(connection.exec_driver_sql(f"SELECT {sizes}").one()))
