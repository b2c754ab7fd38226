"""The integrating worker: one at a time, whoever dies; and on PostgreSQL, numbers that come late or never."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from moralbank import slots
from moralbank.db import Database
from moralbank.transparency import Log, TreeBroken, append_fact, heads, jobs, queries
from moralbank.transparency.jobs import Integrator
from moralbank.transparency.service import resolve_refusal
from moralbank.transparency.signer_memory import Place, Verdict
from tests.transparency._sealing import Poster, award, require_whole

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def head_of(database: Database, book: int):
    with database.reading() as db:
        return heads.head_of(db, book, Log.LEDGER)


def test_what_waits_in_both_logs_is_sealed_in_one_look_however_much_it_is(database, book, monkeypatch):
    monkeypatch.setattr("moralbank.transparency.integrate.BATCH", 40)
    award(database, book, *(f"k{n}" for n in range(90)))
    for number in range(3):
        database.transact(append_fact, book.book, Log.ACCESS, "view", {"of": number})
    worker = Integrator(database, "a")
    assert worker.cycle() == 93
    assert worker.cycle() == 0
    require_whole(database, book)
    with database.reading() as db:
        assert queries.size(db, book.book, Log.ACCESS) == 3


def test_only_the_holder_seals_and_a_new_holder_goes_on_where_it_stopped(database, book):
    first, second = Integrator(database, "a"), Integrator(database, "b")
    award(database, book, "1")
    assert (first.cycle(), second.cycle()) == (1, 0)
    first.release()
    award(database, book, "2")
    assert (second.cycle(), first.cycle()) == (1, 0)
    require_whole(database, book)


def test_a_batch_in_hand_is_not_written_by_one_who_lost_the_lease(database, book, monkeypatch):
    award(database, book, "1")
    slow = Integrator(database, "slow", lease_seconds=30)
    original = jobs._write

    def write_late(db, made, lease):
        monkeypatch.setattr(jobs, "_write", original)
        # While it planned, its lease ran out and another took it.
        slots.release_lease(db, lease)
        assert slots._take_lease(db, "quick", 30, jobs.LEASE).epoch == lease.epoch + 1
        return original(db, made, lease)

    monkeypatch.setattr(jobs, "_write", write_late)
    assert slow.cycle() == 0
    assert head_of(database, book.book).size == 0


def test_a_log_that_was_altered_is_named_once_and_keeps_the_others_from_nothing(database, book, monkeypatch):
    def broken(*_args):
        raise TreeBroken(book=book.book, log="ledger", index=0)

    award(database, book, "1")
    worker = Integrator(database, "a")
    with monkeypatch.context() as patched:
        patched.setattr("moralbank.transparency.integrate.fill", broken)
        with pytest.raises(TreeBroken):
            worker.cycle()
        assert worker.cycle() == 0
    database.transact(append_fact, book.book, Log.ACCESS, "view", {})
    assert worker.cycle() == 1
    with database.reading() as db:
        [refusal] = queries.list_refusals(db, book.book, open_only=True)
    assert (refusal.what, refusal.log) == ("broken", Log.LEDGER)
    monkeypatch.setattr(jobs, "BROKEN_SECONDS", 0)
    assert Integrator(database, "a").cycle() == 1
    database.transact(resolve_refusal, Place(Path("nowhere")), refusal.refusal_id, Verdict("admin", "", False))
    with database.reading() as db:
        assert queries.list_refusals(db, book.book, open_only=True) == []
    with monkeypatch.context() as patched:
        patched.setattr("moralbank.transparency.integrate.fill", broken)
        award(database, book, "2")
        with pytest.raises(TreeBroken):
            Integrator(database, "a").cycle()
    database.transact(jobs.record_broken, heads.Head(book.book, Log.LEDGER, 0, b"", b"", 0, 0, 0, 0, None))
    with database.reading() as db:
        assert len(queries.list_refusals(db, book.book, open_only=True)) == 2, "resolved, and broken again"


@ON_POSTGRESQL
def test_numbers_that_commit_late_are_sealed_and_one_that_never_comes_holds_nothing_up(database, book):
    worker = Integrator(database, "a")
    late, never, later = (Poster(database, book, key, who) for key, who in
                          (("late", book.qiang), ("never", book.guiying), ("later", book.shop)))  # fmt: skip
    award(database, book, "now", to=book.registry)
    assert worker.cycle() == 1
    head = head_of(database, book.book)
    assert (head.last_seq, head.settled_seq) == (4, 0)
    never.end(gives_up=True)
    later.end()
    assert worker.cycle() == 1
    for _ in range(3):
        assert worker.cycle() == 0
        assert head_of(database, book.book).settled_seq == 0, "the late one may still come"
    award(database, book, "next", to=book.registry)
    assert worker.cycle() == 1
    late.end()
    assert worker.cycle() == 1
    assert worker.cycle() == 0
    head = head_of(database, book.book)
    assert (head.size, head.last_seq, head.settled_seq) == (4, 5, 5)
    require_whole(database, book)


@ON_POSTGRESQL
def test_a_worker_that_starts_anew_finds_the_gaps_again(database, book):
    late = Poster(database, book, "late", book.qiang)
    award(database, book, "now")
    assert Integrator(database, "a").cycle() == 1
    again = Integrator(database, "a")
    for _ in range(3):
        assert again.cycle() == 0
    late.end()
    assert Integrator(database, "a").cycle() == 1
    require_whole(database, book)


def test_posters_and_a_worker_that_dies_again_and_again_lose_nothing_and_double_nothing(database, book, database_url):
    """Real processes, killed at random moments, while four threads post and some of them give up."""
    stop, faults = threading.Event(), []
    chance = random.Random(20261126)

    def post(client: int) -> None:
        holder = (book.guiying, book.qiang)[client % 2]
        try:
            number = 0
            while not stop.is_set():
                award(database, book, *(f"{client}-{number}-{n}" for n in range(3)), to=holder)
                database.transact(append_fact, book.book, Log.LEDGER, "snap", {"client": client, "n": number})
                number += 1
        except Exception as fault:
            faults.append(fault)

    clients = [threading.Thread(target=post, args=(client,)) for client in range(4)]
    for client in clients:
        client.start()
    words = [sys.executable, "-m", "tests.transparency._integrator_process", database_url]
    sizes = {0}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        try:
            for _ in range(8):
                victim = int(parent.stdout.readline())
                deadline = time.monotonic() + 20
                while head_of(database, book.book).size in sizes and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.1))
                os.kill(victim, signal.SIGKILL)
                sizes.add(head_of(database, book.book).size)
            victim = int(parent.stdout.readline())
        finally:
            stop.set()
            for client in clients:
                client.join()
            parent.kill()
    os.kill(victim, signal.SIGKILL)
    assert faults == []
    assert len(sizes) == 9, "each sealed something before it died"
    last = Integrator(database, "last")
    while slots.hold_lease(database, "last", jobs.LEASE_SECONDS, jobs.LEASE) is None:
        time.sleep(0.05)
    for _ in range(3):
        last.cycle()
    require_whole(database, book)
    head = head_of(database, book.book)
    assert head.settled_seq == head.last_seq
