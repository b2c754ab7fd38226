"""What the scheduler does for redemptions; it may run any number of times."""

from __future__ import annotations

from moralbank.db import Database
from moralbank.redemptions import codes, phone_orders, vouchers

PAGE = 200


def purge_codes(database: Database) -> int:
    """Forget payment codes that nobody used within a day; return how many."""
    return database.transact(codes.purge_codes)


def lapse_vouchers(database: Database) -> int:
    """End what was reserved and not collected in time, so that its points are back; return how many it were."""
    found = 0
    while done := database.transact(vouchers.lapse, PAGE):
        found += done
    return found


def expire_phone_orders(database: Database) -> int:
    """End what nobody agreed to on the phone in time; return how many orders that were."""
    found = 0
    while done := database.transact(phone_orders.expire, PAGE):
        found += done
    return found
