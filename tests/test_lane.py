"""Writes that share a commit: each has its own verdict, and none is told before the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import pytest
import sqlalchemy as sa

from moralbank.db import Database
from moralbank.lane import CommitLane, Wish

THREADS = 12


class Refusal(Exception):
    pass


@pytest.fixture
def database(tmp_path) -> Database:
    """A file of its own: what a lane shares on PostgreSQL, it shares here too, with acts besides."""
    database = Database(f"sqlite:///{tmp_path}/lane.db")
    database.transact(lambda db: db.exec_driver_sql("CREATE TABLE notes (text TEXT UNIQUE)"))
    yield database
    database.dispose()


def write(db: sa.Connection, text: str) -> str:
    db.exec_driver_sql("INSERT INTO notes VALUES (?)", (text,))
    return text


def notes(database: Database) -> set[str]:
    with database.reading() as db:
        return set(db.exec_driver_sql("SELECT text FROM notes").scalars())


def gather(database: Database, calls: Sequence[Callable[[], object]]) -> list[Future[object]]:
    """Make all calls while a first write holds the lane, so that they come to share the next commit."""
    holds, goes = threading.Event(), threading.Event()

    def hold(_db: sa.Connection) -> None:
        holds.set()
        goes.wait(10)

    with ThreadPoolExecutor(len(calls) + 1) as pool:
        first = pool.submit(database.transact, hold)
        holds.wait(10)
        futures = [pool.submit(call) for call in calls]
        while len(database._lane._waiting) < len(calls):
            threading.Event().wait(0.001)
        goes.set()
        first.result()
    return futures


def count_commits(database: Database) -> list[int]:
    commits: list[int] = []
    sa.event.listen(database.engine, "commit", lambda _db: commits.append(1))
    return commits


def test_what_waits_together_shares_one_commit(database: Database) -> None:
    commits = count_commits(database)
    gather(database, [lambda text=text: database.transact(write, text) for text in "abcdefgh"])
    assert len(commits) == 2  # the one that held the lane, and all the others
    assert notes(database) == set("abcdefgh")


def test_a_refusal_undoes_its_own_writes_and_no_neighbours(database: Database) -> None:
    def refused(db: sa.Connection) -> None:
        write(db, "half")
        raise Refusal

    calls = [
        lambda: database.transact(write, "a"),
        lambda: database.transact(refused),
        lambda: database.transact(write, "b"),
    ]
    first, second, third = gather(database, calls)
    assert (first.result(), third.result()) == ("a", "b")
    with pytest.raises(Refusal):
        second.result()
    assert notes(database) == {"a", "b"}


def test_a_set_gives_each_item_its_own_verdict(database: Database) -> None:
    sizes: list[int] = []

    def verb(db: sa.Connection, items: Sequence[str]) -> list[str | Refusal]:
        sizes.append(len(items))
        return [Refusal(item) if item == "c" else write(db, item) for item in items]

    futures = gather(database, [lambda item=item: database.join(verb, item) for item in "abcd"])
    assert sizes == [4]
    assert [str(future.exception() or future.result()) for future in futures] == ["a", "b", "c", "d"]
    assert isinstance(futures[2].exception(), Refusal)
    assert notes(database) == {"a", "b", "d"}


def test_an_item_that_breaks_a_set_breaks_only_itself(database: Database) -> None:
    def verb(db: sa.Connection, items: Sequence[str]) -> list[str]:
        return [write(db, item) for item in items]

    database.transact(write, "b")
    futures = gather(database, [lambda item=item: database.join(verb, item) for item in "abc"])
    assert futures[0].result() == "a"
    assert futures[2].result() == "c"
    assert isinstance(futures[1].exception(), sa.exc.IntegrityError)
    assert notes(database) == {"a", "b", "c"}


def test_nobody_is_told_of_success_when_the_commit_fails(database: Database) -> None:
    class Unplugged(Exception):
        pass

    @contextmanager
    def begin():
        with database._begun(database.engine) as db:
            yield db
            raise Unplugged  # as a disk that is full at the commit

    lane = CommitLane(begin, lambda _fault: False)
    wishes = [Wish(lambda db, text=text: write(db, text)) for text in "ab"]
    lane._carry_out(wishes)
    for wish in wishes:
        with pytest.raises(Unplugged):
            wish.verdict()
    assert notes(database) == set()


def test_a_database_that_is_away_is_asked_once_for_all_who_wait() -> None:
    class Away(Exception):
        pass

    asked: list[int] = []

    @contextmanager
    def begin():
        asked.append(1)
        raise Away
        yield

    wishes = [Wish(lambda db, text=text: write(db, text)) for text in "abc"]
    CommitLane(begin, lambda _fault: False)._carry_out(wishes)
    assert len(asked) == 1
    for wish in wishes:
        with pytest.raises(Away):
            wish.verdict()


def test_an_act_keeps_its_callers_context_whoever_carries_it(database: Database) -> None:
    caller: ContextVar[str] = ContextVar("caller")

    def call(name: str) -> str:
        caller.set(name)
        return database.transact(lambda _db: caller.get())

    futures = gather(database, [lambda name=name: call(name) for name in "abcd"])
    assert [future.result() for future in futures] == list("abcd")


def test_none_waits_for_ever_when_the_thread_that_leads_is_ended(database: Database) -> None:
    class Ended(BaseException):
        pass

    def end(_db: sa.Connection) -> None:
        raise Ended

    futures = gather(database, [lambda: database.transact(end), lambda: database.transact(write, "a")])
    assert isinstance(futures[0].exception(10), Ended)
    assert isinstance(futures[1].exception(10), RuntimeError)
    assert database.transact(write, "b") == "b"
    assert notes(database) == {"b"}


def test_many_threads_lose_nothing_and_double_nothing(database: Database) -> None:
    def run(thread: int) -> None:
        for n in range(40):
            database.transact(write, f"{thread}-{n}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, range(THREADS)))
    assert len(notes(database)) == THREADS * 40
