"""The integrating worker: one of any number of processes, by lease, seals what was committed every 0.65 s."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger, slots
from moralbank.db import Database, insert_for
from moralbank.slots import Lease
from moralbank.transparency import heads, integrate, models
from moralbank.transparency.tree_errors import LogMoved, TreeBroken
from moralbank.transparency.values import Head, Log

LEASE = "integrator"
#: How long the others wait for a holder that is silent; one that stops in good order lets go at once.
LEASE_SECONDS = 4.0
#: Between two looks at what is new. An entry is sealed in about half of it, and a batch costs the disk one sync.
PAUSE_SECONDS = 0.65
#: Between two looks at a log that somebody altered.
BROKEN_SECONDS = 30.0


@dataclass(slots=True)
class _Watch:
    """Missing numbers up to `through` can only be brought by these transactions."""

    through: int
    posters: frozenset[str]


class Integrator:
    """One process's part: while it holds the lease, it seals what is committed, log by log."""

    def __init__(self, database: Database, holder: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._lease: Lease | None = None
        self._watches: dict[int, _Watch] = {}
        #: Logs that somebody altered, and when to look again whether that was mended.
        self._broken: dict[tuple[int, Log], float] = {}

    def cycle(self) -> int:
        """Seal all that is committed by now, if this process holds the lease; return how many leaves were added."""
        lease = slots.hold_lease(self._database, self._holder, self._lease_seconds, LEASE)
        if lease is None or self._lease is None or lease.epoch != self._lease.epoch:
            self._watches.clear()
        self._lease = lease
        if lease is None:
            return 0
        with self._database.reading() as db:
            behind = _behind(db)
        return sum(self._seal(head, lease) for head in behind)

    def release(self) -> None:
        """Let another process take over at once."""
        if self._lease is not None:
            self._database.transact(slots.release_lease, self._lease)
            self._lease = None

    def _seal(self, head: Head, lease: Lease) -> int:
        if time.monotonic() < self._broken.get((head.book, head.log), 0):
            return 0
        added = 0
        while True:
            through = self._settled_through(head)
            try:
                with self._database.reading() as db:
                    made = integrate.plan(db, head, through)
                if made.is_empty:
                    return added
                self._database.transact(_write, made, lease)
            except LogMoved:
                return added  # Another holds the lease by now, or will tell so at the next look.
            except TreeBroken:
                self._broken[head.book, head.log] = time.monotonic() + BROKEN_SECONDS
                self._database.transact(record_broken, head)
                raise
            if through:
                self._watches.pop(head.book, None)
            added += made.leaves
            if made.leaves < integrate.BATCH:
                return added
            with self._database.reading() as db:
                head = heads.head_of(db, head.book, head.log)
            lease = slots.hold_lease(self._database, self._holder, self._lease_seconds, LEASE) or lease

    def _settled_through(self, head: Head) -> int:
        """Return a number up to which nobody can bring a missing one any more, 0 when that can't be said yet.

        Asked before the snapshot is taken, since what ended before it was asked is seen by that snapshot.
        """
        if head.settled_seq == head.last_seq:
            self._watches.pop(head.book, None)
            return 0
        posters = self._database.look(ledger.posters, head.book)
        watch = self._watches.setdefault(head.book, _Watch(head.last_seq, posters))
        watch.posters &= posters
        return 0 if watch.posters else watch.through


def record_broken(db: Connection, head: Head) -> None:
    """Keep, for the audit page and readiness, that the stored leaves don't lead to the log's head any more.

    What was said to be resolved and isn't is open again.
    """
    refusal = {
        "token": f"broken:{head.book}:{int(head.log)}:{head.size}",
        "book_id": head.book,
        "log": int(head.log),
        "what": "broken",
        "signed_size": head.size,
        "found_size": head.size,
        "refused_at": clock.now(),
    }
    row = insert_for(db, models.refusals).values(refusal)
    again = {"resolved_at": None, "resolved_by": None, "reason": None}
    db.execute(row.on_conflict_do_update(index_elements=["token"], set_=again))


def _write(db: Connection, made: integrate.Plan, lease: Lease) -> None:
    if not slots.is_held(db, lease):
        raise LogMoved()
    integrate.apply(db, made, lease.epoch)


def _behind(db: Connection) -> list[Head]:
    """Return the heads of the logs for which something may be waiting."""
    known = {(head.book, head.log): head for head in heads.list_heads(db)}
    counters = models.counters
    facts_by_log = {(row.book_id, Log(row.log)): row.last_no for row in db.execute(sa.select(counters))}
    found = []
    for book, last_seq in sorted(ledger.last_seqs(db).items()):
        for log in Log:
            head = known.get((book, log)) or heads.head_of(db, book, log)
            has_entries = log is Log.LEDGER and (last_seq > head.last_seq or head.settled_seq < head.last_seq)
            if has_entries or facts_by_log.get((book, log), 0) > head.last_fact:
                found.append(head)
    return found
