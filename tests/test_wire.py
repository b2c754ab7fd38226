"""The way past psycopg's cursors: values, faults, and many statements at once. PostgreSQL only."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime
from enum import IntEnum, StrEnum
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from moralbank.db import Database, wire_of
from moralbank.wire import Wire, Words

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_ONE = Words("SELECT %(one)s::int")
_FAIL = Words("SELECT 1 / %(zero)s::int")


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        ("bigint", -(2**53)),
        ("boolean", False),
        ("text", "王桂英 \\ ' \" % $1 {}"),
        ("text", ""),
        ("text", None),
        ("text", Colour.RED),
        ("int", Size.LARGE),
        ("bytea", b"\0\xff'\\"),
        ("timestamptz", datetime(2026, 11, 21, 6, 30, 0, 5, tzinfo=UTC)),
        ("date", date(2026, 11, 21)),
        ("uuid", UUID("0192f1c5-9a3c-7e8b-8f00-000000000001")),
        ("bigint[]", [1, -2, None]),
        ("text[]", ['a"b', "c\\d", "NULL", "", "{,}", None]),
        ("bytea[]", [b"\0\xff", b""]),
        ("numeric[]", []),
        ("interval", None),
    ],
)
def test_a_value_comes_back_as_it_went(database: Database, spelled: str, value: object) -> None:
    back = Words(f"SELECT %(value)s::{spelled}, '100%%'")
    with database.reading() as db:
        assert wire_of(db).run(back, [value]).rows() == [(value, "100%")]


def test_a_text_that_postgresql_cannot_hold_is_refused_and_not_cut_off(database: Database) -> None:
    with database.reading() as db, pytest.raises(psycopg.DataError, match="NUL"):
        wire_of(db).run(Words("SELECT %(text)s::text"), ["a\0b"])


def test_of_statements_sent_together_none_is_run_behind_one_that_fails(database: Database) -> None:
    with database.engine.connect() as db:
        wire = wire_of(db)
        wire.tell(b"CREATE TEMPORARY TABLE seen (n int)")
        see = Words("INSERT INTO seen VALUES (%(n)s)")
        for _ in range(2):  # The second time all are prepared already.
            wire.tell(b"BEGIN")
            with pytest.raises(psycopg.errors.DivisionByZero):
                wire.run_all([(_ONE, [1]), (_FAIL, [0]), (see, [1])])
            wire.tell(b"ROLLBACK")
            assert [answer.rows() for answer in wire.run_all([(_ONE, [1]), (_ONE, [2])])] == [[(1,)], [(2,)]]
        assert [answer.count() for answer in wire.run_all([(see, [1]), (see, [2])])] == [1, 1]
        assert wire.run(Words("SELECT count(*) FROM seen"), []).rows() == [(2,)]


def test_more_than_the_sockets_hold_goes_both_ways_at_once(database: Database) -> None:
    long = "长" * 200_000
    echo = Words("SELECT %(text)s::text")
    with database.reading() as db:
        answers = wire_of(db).run_all([(echo, [long])] * 40)
        assert {answer.rows()[0][0] for answer in answers} == {long}


def test_nobody_gets_a_connection_whose_answers_were_not_awaited(database: Database, monkeypatch) -> None:
    def interrupt(self: Wire, what: int) -> int:
        raise KeyboardInterrupt

    def act(db: sa.Connection) -> int:
        return wire_of(db).run_all([(_ONE, [1]), (_ONE, [2])])[1].rows()[0][0]

    with monkeypatch.context() as patch:
        patch.setattr(Wire, "_wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            database.transact(act)
    assert database.transact(act) == 2


@pytest.mark.parametrize("together", [1, 2])
def test_whoever_waits_for_the_server_keeps_no_other_thread_waiting(database: Database, together: int) -> None:
    sleep = Words("SELECT pg_sleep(%(seconds)s::float)")
    turns, is_over = 0, threading.Event()

    def wait() -> None:
        with database.reading() as db:
            wire_of(db).run_all([(sleep, ["0.3"])] * together)
        is_over.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not is_over.is_set():
        time.sleep(0.01)
        turns += 1
    waiting.join()
    assert turns >= 10


def test_a_server_that_goes_away_between_statements_is_a_fault_that_gives_up_the_connection(database: Database) -> None:
    with database.engine.connect() as db, database.engine.connect() as other:
        wire = wire_of(db)
        [(pid,)] = wire.run(Words("SELECT pg_backend_pid()"), []).rows()
        wire_of(other).tell(b"ROLLBACK; RESET ROLE")
        wire_of(other).run(Words("SELECT pg_terminate_backend(%(pid)s::int)"), [pid])
        wire_of(other).tell(b"SELECT pg_sleep(0.1)")
        with pytest.raises(psycopg.OperationalError):
            wire.run_all([(_ONE, [1]), (_ONE, [2])])
        assert db.connection.driver_connection.closed
