"""What the scheduler does for statements: issue what is due, and print what was asked for."""

from __future__ import annotations

from moralbank import ledger, slots
from moralbank.db import Database
from moralbank.statements import service
from moralbank.statements.periods import Period


def issue_periods(database: Database) -> int:
    """Issue every period that is closed, oldest first; return how many statements that made. Once an hour is enough.

    A page of accounts is a transaction, keyed by the account before it: whoever else does the same adds nothing, and
    what was stopped goes on where it was.
    """
    with database.reading() as db:
        due = [(book.book_id, period) for book in ledger.list_books(db) for period in service.due(db, book.book_id)]
    return sum(issue_period(database, book, period) for book, period in due)


def issue_period(database: Database, book: int, period: Period) -> int:
    """Issue a period of a book, from where it is; return how many statements that made.

    Raises: PeriodNotClosed.
    """
    run = database.transact(service.begin, book, period)
    with database.reading() as db:
        total = ledger.count_accounts(db, book)
    made = done = 0
    while not run.is_ended:
        slots.tell(database, done, total)
        with database.reading() as db:
            page = service.read_page(db, run)
        if database.transact(service.keep_page, page):
            made += len(page.rows)
        done += page.accounts
        with database.reading() as db:
            run = service.get_run(db, book, period)
    return made
