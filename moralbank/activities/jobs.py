"""What the scheduler does for activities; each job may run any number of times."""

from __future__ import annotations

from moralbank import clock
from moralbank.activities import checkin, receipts
from moralbank.db import Database


def close_forgotten(database: Database) -> int:
    """Check out at the planned end whoever forgot to; return how many."""
    return database.transact(checkin.close_forgotten, clock.now())


def purge_receipts(database: Database) -> int:
    """Forget the receipts of scans that nobody finished; return how many."""
    return database.transact(receipts.purge_receipts, clock.now())
