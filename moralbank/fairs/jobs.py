"""What the scheduler does for fairs; it may run any number of times."""

from __future__ import annotations

from sqlalchemy import Connection

from moralbank import clock
from moralbank.db import Database
from moralbank.fairs import queries, service


def end_passes(database: Database) -> int:
    """Take back the logins of stalls whose day is over; return how many."""
    return database.transact(_end)


def _end(db: Connection) -> int:
    over = queries.list_ended(db, clock.now())
    for one in over:
        service.end_pass(db, one)
    return len(over)
