"""A street whose shop sold in October."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.merchants.queries import get_merchant
from moralbank.redemptions import service as redemptions
from moralbank.settlements import service
from moralbank.settlements.queries import Settlement, next_month
from tests._worlds import world
from tests.redemptions.conftest import Street, make_street, pay

OCTOBER = date(2026, 10, 1)
NOVEMBER = date(2026, 11, 1)
IN_OCTOBER = datetime(2026, 10, 14, 4, 0, tzinfo=UTC)
IN_NOVEMBER = datetime(2026, 11, 4, 4, 0, tzinfo=UTC)
IN_DECEMBER = datetime(2026, 12, 4, 4, 0, tzinfo=UTC)


def settle(
    database: Database, street: Street, month: date = OCTOBER, at: datetime = IN_NOVEMBER, actor: str = "staff:7"
) -> list[Settlement]:
    """Close the month's days and settle the shop's month."""
    with clock.at(at):
        last_day = next_month(month) - timedelta(days=1)
        database.transact(ledger.close_day, street.shop.book_id, last_day)
        with database.reading() as db:
            merchant = get_merchant(db, street.shop.merchant_id)
        return database.transact(service.settle, merchant, month, actor=actor)


@world
def october(database: Database) -> Street:
    """Zhang bought soap and a towel, took a towel back, typed 20 points, and borrowed an umbrella for nothing."""
    with clock.at(IN_OCTOBER):
        street = database.transact(make_street)
        pay(database, street, offer=street.soap)
        pay(database, street, offer=street.towel)
        taken_back = pay(database, street, offer=street.towel, again=True)
        database.transact(redemptions.undo, street.till, taken_back.charge_id)
        pay(database, street, points=20)
        pay(database, street, offer=street.umbrella)
    return street
