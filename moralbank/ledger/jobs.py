"""What the scheduler does for the books; it may run any number of times."""

from __future__ import annotations

from moralbank.db import Database
from moralbank.ledger.books import list_books
from moralbank.ledger.folds import fold, settled_seq


def fold_books(database: Database) -> int:
    """Move the running totals of every book's summed accounts on; return how many moved."""
    with database.reading() as db:
        books = list_books(db)
    # The number is read in a transaction of its own, since nobody posts while that is open.
    return sum(database.transact(fold, book.book_id, database.transact(settled_seq, book.book_id)) for book in books)
