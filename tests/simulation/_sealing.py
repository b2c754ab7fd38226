"""Two integrating workers who take the lease from each other in the middle of their work, by seeds; and planted bugs.

The database is a real one in memory, so the code under trial is the service's own; what interleaves are the steps
between transactions, where a process may sleep, lose its lease or die.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import ledger, slots
from moralbank.db import Database
from moralbank.slots import Lease
from moralbank.transparency import Log, LogMoved, append_fact, heads, integrate, jobs
from moralbank.transparency.verify import verify_log
from tests.ledger.conftest import Book, open_test_book
from tests.simulation._bugs import _both
from tests.simulation._world import Anomaly

STEPS = 60
Plant = Callable[[], Any]


class Sealing:
    """What happens to one book under one seed."""

    def __init__(self, database: Database, seed: int) -> None:
        self.random = random.Random(seed)
        self.database = database
        self.book: Book = database.transact(open_test_book, f"seed-{seed}")
        self.posted = 0
        self.epochs = 0
        #: What a signer would have signed by now.
        self.signed = (0, b"")
        self.workers = [self._work(), self._work()]

    def run(self) -> None:
        """Let posters and workers take turns. Raises: Anomaly."""
        for _ in range(STEPS):
            chance = self.random.random()
            if chance < 0.35:
                self.database.transact(self._post)
            elif chance < 0.4:
                self.workers[self.random.randrange(2)] = self._work()  # Killed: what it planned is forgotten.
            else:
                next(self.random.choice(self.workers))
            self._look()
        self.workers[:] = [self._work()]
        for _ in range(4):
            next(self.workers[0])
        self._look()
        with self.database.reading() as db:
            report = verify_log(db, self.book.book, Log.LEDGER)
        if report.faults or report.waiting or report.leaves != self.posted:
            raise Anomaly(f"{report.leaves} leaves of {self.posted}, {report.waiting} wait: {report.faults}")

    def _post(self, db: Connection) -> None:
        self.posted += 1
        if self.random.random() < 0.2:
            append_fact(db, self.book.book, Log.LEDGER, "snap", {"n": self.posted})
        else:
            ledger.post(db, self.book.award(str(self.posted), self.book.guiying, 1))

    def _work(self) -> Generator[None]:
        """A worker's life: take the lease, look, and write, with time passing in between."""
        while True:
            self.epochs += 1
            lease = self.database.transact(self._take_lease, f"worker {self.epochs}")
            for _ in range(self.random.randint(1, 3)):
                with self.database.reading() as db:
                    made = integrate.plan(db, heads.head_of(db, self.book.book, Log.LEDGER), limit=4)
                yield
                try:
                    self.database.transact(jobs._write, made, lease)
                except LogMoved:
                    break
                yield

    def _take_lease(self, db: Connection, holder: str) -> Lease:
        db.execute(sa.update(slots.platform_leases).values(until_seconds=0))
        lease = slots._take_lease(db, holder, 30, jobs.LEASE)
        assert lease is not None
        return lease

    def _look(self) -> None:
        """Whoever signed the log at some size must find that tree in the log ever after."""
        with self.database.reading() as db:
            head = heads.head_of(db, self.book.book, Log.LEDGER)
        size, root = self.signed
        if head.size < size or (head.size == size > 0 and head.root != root):
            raise Anomaly("the tree shrank or became another")
        self.signed = head.size, head.root


def _apply_whatever_moved() -> Any:
    """A batch is written although the head has moved since it was planned."""
    real = integrate.apply

    def apply(db: Connection, made: integrate.Plan, epoch: int) -> None:
        head = heads.head_of(db, made.before.book, made.before.log)
        shift = head.size - made.before.size
        runs = tuple(replace(run, first_index=run.first_index + shift) for run in made.runs)
        real(db, replace(made, before=head, size=made.size + shift, runs=runs), head.epoch)

    return patch.object(integrate, "apply", apply)


def _no_fence() -> Any:
    return _both(patch.object(slots, "is_held", lambda _db, _lease: True), _apply_whatever_moved())


def _skips_one() -> Any:
    """A batch that is cut by its limit forgets the entry at the cut."""
    real = integrate.plan

    def plan(db: Connection, head: Any, settled_through: int = 0, limit: int = 4) -> integrate.Plan:
        made = real(db, head, settled_through, limit)
        return made if made.leaves < limit else replace(made, last_seq=made.last_seq + 1)

    return patch.object(integrate, "plan", plan)


BUGS: dict[str, Plant] = {
    "double integrate": _no_fence,
    "an entry skipped at the cut": _skips_one,
}


def run_all(database: Database, seeds: int) -> None:
    """Let seeds from 0 on happen, each in a book of its own. Raises: Anomaly, with the seed that shows it again."""
    for seed in range(seeds):
        try:
            Sealing(database, seed).run()
        except (Anomaly, sa.exc.DBAPIError) as anomaly:
            raise Anomaly(f"seed {seed}: {anomaly}") from None
