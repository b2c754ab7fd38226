"""What the scheduler does for settlements; it may run any number of times."""

from __future__ import annotations

from datetime import timedelta

from moralbank import clock
from moralbank.db import Database
from moralbank.merchants.queries import LIST_MAX, Merchant, list_merchants
from moralbank.settlements import service
from moralbank.settlements.errors import MonthNotClosed


def settle_months(database: Database) -> int:
    """Settle last month for every merchant, once its days are closed, and confirm what nobody disputed in time.

    Return how many settlements there are of that month. A merchant is a transaction of its own.
    """
    month = (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)
    issued, after = 0, 0
    while merchants := _page(database, after):
        for merchant in merchants:
            try:
                issued += len(database.transact(service.settle, merchant, month, actor=service.SYSTEM))
            except MonthNotClosed:
                continue
        after = merchants[-1].merchant_id
    database.transact(service.confirm_silent, clock.today())
    return issued


def _page(database: Database, after: int) -> list[Merchant]:
    with database.reading() as db:
        return list_merchants(db, after_id=after, limit=LIST_MAX)
