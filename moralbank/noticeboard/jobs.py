"""What the scheduler does for the notice board; it may run any number of times."""

from __future__ import annotations

from moralbank import ledger
from moralbank.db import Database
from moralbank.noticeboard import service

#: After a long stop so many days are made up for at once, and the others in the runs after: a run that takes long keeps
#: other work waiting.
DAYS_MAX = 60


def seal_days(database: Database) -> int:
    """Close and seal the days that are over, oldest first, each in a transaction of its own; return how many."""
    with database.reading() as db:
        books = [book.book_id for book in ledger.list_books(db) if service.next_day(db, book.book_id)]
    sealed = 0
    for book in books:
        while sealed < DAYS_MAX and database.transact(service.seal_next_day, book) is not None:
            sealed += 1
    return sealed
