"""What the scheduler does for the notice board; it may run any number of times."""

from __future__ import annotations

from moralbank import ledger
from moralbank.db import Database
from moralbank.noticeboard import service

#: After a long stop so many days of each book are made up for at once; the next run goes on.
DAYS_MAX = 100


def seal_days(database: Database) -> int:
    """Close and seal the days that are over, oldest first, each in a transaction of its own; return how many."""
    with database.reading() as db:
        books = [book.book_id for book in ledger.list_books(db)]
    sealed = 0
    for book in books:
        for _ in range(DAYS_MAX):
            if database.transact(service.seal_next_day, book) is None:
                break
            sealed += 1
    return sealed
