"""A scheduler of its own with one short job, for tests that kill it: `python -m tests._scheduler_process URL`."""

from __future__ import annotations

import sys
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.db import Database
from moralbank.periodic.jobs import Job
from moralbank.scheduler import run

metadata = sa.MetaData()
effects = sa.Table(
    "trial_effects",
    metadata,
    sa.Column("effect_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
)

EVERY = timedelta(seconds=0.2)
TICK_SECONDS = 0.05
LEASE_SECONDS = 0.8


def leave_an_effect(database: Database) -> int:
    def act(db: Connection) -> int:
        db.execute(effects.insert().values())
        return 1

    return database.transact(act)


if __name__ == "__main__":
    run(Database(sys.argv[1]), [Job("trial", "试", EVERY, leave_an_effect)], TICK_SECONDS, LEASE_SECONDS)
