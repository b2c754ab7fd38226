"""Periodic work is done once per slot, whatever dies when."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from moralbank import clock, slots
from moralbank.aside import Asides
from moralbank.db import Database
from moralbank.periodic.jobs import JOBS, Job
from moralbank.scheduler import Scheduler
from moralbank.slots import Lease, Slot, SlotDatabase, SlotTaken, platform_runs
from tests import _aside_process as aside
from tests import _scheduler_process as process

NOON = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def effects(database: Database, database_url: str) -> Callable[[], int]:
    """How many effects the job of _scheduler_process has left."""
    engine = sa.create_engine(database_url)
    process.metadata.create_all(engine)
    engine.dispose()

    def count() -> int:
        with database.reading() as db:
            return db.execute(sa.select(sa.func.count()).select_from(process.effects)).scalar_one()

    return count


def list_slots(database: Database) -> list[datetime]:
    with database.reading() as db:
        return list(db.execute(sa.select(platform_runs.c.slot_at).order_by(platform_runs.c.slot_at)).scalars())


def freeze(pid: int, database: Database) -> None:
    """Stop a process between its transactions: on SQLite one within keeps everybody else from writing."""
    os.kill(pid, signal.SIGSTOP)
    while database.is_sqlite:
        try:
            with closing(sqlite3.connect(database.engine.url.database, timeout=1)) as probe:
                probe.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.03)
            os.kill(pid, signal.SIGSTOP)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.05)


def test_a_killed_or_frozen_holder_leaves_no_gap_and_no_double(database, database_url, effects):
    command = [sys.executable, "-m", "tests._scheduler_process", database_url]
    running = {p.pid: p for p in (subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(3))}

    def holder() -> int | None:
        with database.reading() as db:
            lease = slots.find_lease(db)
        return int(lease.holder.split(":")[1]) if lease else None

    def another_than(pid: int) -> Callable[[], bool]:
        return lambda: holder() not in (None, pid)

    try:
        wait_for(lambda: effects() >= 3)
        first = holder()
        os.kill(first, signal.SIGKILL)
        wait_for(another_than(first))
        wait_for(lambda: effects() >= 8)
        second = holder()
        freeze(second, database)
        wait_for(another_than(second))
        third, so_far = holder(), effects()
        wait_for(lambda: effects() >= so_far + 4)
        os.kill(second, signal.SIGCONT)
        wait_for(lambda: effects() >= so_far + 8)
        for pid in (second, third):
            os.kill(pid, signal.SIGTERM)
            assert running[pid].wait(10) == 0
    finally:
        for each in running.values():
            each.kill()
            each.wait()
    ran = list_slots(database)
    assert len({first, second, third}) == 3
    assert {later - earlier for earlier, later in pairwise(ran)} == {process.EVERY}
    assert effects() == len(ran)
    assert holder() is None, "a scheduler that stops in good order lets go of the lease"


def test_the_slots_of_a_stop_are_made_up_for_oldest_first(database, effects):
    seen = []
    job = Job("trial", "试", MINUTE, lambda database: seen.append(clock.now()) or process.leave_an_effect(database))
    scheduler = Scheduler(database, [job])
    with clock.at(NOON):
        scheduler.tick()
        scheduler.tick()
    assert list_slots(database) == [NOON.replace(second=0)]
    with clock.at(NOON + 5 * MINUTE):
        scheduler.tick()
    assert list_slots(database) == [NOON.replace(second=0) + n * MINUTE for n in range(6)]
    assert effects() == 6


def test_after_a_long_stop_only_so_many_slots_are_made_up_for():
    found = slots.due(NOON - timedelta(days=400), MINUTE, NOON)
    assert len(found) == slots.CATCH_UP
    assert found[-1] == NOON.replace(second=0)


def test_a_failing_job_is_tried_again_and_keeps_nobody_from_work(database, effects, capsys):
    def fail(database: Database) -> None:
        if not effects():
            raise RuntimeError("a message that may quote a row")

    scheduler = Scheduler(
        database, [Job("fails", "试", MINUTE, fail), Job("works", "试", MINUTE, process.leave_an_effect)]
    )
    with clock.at(NOON):
        scheduler.tick()
        assert "may quote a row" not in capsys.readouterr().err
        with database.reading() as db:
            assert [run.job for run in slots.list_latest(db)] == ["works"]
        scheduler.tick()
    with database.reading() as db:
        assert [run.job for run in slots.list_latest(db)] == ["fails", "works"]
    assert effects() == 1


def test_only_one_holds_the_lease_and_a_new_holder_has_a_new_epoch(database):
    assert slots.hold_lease(database, "a", 30).epoch == 1
    assert slots.hold_lease(database, "b", 30) is None
    mine = slots.hold_lease(database, "a", 30)
    assert mine.epoch == 1
    database.transact(slots.release_lease, mine)
    assert slots.hold_lease(database, "b", 30).epoch == 2
    assert slots.hold_lease(database, "a", 30) is None


def test_one_who_lost_the_lease_writes_nothing(database, effects):
    mine = slots.hold_lease(database, "a", 30)
    database.transact(slots.release_lease, mine)
    slots.hold_lease(database, "b", 30)
    stale = SlotDatabase(database, Slot("trial", NOON, mine))
    with pytest.raises(SlotTaken):
        process.leave_an_effect(stale)
    assert effects() == 0


def test_a_slot_is_taken_with_the_jobs_first_write_or_not_at_all(database, effects):
    lease = slots.hold_lease(database, "a", 30)
    assert isinstance(lease, Lease)

    def act(db):
        db.execute(process.effects.insert().values())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        SlotDatabase(database, Slot("trial", NOON, lease)).transact(act)
    assert (effects(), list_slots(database)) == (0, [])
    paged = SlotDatabase(database, Slot("trial", NOON, lease))
    for _ in range(3):
        process.leave_an_effect(paged)
    paged.end()
    assert (effects(), list_slots(database)) == (3, [NOON])


def test_runs_older_than_a_week_are_forgotten_but_never_the_latest(database):
    lease = slots.hold_lease(database, "a", 30)
    for job, days in (("old", 10), ("old", 9), ("new", 9), ("new", 1)):
        SlotDatabase(database, Slot(job, NOON - timedelta(days=days), lease)).end()
    with clock.at(NOON):
        assert slots.forget_runs(database) == 2
    assert list_slots(database) == [NOON - timedelta(days=9), NOON - timedelta(days=1)]


def test_every_job_of_the_bank_runs_on_an_empty_database(database):
    Scheduler(database, JOBS).tick()
    with database.reading() as db:
        assert {run.job for run in slots.list_latest(db)} == {job.name for job in JOBS}


def test_a_long_job_keeps_no_other_waiting_is_done_by_one_process_and_goes_on_after_a_kill(
    database, database_url, effects, tmp_path, monkeypatch
):
    gate = tmp_path / "gate"
    monkeypatch.setenv("GATE", str(gate))
    ran = []
    quick = Job("quick", "快", timedelta(seconds=0.01), lambda _database: ran.append(1))
    mine, others = (Asides(database_url, aside.COMMAND, pause_seconds=0) for _ in range(2))
    scheduler = Scheduler(database, [aside.JOB, quick], asides=mine)

    def pid() -> int | None:
        with database.reading() as db:
            lease = slots.find_lease(db, slots.lease_of(aside.NAME))
        return int(lease.holder.split(":")[1]) if lease else None

    def progress() -> list[tuple[int, int, bool]]:
        with database.reading() as db:
            return [
                (one.done, one.total, one.ended_at is None) for one in slots.list_works(db) if one.job == aside.NAME
            ]

    try:
        scheduler.tick()
        wait_for(lambda: progress() == [(400, 1_000, True)])
        first = pid()
        before = len(ran)
        scheduler.tick()
        assert len(ran) > before, "the others go on"
        others.begin(aside.NAME)
        wait_for(lambda: not others.is_running(aside.NAME))
        assert (effects(), pid()) == (1, first), "there is one of it, wherever schedulers run"
        running = mine._running[aside.NAME]
        scheduler.release()
        assert running.returncode == -signal.SIGTERM, "it ends with its scheduler, as if it were killed"
        gate.touch()
        wait_for(lambda: scheduler.tick() or effects() == 2)
        wait_for(lambda: not progress()[0][2])
    finally:
        mine.end()
