"""Lock-out: exactly five wrong tries, whatever the hurry, and thirty from one address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock
from moralbank.access import service
from moralbank.access.errors import Locked
from moralbank.access.models import access_tries
from moralbank.db import Database

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
PHONE, HOME = "13800000001", "10.0.0.1"


def fail(database: Database, times: int, identifier: str = PHONE, address: str = HOME) -> None:
    for _ in range(times):
        database.transact(service.begin_try, identifier, address)


def test_the_sixth_try_is_refused_unseen_and_says_how_long(database: Database) -> None:
    with clock.at(NOON):
        fail(database, 5)
        with pytest.raises(Locked) as refusal:
            database.transact(service.begin_try, PHONE, HOME)
    assert refusal.value.fields == {"minutes": 15, "seconds": 900}


def test_four_wrong_and_one_right_begin_again_at_zero(database: Database) -> None:
    with clock.at(NOON):
        fail(database, 5)
        database.transact(service.end_try, PHONE, HOME)
        fail(database, 5)
        with pytest.raises(Locked):
            database.transact(service.begin_try, PHONE, HOME)


def test_each_lock_is_twice_as_long_as_the_one_before(database: Database) -> None:
    at, waits = NOON, []
    for _ in range(9):
        with clock.at(at):
            fail(database, 5)
            with pytest.raises(Locked) as refusal:
                database.transact(service.begin_try, PHONE, f"10.0.0.{len(waits)}")
            waits.append(refusal.value.fields["minutes"])
        at += timedelta(minutes=int(str(waits[-1])))
    assert waits == [15, 30, 60, 120, 240, 480, 960, 1920, 1920]


def test_other_identifiers_and_other_spellings_of_a_name(database: Database) -> None:
    with clock.at(NOON):
        fail(database, 5, "WangFang")
        fail(database, 1, "lihua")
        with pytest.raises(Locked):
            database.transact(service.begin_try, " wangfang ", HOME)


def test_thirty_wrong_tries_from_one_address_close_it_for_the_rest_of_ten_minutes(database: Database) -> None:
    with clock.at(NOON):
        for n in range(30):
            fail(database, 1, f"somebody {n}")
    with clock.at(NOON + timedelta(minutes=4)):
        with pytest.raises(Locked) as refusal:
            database.transact(service.begin_try, "nobody yet", HOME)
        assert refusal.value.fields["minutes"] == 6
        fail(database, 1, "nobody yet", "10.0.0.2")
    with clock.at(NOON + timedelta(minutes=10)):
        fail(database, 1, "somebody new")


def test_a_try_refused_for_its_address_is_not_held_against_the_name(database: Database) -> None:
    with clock.at(NOON):
        for n in range(30):
            fail(database, 1, f"somebody {n}")
        for _ in range(6):
            with pytest.raises(Locked):
                database.transact(service.begin_try, PHONE, HOME)
        fail(database, 5, PHONE, "10.0.0.2")


def test_right_tries_are_not_held_against_their_address(database: Database) -> None:
    with clock.at(NOON):
        for _ in range(40):
            fail(database, 1)
            database.transact(service.end_try, PHONE, HOME)


def test_forty_tries_at_once_get_five_guesses(database: Database) -> None:
    def guess(_: int) -> bool:
        try:
            database.transact(service.begin_try, PHONE, HOME)
        except Locked:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(guess, range(40))) == 5


def test_nothing_that_was_typed_is_kept(database: Database) -> None:
    fail(database, 1)
    with database.reading() as db:
        keys = list(db.execute(sa.select(access_tries.c.key)).scalars())
    assert len(keys) == 2
    assert not any(PHONE in key or HOME in key for key in keys)


def test_what_is_long_over_is_forgotten(database: Database) -> None:
    with clock.at(NOON):
        fail(database, 3, "somebody", "10.0.0.9")
    with clock.at(NOON + timedelta(days=3)):
        fail(database, 1)
        database.transact(service.end_try, PHONE, HOME)
    with database.reading() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(access_tries)).scalar_one() == 1
