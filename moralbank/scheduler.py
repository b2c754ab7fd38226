"""The periodic work of the bank: `python -m moralbank.scheduler`, any number of which may run; one of them works.

APScheduler is only its clock: what there is to do is in periodic/jobs.py, what is due and who may do it in the database
(slots.py).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Sequence
from threading import Event, Thread

import sqlalchemy as sa
import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from moralbank import clock, ids, slots
from moralbank.config import BackupConfig, MessagesConfig, database_url
from moralbank.db import Database
from moralbank.periodic.jobs import JOBS, Job
from moralbank.slots import Lease, Slot, SlotDatabase, SlotTaken
from moralbank.supervised import end_with_supervisor
from moralbank.transparency import jobs as transparency
from moralbank.web import logs

log = structlog.get_logger("moralbank.scheduler")


TICK_SECONDS = 5.0
#: How long the others wait for a holder that is silent; one that stops in good order lets go at once.
LEASE_SECONDS = 20.0


class Scheduler:
    """One process's part: at each tick it keeps the lease, if it can, and runs the slots that are due."""

    def __init__(self, database: Database, jobs: Sequence[Job], lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
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
            for slot_at in slots.due(latest, job.every, clock.now()):
                lease = self._hold()
                if lease is None or not self._run(job, Slot(job.name, slot_at, lease)):
                    break

    def stop(self, *_signal: object) -> None:
        """Begin no further slot."""
        self._stopping.set()

    def wait(self) -> None:
        """Wait until stop() was called."""
        self._stopping.wait()

    def release(self) -> None:
        """Let another process take over at once."""
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

    def _run(self, job: Job, slot: Slot) -> bool:
        """Run one slot and tell whether to go on; what failed is tried again at the next tick, its slot still due."""
        database = SlotDatabase(self._database, slot)
        try:
            found = job.run(database)
            database.end()
            number = found if isinstance(found, int) else None
            database.note_end(number)
        except SlotTaken:
            return False
        except Exception as fault:
            # The outermost edge: one job's fault must not keep the others from their work.
            log.error("job failed", job=job.name, slot=slot.slot_at.isoformat(), **logs.place(fault))
            self._note_failure(database, fault)
            return False
        log.info("job", job=job.name, slot=slot.slot_at.isoformat(), found=number)
        return True

    def _note_failure(self, database: SlotDatabase, fault: Exception) -> None:
        try:
            database.note_failure(fault)
        except sa.exc.DBAPIError as another:  # The log has it.
            log.warning("failure not noted", **logs.place(another))


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
    scheduler = Scheduler(database, jobs, lease_seconds)
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


def main() -> None:
    """Run the bank's jobs on the database that DATABASE_URL names."""
    end_with_supervisor()
    MessagesConfig.from_env()  # A setting that can't be meant ends this at once, and not every tick in its midst.
    BackupConfig.from_env()
    run(Database(database_url(os.environ)), JOBS, TICK_SECONDS, LEASE_SECONDS)


if __name__ == "__main__":
    main()
