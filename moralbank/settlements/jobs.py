"""What the scheduler does for settlements; it may run any number of times."""

from __future__ import annotations

from datetime import timedelta

from moralbank import clock, slots
from moralbank.db import Database
from moralbank.settlements import service
from moralbank.settlements.errors import MonthNotClosed
from moralbank.settlements.queries import all_merchants


def settle_months(database: Database) -> int:
    """Settle last month for every merchant, once its days are closed, and confirm what nobody disputed in time.

    Return how many settlements there are of that month. A merchant is a transaction of its own.
    """
    month = (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)
    with database.reading() as db:
        merchants = all_merchants(db)
    issued = 0
    for done, merchant in enumerate(merchants):
        slots.tell(database, done, len(merchants))
        try:
            issued += len(database.transact(service.settle, merchant, month, actor=service.SYSTEM))
        except MonthNotClosed:
            continue
    database.transact(service.confirm_silent, clock.today())
    return issued
