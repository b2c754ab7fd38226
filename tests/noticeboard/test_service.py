"""Days are closed and sealed: each once, in order, none forgotten, with what it came to."""

from __future__ import annotations

import json
import threading
from datetime import date

import pytest

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import DayClosed, Draft, KindTotals, Leg, Posted, Unit
from moralbank.noticeboard import jobs, queries, service
from moralbank.noticeboard.values import Day
from moralbank.transparency import Log, facts
from tests.ledger.conftest import Book, open_test_book
from tests.noticeboard.conftest import at


def post(database: Database, day: int, *drafts: Draft) -> list[Posted]:
    with clock.at(at(day)):
        verdicts = database.transact(ledger.post_many, drafts)
    assert all(isinstance(verdict, Posted) for verdict in verdicts), verdicts
    return verdicts


def sealed(database: Database, book: Book) -> list[Day]:
    with database.reading() as db:
        return queries.list_days(db, book.book)[::-1]


def test_a_day_is_sealed_an_hour_after_it_ended_and_once(database: Database, book: Book):
    post(database, 2, book.award("a", book.guiying, 25))
    with clock.at(at(3, 0, 59)):
        assert jobs.seal_days(database) == 0
    with clock.at(at(3, 1)):
        assert jobs.seal_days(database) == 1
        assert jobs.seal_days(database) == 0

    assert [day.day for day in sealed(database, book)] == [date(2026, 3, 2)]


def test_what_the_day_came_to_stands_in_its_leaf(database: Database, book: Book):
    award = book.award("a", book.guiying, 25, minutes=150)
    _, _, service_entry = post(
        database, 2, award, book.award("b", book.qiang, 30), book.award("c", book.qiang, 5, minutes=60)
    )
    post(database, 2, book.redemption("d", book.guiying, 10), book.redemption("e", book.qiang, 20))
    with clock.at(at(3)):
        database.transact(ledger.reverse, book.book, service_entry.entry_id, key="f", actor="staff:1", kind="undo")
        gift = (Leg(book.guiying, Unit.POINTS, -4), Leg(book.qiang, Unit.POINTS, 4))
        database.transact(ledger.post, Draft(book.book, "gift", gift, "g", "resident:3"))
    with clock.at(at(4, 2)):
        assert jobs.seal_days(database) == 2

    second, third = sealed(database, book)
    assert second.kinds == (KindTotals("award", 3, 60, 0, 210, 0), KindTotals("redemption", 2, 0, 30, 0, 0))
    assert (second.entries, second.issued_points, second.redeemed_points) == (5, 60, 30)
    assert (second.outstanding_points, second.outstanding_minutes) == (30, 210)
    assert third.kinds == (KindTotals("gift", 1, 4, 4, 0, 0), KindTotals("undo", 1, 0, 5, 0, 60))
    assert (third.outstanding_points, third.outstanding_minutes, third.served_minutes) == (25, 150, -60)
    with database.reading() as db:
        held = sum(book.points_of(db, account) for account in (book.guiying, book.qiang))
        [(_, leaf), *_] = facts.list_leaves(db, book.book, Log.LEDGER, 1, 10)
    assert held == third.outstanding_points
    said = json.loads(leaf)
    assert said["k"] == "snap"
    assert said["day"] == "2026-03-02"
    assert said["kinds"]["award"] == {"n": 3, "pi": 60, "po": 0, "mi": 210, "mo": 0}


def test_missed_days_are_made_up_for_oldest_first_and_quiet_days_are_sealed_too(database: Database, book: Book):
    post(database, 2, book.award("a", book.guiying, 25))
    post(database, 5, book.award("b", book.guiying, 10))
    with clock.at(at(8, 2)):
        assert jobs.seal_days(database) == 6

    days = sealed(database, book)
    assert [day.day.day for day in days] == [2, 3, 4, 5, 6, 7]
    assert [day.entries for day in days] == [1, 0, 0, 1, 0, 0]
    assert [day.outstanding_points for day in days] == [25, 25, 25, 35, 35, 35]


def test_a_book_without_an_entry_has_nothing_to_seal(database: Database, book: Book):
    with clock.at(at(9)):
        assert jobs.seal_days(database) == 0


def test_books_are_sealed_each_for_itself(database: Database, book: Book):
    other = database.transact(open_test_book, "XX-00")
    post(database, 2, book.award("a", book.guiying, 25))
    post(database, 3, other.award("a", other.guiying, 7))
    with clock.at(at(4, 2)):
        assert jobs.seal_days(database) == 3

    assert [day.outstanding_points for day in sealed(database, book)] == [25, 25]
    assert [day.outstanding_points for day in sealed(database, other)] == [7]


def test_after_a_long_stop_a_run_ends_somewhere_and_the_next_goes_on(
    database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "DAYS_MAX", 3)
    post(database, 2, book.award("a", book.guiying, 25))
    with clock.at(at(7, 2)):
        assert [jobs.seal_days(database) for _ in range(3)] == [3, 2, 0]


def test_nothing_is_posted_into_a_sealed_day(database: Database, book: Book):
    post(database, 2, book.award("a", book.guiying, 25))
    with clock.at(at(3, 2)):
        jobs.seal_days(database)

    with clock.at(at(2, 23)):
        [verdict] = database.transact(ledger.post_many, [book.award("late", book.guiying, 5)])

    assert isinstance(verdict, DayClosed)


def test_an_entry_about_an_earlier_day_is_of_the_day_on_which_it_is_posted(database: Database, book: Book):
    post(database, 2, book.award("a", book.guiying, 25))
    with clock.at(at(3, 2)):
        jobs.seal_days(database)
    post(database, 3, book.award("late", book.guiying, 5, occurred_on=date(2026, 3, 2)))
    with clock.at(at(4, 2)):
        jobs.seal_days(database)

    assert [day.entries for day in sealed(database, book)] == [1, 1]


def test_a_day_that_was_closed_by_hand_is_sealed_all_the_same(database: Database, book: Book):
    post(database, 2, book.award("a", book.guiying, 25))
    with clock.at(at(3)):
        database.transact(ledger.close_day, book.book, date(2026, 3, 3))
    with clock.at(at(4, 2)):
        assert jobs.seal_days(database) == 2


def test_two_who_seal_at_once_seal_each_day_once(database: Database, book: Book):
    post(database, 2, book.award("a", book.guiying, 25))
    sealed_days: list[date | None] = []

    def run() -> None:
        with clock.at(at(6, 2)):
            sealed_days.extend(database.transact(service.seal_next_day, book.book) for _ in range(4))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(day.day for day in sealed_days if day) == [2, 3, 4, 5]
    with database.reading() as db:
        assert facts.find_last(db, book.book, Log.LEDGER) == 4
