"""What the scheduler does for settlements; it may run any number of times."""

from __future__ import annotations

from datetime import timedelta

from moralbank import clock, slots
from moralbank.db import Database
from moralbank.merchants.queries import Merchant, all_merchants
from moralbank.settlements import service
from moralbank.settlements.errors import MonthNotClosed
from moralbank.settlements.queries import list_unsettled_months


def settle_months(database: Database) -> int:
    """Settle every closed month of every merchant that isn't settled, oldest first, and confirm what nobody disputed
    in time.

    Return how many settlements there are of last month, and how many came of months before. A merchant's month is a
    transaction of its own.
    """
    with database.reading() as db:
        merchants = all_merchants(db)
    issued = 0
    for done, merchant in enumerate(merchants):
        slots.tell(database, done, len(merchants))
        issued += _settle(database, merchant)
    database.transact(service.confirm_silent, clock.today())
    return issued


def _settle(database: Database, merchant: Merchant) -> int:
    """Settle what a merchant sold in months before last month and was never settled, and then last month.

    A month before in which nothing was sold stays as it is: corrections and what is carried on belong to the next
    settlement there is, which last month's may always be.
    """
    last = (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)
    with database.reading() as db:
        before = list_unsettled_months(db, merchant, last)
    issued = 0
    for month in (*before, last):
        try:
            issued += len(database.transact(service.settle, merchant, month, actor=service.SYSTEM))
        except MonthNotClosed:
            break  # Nor are those after it.
    return issued
