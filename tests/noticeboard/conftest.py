"""The small book of the ledger's tests, in a week of March that can be walked through."""

from __future__ import annotations

from datetime import datetime

from moralbank import clock
from moralbank.db import Database
from tests._worlds import world
from tests.ledger.conftest import Book, open_test_book


def at(day: int, hour: int = 10, minute: int = 0) -> datetime:
    """An instant in March 2026 on the bank's clock."""
    return datetime(2026, 3, day, hour, minute, tzinfo=clock.TIMEZONE)


@world
def book(database: Database) -> Book:
    with clock.at(at(1)):
        return database.transact(open_test_book)
