"""The small book of the ledger's tests, and its two logs."""

from __future__ import annotations

from moralbank.db import Database
from tests._worlds import world
from tests.ledger.conftest import Book, open_test_book


@world
def book(database: Database) -> Book:
    return database.transact(open_test_book)
