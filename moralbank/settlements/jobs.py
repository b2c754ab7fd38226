"""What the scheduler does for settlements; it may run any number of times."""

from __future__ import annotations

from datetime import timedelta

from moralbank import clock, slots
from moralbank.db import Database
from moralbank.merchants.queries import LIST_MAX, Merchant, list_merchants
from moralbank.settlements import service
from moralbank.settlements.errors import MonthNotClosed


def settle_months(database: Database) -> int:
    """Settle last month for every merchant, once its days are closed, and confirm what nobody disputed in time.

    Return how many settlements there are of that month. A merchant is a transaction of its own.
    """
    month = (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)
    merchants, issued = _merchants(database), 0
    for done, merchant in enumerate(merchants):
        slots.tell(database, done, len(merchants))
        try:
            issued += len(database.transact(service.settle, merchant, month, actor=service.SYSTEM))
        except MonthNotClosed:
            continue
    database.transact(service.confirm_silent, clock.today())
    return issued


def _merchants(database: Database) -> list[Merchant]:
    found: list[Merchant] = []
    with database.reading() as db:
        while page := list_merchants(db, after_id=found[-1].merchant_id if found else 0, limit=LIST_MAX):
            found += page
    return found
