"""Slots of periodic work: one lease with a fencing epoch, and one row per slot that was run. Knows no job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.db import UtcDateTime, metadata

LEASE = "scheduler"

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
    #: The start of the slot that was run, a whole multiple of the job's period.
    sa.Column("slot_at", UtcDateTime, primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("ran_at", UtcDateTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Run:
    """The latest slot that a job has run."""

    job: str
    slot_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs the jobs."""

    holder: str
    epoch: int


def list_latest(db: Connection) -> list[Run]:
    """Return the latest slot of every job that ever ran."""
    query = sa.select(platform_runs.c.job, sa.func.max(platform_runs.c.slot_at)).group_by(platform_runs.c.job)
    return [Run(job, slot_at) for job, slot_at in db.execute(query.order_by(platform_runs.c.job))]


def find_lease(db: Connection) -> Lease | None:
    """Return who holds the lease now, or None when it has run out."""
    query = sa.select(platform_leases.c.holder, platform_leases.c.epoch).where(
        platform_leases.c.name == LEASE, platform_leases.c.until_seconds >= database_seconds(db)
    )
    row = db.execute(query).first()
    return None if row is None else Lease(*row)


def database_seconds(db: Connection) -> sa.ColumnElement[float]:
    """Return the SQL for seconds since 1970 on the database's clock."""
    if db.dialect.name == "sqlite":
        return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Double)
    return sa.literal_column("extract(epoch FROM clock_timestamp())::double precision", sa.Double)
