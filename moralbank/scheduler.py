"""The periodic work of the bank: `python -m moralbank.scheduler`, any number of which may run; one of them works.

APScheduler is only its clock: what there is to do is in periodic/jobs.py, what is due and who may do it in the database
(slots.py).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from threading import Event, Thread

import sqlalchemy as sa
import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from moralbank import clock, ids, slots
from moralbank.aside import Asides, let_others_first
from moralbank.config import BackupConfig, MessagesConfig, database_url
from moralbank.db import Database
from moralbank.periodic.jobs import JOBS, Job, get_job
from moralbank.slots import Lease, Slot, SlotDatabase, SlotTaken
from moralbank.supervised import end_with, end_with_supervisor
from moralbank.transparency import jobs as transparency
from moralbank.web import logs

log = structlog.get_logger("moralbank.scheduler")


TICK_SECONDS = 5.0
#: How long the others wait for a holder that is silent; one that stops in good order lets go at once.
LEASE_SECONDS = 20.0


class Scheduler:
    """One process's part: at each tick it keeps the lease, if it can, and runs the slots that are due."""

    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job],
        lease_seconds: float = LEASE_SECONDS,
        asides: Asides | None = None,
    ) -> None:
        """`asides`: has long jobs done by processes of their own; without it they are done in their turn."""
        self._database = database
        self._asides = asides
        self._jobs = jobs
        self._lease_seconds = lease_seconds
        self._holder = _holder()
        self._lease: Lease | None = None
        self._stopping = Event()

    def tick(self) -> None:
        """Run every slot that is due, while this process holds the lease."""
        for job in self._jobs:
            if not self._hold():
                return
            with self._database.reading() as db:
                latest = {run.job: run.slot_at for run in slots.list_latest(db)}.get(job.name)
            due = slots.due(latest, job.every, clock.now())
            if job.is_long and self._asides is not None:
                if due:
                    self._asides.begin(job.name)
                continue
            for slot_at in due:
                lease = self._hold()
                if lease is None or not run_slot(self._database, job, Slot(job.name, slot_at, lease)):
                    break

    def stop(self, *_signal: object) -> None:
        """Begin no further slot."""
        self._stopping.set()

    def wait(self) -> None:
        """Wait until stop() was called."""
        self._stopping.wait()

    def release(self) -> None:
        """End what runs beside, and let another process take over at once."""
        if self._asides is not None:
            self._asides.end()
        if self._lease:
            try:
                self._database.transact(slots.release_lease, self._lease)
            except sa.exc.DBAPIError as fault:  # A database that is away ends the lease by its time.
                log.warning("lease not released", **logs.place(fault))
            self._lease = None

    def _hold(self) -> Lease | None:
        if self._stopping.is_set():
            return None
        lease = slots.hold_lease(self._database, self._holder, self._lease_seconds)
        if lease and (self._lease is None or lease.epoch != self._lease.epoch):
            log.info("lease", epoch=lease.epoch)
        self._lease = lease
        return lease


def run_slot(database: Database, job: Job, slot: Slot) -> bool:
    """Run one slot and tell whether to go on; what failed is tried again at the next tick, its slot still due."""
    told = SlotDatabase(database, slot)
    try:
        found = job.run(told)
        told.end()
        number = found if isinstance(found, int) else None
        told.note_end(number)
    except SlotTaken:
        return False
    except Exception as fault:
        # The outermost edge: one job's fault must not keep the others from their work.
        log.error("job failed", job=job.name, slot=slot.slot_at.isoformat(), **logs.place(fault))
        _note_failure(told, fault)
        return False
    log.info("job", job=job.name, slot=slot.slot_at.isoformat(), found=number)
    return True


def _note_failure(told: SlotDatabase, fault: Exception) -> None:
    try:
        told.note_failure(fault)
    except sa.exc.DBAPIError as another:  # The log has it.
        log.warning("failure not noted", **logs.place(another))


def run_long(database: Database, job: Job, lease_seconds: float = LEASE_SECONDS) -> bool:
    """Run a long job's newest due slot under a lease of its own; tell whether nothing went wrong.

    Slots of the same job before it would only do the same again. The lease is kept by a thread beside the work; when
    another has taken it, this process ends, since what it writes later nobody would keep from the other's way.
    """
    lease = slots.hold_lease(database, _holder(), lease_seconds, slots.lease_of(job.name))
    if lease is None:
        return True
    with database.reading() as db:
        latest = {run.job: run.slot_at for run in slots.list_latest(db)}.get(job.name)
    due = slots.due(latest, job.every, clock.now())
    done = Event()
    keeper = Thread(target=_keep, args=(database, lease, lease_seconds, done), name="lease", daemon=True)
    keeper.start()
    try:
        return not due or run_slot(database, job, Slot(job.name, due[-1], lease))
    finally:
        done.set()
        keeper.join()
        database.transact(slots.release_lease, lease)


def _keep(database: Database, lease: Lease, lease_seconds: float, done: Event) -> None:
    while not done.wait(lease_seconds / 4):
        try:
            kept = slots.hold_lease(database, lease.holder, lease_seconds, lease.name)
        except sa.exc.DBAPIError as fault:  # A database that is away for long ends the lease, and a later turn says so.
            log.warning("lease not kept", **logs.place(fault))
            continue
        if kept is None or kept.epoch != lease.epoch:
            log.error("lease lost", job=lease.name)
            os._exit(1)


class Sealing:
    """The thread that seals entries in the logs, many times a second: it has a lease of its own."""

    def __init__(self, database: Database, pause_seconds: float = transparency.PAUSE_SECONDS) -> None:
        """`database`: one of its own, and eager, since it comes between the posters' commits."""
        self._database = database
        self._integrator = transparency.Integrator(database, _holder())
        self._pause_seconds = pause_seconds
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="sealing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand and let another process take over."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        said = None
        while not self._stopping.is_set():
            try:
                self._integrator.cycle()
                said = None
            except Exception as fault:
                # The outermost edge: whatever it is, what waits is sealed when it is gone. It is said once; readiness
                # and the audit page go on showing it.
                if said is not type(fault):
                    log.error("sealing failed", **logs.place(fault))
                said = type(fault)
                self._stopping.wait(1.0)
            self._stopping.wait(self._pause_seconds)
        try:
            self._integrator.release()
        except sa.exc.DBAPIError as fault:
            log.warning("lease not released", **logs.place(fault))
        self._database.dispose()


def _holder() -> str:
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{ids.token(8)}"


def run(database: Database, jobs: Sequence[Job], tick_seconds: float, lease_seconds: float) -> None:
    """Work until SIGTERM or SIGINT, finish the slot in hand, and let another process take over."""
    logs.configure()
    scheduler = Scheduler(database, jobs, lease_seconds, Asides(database.url))
    signal.signal(signal.SIGTERM, scheduler.stop)
    signal.signal(signal.SIGINT, scheduler.stop)
    # A tick that takes longer than its period is no fault: the next finds what is due.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    ticks = BackgroundScheduler(timezone="UTC")
    ticks.add_job(
        scheduler.tick,
        "interval",
        seconds=tick_seconds,
        next_run_time=clock.now(),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    ticks.start()
    sealing = Sealing(Database(database.url, is_eager=True))
    sealing.start()
    scheduler.wait()
    sealing.stop()
    ticks.shutdown()
    scheduler.release()
    database.dispose()


def main(words: Sequence[str]) -> int:
    """Run the bank's jobs on the database that DATABASE_URL names; after `--job NAME PARENT` that one, and end."""
    if words[:1] == ["--job"]:
        _, name, parent = words
        return _do_aside(name, int(parent))
    end_with_supervisor()
    MessagesConfig.from_env()  # A setting that can't be meant ends this at once, and not every tick in its midst.
    BackupConfig.from_env()
    run(Database(database_url(os.environ)), JOBS, TICK_SECONDS, LEASE_SECONDS)
    return 0


def _do_aside(name: str, parent: int) -> int:
    """Do a long job for the scheduler that started this process, and end with it."""
    end_with(parent)
    let_others_first()
    logs.configure()
    database = Database(database_url(os.environ))
    is_well = run_long(database, get_job(name))
    database.dispose()
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
