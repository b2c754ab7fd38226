"""What the scheduler does for the books; it may run any number of times."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.db import Database
from moralbank.ledger.books import list_books
from moralbank.ledger.expiry import due_accounts
from moralbank.ledger.folds import fold, settled_seq
from moralbank.ledger.posting import expire

PAGE_ACCOUNTS = 200


def fold_books(database: Database) -> int:
    """Move the running totals of every book's summed accounts on; return how many moved."""
    with database.reading() as db:
        books = list_books(db)
    # The number is read in a transaction of its own, since nobody posts while that is open.
    return sum(database.transact(fold, book.book_id, database.transact(settled_seq, book.book_id)) for book in books)


def expire_points(database: Database) -> int:
    """Tell holders what is about to expire and take away what has; return from how many accounts.

    A page of accounts is one transaction. What a spend took away before is not there any more, and a key names the line
    before it, so that nothing goes twice.
    """
    with database.reading() as db:
        books = list_books(db)
    found = 0
    for book in books:
        after = 0
        while True:
            last, gone = database.transact(_expire_page, book.book_id, after)
            found += gone
            if last is None:
                break
            after = last
    return found


def _expire_page(db: Connection, book: int, after: int) -> tuple[int | None, int]:
    today = clock.today()
    accounts = due_accounts(db, book, today, after=after, limit=PAGE_ACCOUNTS)
    if not accounts:
        return None, 0
    return accounts[-1], expire(db, book, accounts, today)
