"""What posting and sealing ask of PostgreSQL is found by keys, whatever the server knew when it made its plans."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, leaves, rows_postgresql
from moralbank.wire import Words
from tests.ledger.conftest import Book

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def read_so_far(db: Connection) -> int:
    """Return how many rows this transaction has read of tables."""
    tables = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
    return int(db.exec_driver_sql(tables).scalar_one())


@pytest.mark.parametrize("name", ["_LOCK", "_LOOK", "_APPEND"])
def test_no_plan_reads_a_book_whole_for_a_few(database: Database, book: Book, name: str) -> None:
    words: Words = getattr(rows_postgresql, name)
    database.transact(ledger.open_accounts, book.book, [AccountKind.RESIDENT] * 500)
    with database.engine.connect() as db:
        # As in a new bank, which nobody has analysed yet.
        driver = db.connection.driver_connection
        plan = driver.execute(b"EXPLAIN (GENERIC_PLAN, COSTS OFF) " + words.text).fetchall()
    lines = [line.strip() for (line,) in plan]
    assert any("Index" in line for line in lines)
    for way in ("Seq Scan", "Bitmap", "Hash Join", "Merge Join"):
        assert not [line for line in lines if way in line], plan


def test_leaves_of_several_spans_are_asked_for_in_one_statement_and_found_by_their_numbers(
    database: Database, book: Book
) -> None:
    accounts = database.transact(ledger.open_accounts, book.book, [AccountKind.RESIDENT] * 1_000)
    database.transact(ledger.post_many, [book.award(f"{account}", account, 1) for account in accounts])
    spans = [(3, 5), (900, ledger.ENDLESS)]
    with database.reading() as db:
        # A statement sees one snapshot, also where the transaction has none.
        asked = [{"book": book.book, "low": low, "high": high, "most": 10} for low, high in spans]
        assert len(leaves._LEAVES.calls(db, asked)) == 1
        before = read_so_far(db)
        found = ledger.list_leaves(db, book.book, spans, 10)
        assert read_so_far(db) - before == 13, "of each span no more than are wanted at the most"
    assert [number for number, _ in found] == [3, 4, 5, *range(900, 907)]


def test_a_connection_that_planned_for_a_small_book_reads_no_more_of_a_large_one(
    database: Database, book: Book
) -> None:
    def read_by(key: str) -> int:
        def post(db: Connection) -> int:
            before = read_so_far(db)
            ledger.post(db, book.award(key, book.guiying, 1))
            return read_so_far(db) - before

        return database.transact(post)

    first = read_by("small")
    accounts = database.transact(ledger.open_accounts, book.book, [AccountKind.RESIDENT] * 300)
    database.transact(ledger.post_many, [book.award(f"{account}", account, 1) for account in accounts])
    assert read_by("large") <= first + 5
