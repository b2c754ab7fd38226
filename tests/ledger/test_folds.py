"""Running totals of summed accounts: right at every instant, wherever the log was folded, whoever posts meanwhile."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import Unit, folds, jobs, models
from tests.ledger.conftest import Book

START = datetime(2026, 3, 1, 2, 0, tzinfo=clock.TIMEZONE)


def shop_holds(database: Database, book: Book, at: datetime | None = None) -> int:
    with database.reading() as db:
        return ledger.balance(db, book.book, book.shop, Unit.POINTS, at).balance


def fold_all(database: Database, book: Book) -> int:
    through = database.transact(folds.settled_seq, book.book)
    return database.transact(folds.fold, book.book, through, 0)


def spend(database: Database, book: Book, hours: int, points: int = 1) -> None:
    with clock.at(START + timedelta(hours=hours)):
        database.transact(ledger.post, book.redemption(f"r{hours}", book.qiang, points))


def open_purse(database: Database, book: Book) -> None:
    with clock.at(START):
        database.transact(ledger.post, book.award("a", book.qiang, 1000))


def test_a_balance_is_the_same_wherever_the_log_was_folded(database: Database, book: Book) -> None:
    open_purse(database, book)
    for hours in range(1, 13):
        spend(database, book, hours, points=hours)
        if hours % 4 == 0:
            assert fold_all(database, book) >= 1
        assert shop_holds(database, book) == sum(range(hours + 1))
    for hours in range(13):
        assert shop_holds(database, book, START + timedelta(hours=hours)) == sum(range(hours + 1))
        assert shop_holds(database, book, START + timedelta(hours=hours, minutes=-1)) == sum(range(hours))


def test_a_clock_that_was_set_back_does_not_mislead_a_past_balance(database: Database, book: Book) -> None:
    open_purse(database, book)
    with clock.at(START + timedelta(hours=5)):
        database.transact(ledger.post, book.award("b", book.guiying, 10))
    spend(database, book, 6, points=3)
    with clock.at(START + timedelta(hours=5)):
        database.transact(ledger.post, book.redemption("r", book.guiying, 2))
    fold_all(database, book)
    assert shop_holds(database, book, START + timedelta(hours=5, minutes=30)) == 2
    assert shop_holds(database, book, START + timedelta(hours=6)) == 5


def test_a_short_tail_is_left_and_folding_twice_folds_once(database: Database, book: Book) -> None:
    open_purse(database, book)
    spend(database, book, 1)
    assert jobs.fold_books(database) == 0
    assert fold_all(database, book) > 0
    assert fold_all(database, book) == 0


def test_a_balance_reads_no_more_than_the_tail(database: Database, book: Book) -> None:
    """What stands before the fold may be anything: it isn't looked at."""
    open_purse(database, book)
    spend(database, book, 1, points=7)
    fold_all(database, book)
    with database.engine.begin() as db:
        if not database.is_sqlite:
            db.exec_driver_sql("RESET ROLE")
        db.execute(models.folds.update().where(models.folds.c.account_id == book.shop).values(total=70))
    spend(database, book, 2, points=1)
    assert shop_holds(database, book) == 71
    with database.engine.begin() as db:
        db.execute(models.folds.delete())
    assert shop_holds(database, book) == 8


@pytest.mark.parametrize(
    "change", [{"total": 8}, {"through_seq": 99}, {"through_seq": 1}, {"last_at": START}, {"unit": 2}]
)
def test_a_fold_that_was_altered_is_found(database: Database, book: Book, change: dict[str, object]) -> None:
    open_purse(database, book)
    spend(database, book, 1, points=7)
    fold_all(database, book)
    with database.reading() as db:
        assert ledger.verify(db, book.book).is_sound
    mine = models.folds.c.account_id == book.shop
    with database.engine.begin() as db:
        db.execute(models.folds.update().where(mine).values(**change))
    with database.reading() as db:
        fault = ledger.verify(db, book.book).first_fault
    assert fault is not None
    assert (fault.what, fault.account) == ("a running total does not follow from the lines", book.shop)
    with database.engine.begin() as db:
        db.execute(models.folds.delete())


def test_no_line_is_lost_to_a_fold_while_many_post(database: Database, book: Book) -> None:
    """A number that is drawn before the fold and committed after it would be left out for good."""
    for who in (book.guiying, book.qiang):
        database.transact(ledger.post, book.award(f"a{who}", who, 1000))
    payers = [
        threading.Thread(target=spend_often, args=(database, book, name, who))
        for name, who in zip("abcd", (book.guiying, book.qiang) * 2, strict=True)
    ]
    for payer in payers:
        payer.start()
    while any(payer.is_alive() for payer in payers):
        fold_all(database, book)
    for payer in payers:
        payer.join()
    fold_all(database, book)
    assert shop_holds(database, book) == 100
    with database.reading() as db:
        assert ledger.verify(db, book.book).is_sound


def spend_often(database: Database, book: Book, name: str, payer: int) -> None:
    for number in range(25):
        database.transact(ledger.post, book.redemption(f"{name}{number}", payer, 1))
