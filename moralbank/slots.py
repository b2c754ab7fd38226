"""Slots of periodic work: a lease with a fencing epoch, and one row per slot that was run. Knows no job.

A slot is a whole multiple of a job's period since 1970. Its row is written in the transaction of the job's own
first write, so that a job of one transaction has run exactly when its slot says so, whatever is killed when.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.db import Database, UtcDateTime, insert_for, metadata

LEASE = "scheduler"
#: How many times its own length a lease may seem to last, clocks being what they are.
_LONGEST = 2
#: The row that readiness writes; it is nobody's lease.
PROOF = "readiness"
#: After a long stop so many slots of each job are made up for; jobs sweep up all that is due, older slots add nothing.
CATCH_UP = 60
KEPT = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

platform_leases = sa.Table(
    "platform_leases",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    #: Seconds since 1970 on the database's clock, the only one that all processes share.
    sa.Column("until_seconds", sa.Double, nullable=False),
    #: Grows with each change of holder; what an earlier holder still tries to write is refused by it.
    sa.Column("epoch", sa.BigInteger, nullable=False),
)

platform_runs = sa.Table(
    "platform_runs",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("slot_at", UtcDateTime, primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("ran_at", UtcDateTime, nullable=False),
)


#: How each job last went, for people to see; what was done stands in platform_runs.
platform_works = sa.Table(
    "platform_works",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("begun_at", UtcDateTime, nullable=False),
    #: None while it runs, and after a failure.
    sa.Column("ended_at", UtcDateTime),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    #: How much it found to do, where it says.
    sa.Column("found", sa.BigInteger),
    #: How often it has failed since it last went well, and with what.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("fault", sa.String(200)),
)


@dataclass(frozen=True, slots=True)
class Run:
    """A slot that was run."""

    job: str
    slot_at: datetime
    ran_at: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class Work:
    """How a job last went, or how far it is."""

    job: str
    begun_at: datetime
    ended_at: datetime | None
    done: int
    total: int
    found: int | None
    failures: int
    fault: str | None

    @property
    def seconds(self) -> float:
        return 0.0 if self.ended_at is None else (self.ended_at - self.begun_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Lease:
    """Who does a work (the jobs, unless it is named), and for how many more seconds."""

    holder: str
    epoch: int
    seconds_left: float
    name: str = LEASE


@dataclass(frozen=True, slots=True)
class Slot:
    """One piece of periodic work, to be run by the holder of one epoch of the lease."""

    job: str
    slot_at: datetime
    lease: Lease


_RUN = [platform_runs.c[name] for name in Run.__dataclass_fields__]
_NOTED_EVERY_SECONDS = 2.0


class SlotTaken(Exception):
    """The slot was run by somebody else, or the lease has gone to them."""


class ToldDatabase(Database):
    """A database as a job sees it that says how far it is: `tell(done, total)`, as often as it likes."""

    def __init__(self, database: Database, tell: Callable[[int, int], None]) -> None:
        self.engine = database.engine
        self.reader = database.reader
        self._database = database
        self._tell = tell

    def transact(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._database.transact(act, *args, **kwargs)

    def tell(self, done: int, total: int) -> None:
        self._tell(done, total)


def tell(database: Database, done: int, total: int) -> None:
    """Say how far a job is, where somebody wants to know."""
    if isinstance(database, ToldDatabase):
        database.tell(done, total)


class SlotDatabase(ToldDatabase):
    """A database as one slot's job sees it: its first write takes the slot, in the same transaction."""

    def __init__(self, database: Database, slot: Slot) -> None:
        super().__init__(database, self._note)
        self._slot = slot
        self._taken = False
        self._begun_at = clock.now()
        self._noted = time.monotonic()

    def _note(self, done: int, total: int) -> None:
        """Write down how far the job is, at most once in a few seconds."""
        if time.monotonic() - self._noted >= _NOTED_EVERY_SECONDS:
            self._noted = time.monotonic()
            told = {"ended_at": None, "done": done, "total": total}
            self._database.transact(_note_work, self._slot.job, self._begun_at, told)

    def note_end(self, found: int | None) -> None:
        """Write down that the job went well."""
        told = {"ended_at": clock.now(), "found": found, "failures": 0, "fault": None}
        self._database.transact(_note_work, self._slot.job, self._begun_at, told)

    def note_failure(self, fault: BaseException) -> None:
        """Write down that the job failed; of the fault only what it is, never what it says."""
        told = {"ended_at": None, "fault": type(fault).__qualname__[:200], "failures": 1}
        self._database.transact(_note_work, self._slot.job, self._begun_at, told)

    def transact(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run `act` in a write transaction. Raises: SlotTaken, whatever `act` raises."""
        result = self._database.transact(self._take_and, act, *args, **kwargs)
        self._taken = True
        return result

    def end(self) -> None:
        """Take the slot of a job that had nothing to write. Raises: SlotTaken."""
        if not self._taken:
            self.transact(lambda _db: None)

    def _take_and(self, db: Connection, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._taken and not take_slot(db, self._slot):
            raise SlotTaken
        return act(db, *args, **kwargs)


def lease_of(job: str) -> str:
    """Return the name of the lease under which a long job is done beside the scheduler."""
    return f"job {job}"


def hold_lease(database: Database, holder: str, seconds: float, name: str = LEASE) -> Lease | None:
    """Take or keep the lease for `seconds` and return it, or None while another holds it.

    A lease that ends much later than it could have been taken for is one from before the clock was set back: its
    holder may be gone, and the epoch keeps out one who isn't.
    """
    with database.reading() as db:
        lease = find_lease(db, name)
    if lease and lease.seconds_left > _LONGEST * seconds:
        lease = None
    if lease and (lease.holder != holder or lease.seconds_left > seconds / 2):
        return lease if lease.holder == holder else None
    return database.transact(_take_lease, holder, seconds, name)


def _take_lease(db: Connection, holder: str, seconds: float, name: str) -> Lease | None:
    now = _database_seconds(db)
    insert = insert_for(db, platform_leases).values(name=name, holder=holder, until_seconds=now + seconds, epoch=1)
    same, latest = platform_leases.c.holder == holder, now + _LONGEST * seconds
    taken = insert.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "holder": holder,
            "until_seconds": now + seconds,
            "epoch": platform_leases.c.epoch + sa.case((same, 0), else_=1),
        },
        where=sa.or_(same, platform_leases.c.until_seconds < now, platform_leases.c.until_seconds > latest),
    ).returning(platform_leases.c.epoch)
    epoch = db.execute(taken).scalar()
    return None if epoch is None else Lease(holder, epoch, seconds, name)


def release_lease(db: Connection, lease: Lease) -> None:
    """Let another take over at once, unless one already has."""
    db.execute(platform_leases.update().where(*_is(lease)).values(until_seconds=0))


def is_held(db: Connection, lease: Lease) -> bool:
    """Tell whether nobody has taken the lease over: for a transaction that only its holder may make."""
    return db.execute(sa.select(platform_leases.c.name).where(*_is(lease))).first() is not None


def find_lease(db: Connection, name: str = LEASE) -> Lease | None:
    """Return who holds the lease now, or None when it has run out."""
    left = platform_leases.c.until_seconds - _database_seconds(db)
    query = sa.select(platform_leases.c.holder, platform_leases.c.epoch, left).where(platform_leases.c.name == name)
    row = db.execute(query).first()
    return None if row is None or row[2] < 0 else Lease(row[0], row[1], row[2], name)


def _is(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that the lease is still of this holder and epoch."""
    row = platform_leases.c
    return row.name == lease.name, row.holder == lease.holder, row.epoch == lease.epoch


def prove_writable(db: Connection) -> None:
    """Write a row that nobody reads: the database takes writes, or says what keeps it from that."""
    now = _database_seconds(db)
    row = {"name": PROOF, "holder": "", "until_seconds": now, "epoch": 0}
    proof = insert_for(db, platform_leases).values(row)
    db.execute(proof.on_conflict_do_update(index_elements=["name"], set_={"until_seconds": now}))


def take_slot(db: Connection, slot: Slot) -> bool:
    """Write that the slot was run, if nobody has and the lease is still of that epoch; tell whether that was so."""
    if not is_held(db, slot.lease):
        return False
    run = insert_for(db, platform_runs).values(
        job=slot.job,
        slot_at=slot.slot_at,
        holder=slot.lease.holder,
        epoch=slot.lease.epoch,
        ran_at=clock.now(),
    )
    # Whoever took over in this very moment writes the same row, waits for this one, and finds the slot taken.
    return db.execute(run.on_conflict_do_nothing().returning(platform_runs.c.job)).first() is not None


def list_latest(db: Connection) -> list[Run]:
    """Return the latest slot of every job that ever ran."""
    last = sa.select(platform_runs.c.job, sa.func.max(platform_runs.c.slot_at).label("slot_at"))
    latest = last.group_by(platform_runs.c.job).subquery("latest")
    is_latest = (platform_runs.c.job == latest.c.job) & (platform_runs.c.slot_at == latest.c.slot_at)
    query = sa.select(*_RUN).join(latest, is_latest).order_by(platform_runs.c.job)
    return [Run(*row) for row in db.execute(query)]


def due(latest: datetime | None, every: timedelta, now: datetime) -> list[datetime]:
    """Return the slots after the latest that have begun by now, oldest first; a new job begins with the present one."""
    present = (now - _EPOCH) // every
    behind = 1 if latest is None else present - (latest - _EPOCH) // every
    return [_EPOCH + number * every for number in range(present - min(behind, CATCH_UP) + 1, present + 1)]


def _note_work(db: Connection, job: str, begun_at: datetime, told: dict[str, Any]) -> None:
    new = {"done": 0, "total": 0, "failures": 0, "begun_at": begun_at} | told
    insert = insert_for(db, platform_works).values(job=job, **new)
    changed = {name: insert.excluded[name] for name in ("begun_at", *told)}
    if told.get("failures"):
        changed["failures"] = platform_works.c.failures + 1
    db.execute(insert.on_conflict_do_update(index_elements=["job"], set_=changed))


def list_asides(db: Connection, jobs: Collection[str]) -> set[str]:
    """Return which of these long jobs a process is doing now."""
    return {job for job in jobs if find_lease(db, lease_of(job)) is not None}


def list_works(db: Connection) -> list[Work]:
    """Return how every job last went."""
    columns = [platform_works.c[name] for name in Work.__dataclass_fields__]
    return [Work(*row) for row in db.execute(sa.select(*columns).order_by(platform_works.c.job))]


def list_runs(db: Connection, job: str | None, limit: int) -> list[Run]:
    """Return the latest slots that were run, of one job or of all, the latest first."""
    query = sa.select(*_RUN).order_by(platform_runs.c.slot_at.desc(), platform_runs.c.job).limit(limit)
    if job is not None:
        query = query.where(platform_runs.c.job == job)
    return [Run(*row) for row in db.execute(query)]


def forget_runs(database: Database) -> int:
    """Forget slots older than a week, but never a job's latest; return how many."""
    return database.transact(_forget_runs)


def _forget_runs(db: Connection) -> int:
    later = platform_runs.alias()
    old = platform_runs.c.slot_at < clock.now() - KEPT
    followed = sa.select(later.c.job).where(
        later.c.job == platform_runs.c.job, later.c.slot_at > platform_runs.c.slot_at
    )
    return db.execute(platform_runs.delete().where(old, followed.exists())).rowcount


def _database_seconds(db: Connection) -> sa.ColumnElement[float]:
    """Return the SQL for seconds since 1970 on the database's clock."""
    if db.dialect.name == "sqlite":
        return sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Double)
    return sa.literal_column("extract(epoch FROM clock_timestamp())::double precision", sa.Double)
