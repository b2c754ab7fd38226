"""What a book tells: balances now and in the past, lines by the page, entries by any filter, the trial balance."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import EntryFilter, Unit, models, reading
from tests.ledger.conftest import Book, open_test_book

START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)


@pytest.fixture
def filled(database: Database, book: Book) -> Book:
    """Thirty awards of 1 to 30 points to Guiying, one an hour, each fifth followed by a redemption of two."""
    for n in range(1, 31):
        drafts = [book.award(f"a{n}", book.guiying, n, branch=n % 3 + 1, rule=("V01", 1), grade="AB"[n % 2])]
        if n % 5 == 0:
            drafts.append(book.redemption(f"r{n}", book.guiying, 2, branch=9))
        with clock.at(START + timedelta(hours=n)):
            database.transact(ledger.post_many, drafts)
    return book


def test_a_past_balance_is_the_sum_of_the_lines_until_then(database: Database, filled: Book) -> None:
    with database.reading() as db:
        lines = ledger.history(db, filled.book, filled.guiying, Unit.POINTS, limit=1000)
        for at in (START, *(START + timedelta(hours=n) for n in (1, 4, 5, 17, 30)), START + timedelta(days=90)):
            standing = ledger.balance(db, filled.book, filled.guiying, Unit.POINTS, at)
            until = [line for line in lines if line.posted_at <= at]
            assert (standing.balance, standing.n) == (sum(line.amount for line in until), len(until))


def test_a_past_balance_of_a_summed_account_is_told_too(database: Database, filled: Book) -> None:
    with database.reading() as db:
        assert ledger.balance(db, filled.book, filled.shop, Unit.POINTS, START + timedelta(hours=10)).balance == 4
        assert ledger.balance(db, filled.book, filled.issuer, Unit.POINTS).balance == -sum(range(31))


def test_a_balance_in_the_future_is_refused_and_not_silently_todays(database: Database, filled: Book) -> None:
    """formance #1416."""
    with database.reading() as db, pytest.raises(ledger.BadDraft):
        ledger.balance(db, filled.book, filled.guiying, Unit.POINTS, clock.now() + timedelta(minutes=1))


def test_an_account_that_is_not_there_is_named(database: Database, filled: Book) -> None:
    with database.reading() as db, pytest.raises(ledger.UnknownAccount):
        ledger.balance(db, filled.book, filled.shop + 1, Unit.POINTS)


def test_pages_of_history_join_without_gap_or_repeat(database: Database, filled: Book) -> None:
    seen: list[int] = []
    with database.reading() as db:
        before = None
        while page := ledger.history(db, filled.book, filled.guiying, Unit.POINTS, before_seq=before, limit=7):
            seen += [line.n for line in page]
            before = page[-1].seq
    assert seen == list(range(36, 0, -1))


def test_history_is_bounded(database: Database, filled: Book) -> None:
    for limit in (0, -1, 1001):
        with database.reading() as db, pytest.raises(ledger.BadDraft):
            ledger.history(db, filled.book, filled.guiying, Unit.POINTS, limit=limit)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (EntryFilter(), 36),
        (EntryFilter(kind="redemption"), 6),
        (EntryFilter(branches=[1, 2]), 20),
        (EntryFilter(branches=[]), 0),
        (EntryFilter(grade="A"), 15),
        (EntryFilter(rule="V01"), 30),
        (EntryFilter(rule="V02"), 0),
        (EntryFilter(actor="operator:2"), 6),
        (EntryFilter(since=START + timedelta(hours=29), until=START + timedelta(hours=30)), 1),
        (EntryFilter(kind="award", branches=[1], grade="A"), 5),
    ],
)
def test_entries_are_found_by_any_filter_and_counted_alike(database: Database, filled: Book, which, expected) -> None:
    with database.reading() as db:
        found = ledger.list_entries(db, filled.book, which, limit=1000)
        assert len(found) == expected == ledger.sum_entries(db, filled.book, which).entries
        assert [entry.seq for entry in found] == sorted((entry.seq for entry in found), reverse=True)


def test_entries_of_one_account_are_found(database: Database, filled: Book) -> None:
    with database.reading() as db:
        assert ledger.sum_entries(db, filled.book, EntryFilter(account=filled.shop)).points == 12


def test_the_trial_balance_closes_now_and_at_any_past_instant(database: Database, filled: Book) -> None:
    with database.reading() as db:
        for at in (None, START + timedelta(hours=12, minutes=30)):
            rows = ledger.trial_balance(db, filled.book, at)
            assert rows
            assert sum(row.balance for row in rows) == 0


def test_movements_add_up_a_kind_in_a_window(database: Database, filled: Book) -> None:
    with database.reading() as db:
        moved = ledger.movements(
            db, filled.book, [filled.guiying, filled.qiang], Unit.POINTS, ["redemption"], START + timedelta(hours=10)
        )
    assert moved == {filled.guiying: -10}


def test_a_private_part_is_read_with_its_line_and_is_not_in_the_leaf(database: Database, book: Book) -> None:
    posted = database.transact(ledger.post, book.award("a", book.guiying, 5, private={"activity": "河岸清洁"}))
    with database.reading() as db:
        [line] = ledger.history(db, book.book, book.guiying, Unit.POINTS)
        assert line.private == {"activity": "河岸清洁"}
        assert "河岸" not in ledger.get_entry(db, book.book, posted.entry_id).leaf_bytes.decode()


def test_another_book_shows_no_neighbour(database: Database, filled: Book) -> None:
    other = database.transact(open_test_book, "XX-00")
    with database.reading() as db:
        assert ledger.list_entries(db, other.book, EntryFilter()) == []
        assert ledger.trial_balance(db, other.book) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_balance_and_last_lines_never_read_the_whole_history(database: Database, filled: Book) -> None:
    """hordak #76: each is one probe of an index, whatever the number of lines."""
    last = (
        sa.select(models.postings.c.balance_after)
        .where(*reading._of(models.postings, filled.book, filled.guiying, Unit.POINTS))
        .where(models.postings.c.posted_at <= START)
        .order_by(models.postings.c.posted_at.desc(), models.postings.c.n.desc())
        .limit(1)
    )
    with database.reading() as db:
        text = str(last.compile(db, compile_kwargs={"literal_binds": True}))
        plan = " / ".join(row[3] for row in db.exec_driver_sql("EXPLAIN QUERY PLAN " + text))
    assert "posted_at" in plan
    assert "SCAN" not in plan


def test_a_day_is_the_banks_local_day(database: Database, book: Book) -> None:
    """23:30 in the bank's city is still that evening, although London and the database say 15:30."""
    with clock.at(datetime(2026, 3, 7, 15, 30, tzinfo=UTC)):
        posted = database.transact(ledger.post, book.award("a", book.guiying, 5))
        with database.reading() as db:
            assert ledger.get_entry(db, book.book, posted.entry_id).occurred_on == date(2026, 3, 7)
    with clock.at(datetime(2026, 3, 7, 16, 30, tzinfo=UTC)):
        posted = database.transact(ledger.post, book.award("b", book.guiying, 5))
        with database.reading() as db:
            assert ledger.get_entry(db, book.book, posted.entry_id).occurred_on == date(2026, 3, 8)


def test_open_lots_are_those_of_the_whole_history_at_any_instant(database: Database, book: Book) -> None:
    """Undone charges give back to their lots, and reversed awards take their own, as when every line is read."""
    start = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    acts = [
        lambda db: ledger.post(db, book.award("a1", book.guiying, 10, expires_on=date(2029, 3, 1))),
        lambda db: ledger.post(db, book.award("a2", book.guiying, 10, expires_on=date(2029, 2, 1))),
        lambda db: ledger.post(db, book.redemption("r1", book.guiying, 12)),
        lambda db: reverse_newest(db, book, "redemption", "v1"),
        lambda db: ledger.post(db, book.redemption("r2", book.guiying, 3)),
        lambda db: ledger.post(db, book.award("a3", book.guiying, 5)),
        lambda db: reverse_newest(db, book, "award", "v2"),
    ]
    for hours, act in enumerate(acts):
        with clock.at(start + timedelta(hours=hours)):
            database.transact(act)
    with database.reading() as db:
        lines = ledger.history(db, book.book, book.guiying, Unit.POINTS, newest_first=False)
        assert len(lines) == len(acts)
        for hours in range(len(acts) + 1):
            until = start + timedelta(hours=hours)
            then = [line for line in lines if line.posted_at < until]
            # A reversal to come is not known of a line yet.
            assert ledger.open_lots(db, book.book, book.guiying, Unit.POINTS, until) == ledger.lots(then)


def reverse_newest(db: Connection, book: Book, kind: str, key: str) -> None:
    [newest] = ledger.list_entries(db, book.book, ledger.EntryFilter(kind=kind), limit=1)
    ledger.reverse(db, book.book, newest.entry_id, key=key, actor="staff:1", checker="staff:99")
