"""Many at once: exactly what fits is spent, every refusal is clean, and the book closes (the fixture checks that)."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from moralbank import ledger
from moralbank.db import Database
from moralbank.ledger import Posted, Unit
from tests.ledger.conftest import Book

THREADS = 32
PROCESSES = 4
TRIES_PER_PROCESS = 30


def spend(database: Database, book: Book, key: str, points: int) -> str:
    """Spend as a verb that joins others, every third time as an act of its own."""
    draft = book.redemption(key, book.guiying, points)
    try:
        if hash(key) % 3:
            database.join(ledger.post_many, draft)
        else:
            database.transact(ledger.post, draft)
    except ledger.InsufficientBalance as refusal:
        return refusal.code
    return "posted"


@pytest.mark.parametrize("commit_most", [1, 2, 7, 32, 512])
def test_32_threads_spend_one_balance_to_the_point(database: Database, book: Book, commit_most: int) -> None:
    """Whether writes share a commit, and with how many, changes nothing about what they come to."""
    database = Database(database.engine.url.render_as_string(hide_password=False), commit_most=commit_most)
    database.transact(ledger.post, book.award("a", book.guiying, 100))
    together = Barrier(THREADS)

    def run(thread: int) -> list[str]:
        together.wait()
        return [spend(database, book, f"r{thread}-{n}", 3) for n in range(3)]

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = [outcome for part in pool.map(run, range(THREADS)) for outcome in part]

    assert outcomes.count("posted") == 33
    assert outcomes.count("insufficient-balance") == THREADS * 3 - 33
    with database.reading() as db:
        assert book.points_of(db, book.guiying) == 1
        assert ledger.balance(db, book.book, book.shop, Unit.POINTS).balance == 99
    database.dispose()


def _spend_in_a_process(url: str, book: Book, process: int, outcomes) -> None:
    database = Database(url)
    outcomes.put([spend(database, book, f"p{process}-{n}", 3) for n in range(TRIES_PER_PROCESS)])
    database.dispose()


def test_4_processes_spend_one_balance_to_the_point(database: Database, database_url: str, book: Book) -> None:
    database.transact(ledger.post, book.award("a", book.guiying, 200))
    context = multiprocessing.get_context("spawn")
    outcomes = context.Queue()
    workers = [
        context.Process(target=_spend_in_a_process, args=(database_url, book, process, outcomes))
        for process in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    found = [outcome for _ in workers for outcome in outcomes.get(timeout=120)]
    for worker in workers:
        worker.join()

    assert found.count("posted") == 66
    assert found.count("insufficient-balance") == PROCESSES * TRIES_PER_PROCESS - 66
    with database.reading() as db:
        assert book.points_of(db, book.guiying) == 2


def test_one_key_sent_by_16_threads_has_one_effect(database: Database, book: Book) -> None:
    together = Barrier(16)

    def run(_: int) -> Posted:
        together.wait()
        return database.transact(ledger.post, book.award("same", book.guiying, 7, source=("attendance", "1:1")))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(run, range(16)))

    assert len({answer.entry_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    with database.reading() as db:
        assert book.points_of(db, book.guiying) == 7


def test_one_source_posted_by_many_under_different_keys_has_one_effect(database: Database, book: Book) -> None:
    together = Barrier(16)

    def run(thread: int) -> str:
        together.wait()
        try:
            draft = book.award(f"k{thread}", (book.guiying, book.qiang)[thread % 2], 7, source=("attendance", "1:1"))
            database.transact(ledger.post, draft)
        except ledger.SourcePosted as refusal:
            return refusal.code
        return "posted"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(run, range(16)))
    assert outcomes.count("posted") == 1
    assert outcomes.count("source-posted") == 15


def test_16_threads_reverse_one_entry_once(database: Database, book: Book) -> None:
    posted = database.transact(ledger.post, book.award("a", book.guiying, 7))
    database.transact(ledger.post, book.award("b", book.guiying, 500))
    together = Barrier(16)

    def run(thread: int) -> str:
        together.wait()
        try:
            database.transact(
                ledger.reverse, book.book, posted.entry_id, key=f"v{thread}", actor="staff:1", checker="staff:99"
            )
        except ledger.AlreadyReversed as refusal:
            return refusal.code
        return "posted"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(run, range(16)))
    assert outcomes.count("posted") == 1


def test_two_accounts_moved_in_opposite_order_never_deadlock(database: Database, book: Book) -> None:
    """Gifts both ways at once: the locks are taken in one order whatever the order of the legs."""
    database.transact(ledger.post_many, [book.award("a", book.guiying, 500), book.award("b", book.qiang, 500)])
    together = Barrier(8)

    def run(thread: int) -> None:
        giver, taker = (book.guiying, book.qiang)[:: 1 if thread % 2 else -1]
        together.wait()
        for n in range(10):
            legs = (ledger.Leg(giver, Unit.POINTS, -1), ledger.Leg(taker, Unit.POINTS, 1))
            database.transact(ledger.post, ledger.Draft(book.book, "gift", legs, f"g{thread}-{n}", "resident:1"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    with database.reading() as db:
        assert book.points_of(db, book.guiying) + book.points_of(db, book.qiang) == 1000


def test_a_day_is_closed_between_postings_and_never_under_one(database: Database, book: Book) -> None:
    from moralbank import clock

    together = Barrier(9)

    def run(thread: int) -> None:
        together.wait()
        if thread == 0:
            database.transact(ledger.close_day, book.book, clock.today())
            return
        for n in range(5):
            try:
                database.transact(ledger.post, book.award(f"d{thread}-{n}", book.guiying, 1))
            except ledger.DayClosed:
                return

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(run, range(9)))
