"""What the scheduler does for activities; each job may run any number of times."""

from __future__ import annotations

from moralbank import clock
from moralbank.activities import checkin, helped, late, late_queries, receipts
from moralbank.db import Database


def close_forgotten(database: Database) -> int:
    """Check out at the planned end whoever forgot to; return how many."""
    return database.transact(checkin.close_forgotten, clock.now())


PAGE = 100


def post_late(database: Database) -> int:
    """Credit the late entries whose notice period is over, each in a transaction of its own; return how many."""
    posted = 0
    while due := database.look(late_queries.list_due, clock.now(), PAGE):
        for late_id in due:
            database.transact(late.post_due, late_id)
        posted += len(due)
    return posted


def forget_helped(database: Database) -> int:
    """Blank the names of helped people who are no residents, a month after their session; return how many."""
    return database.transact(helped.forget_labels, clock.now())


def purge_receipts(database: Database) -> int:
    """Forget the receipts of scans that nobody finished; return how many."""
    return database.transact(receipts.purge_receipts, clock.now())
