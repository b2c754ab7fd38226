"""What the scheduler does for whoever watches over the books: every night it makes them again and says what differs."""

from __future__ import annotations

from sqlalchemy import Connection

from moralbank import clock, findings, ledger, slots
from moralbank.db import Database
from moralbank.ledger import Book
from moralbank.reports import beside, nightly
from moralbank.reports.nightly import BOOKS, name_of
from moralbank.transparency.verify import verify_all


def verify_books(database: Database) -> int:
    """Recompute every invariant of every book that wasn't this night; return how many books are broken.

    Entry by entry from the rows and the leaf bytes, the logs from their leaves, and what stands beside the books. A
    book is one snapshot, and what is found is kept for each by itself: a process that is killed at one goes on with it
    within the hour. Once an hour is enough. Auditors and administrators are told when what is found is news.
    """
    with database.reading() as db:
        last = {one.name: one.found_at for one in findings.list_findings(db, BOOKS)}
        due = [book for book in ledger.list_books(db) if findings.is_due(last.get(name_of(book.book_id)), clock.now())]
        total = sum(ledger.count_entries(db, book.book_id) for book in due)
    if not due:
        return 0
    database.transact(_begin)
    before = broken = 0
    for book in due:
        found, entries = _verify(database, book, before, total)
        before += entries
        broken += found is not None
        database.transact(nightly.note, book, is_good=found is None, said=found or f"{entries:,} entries")
    return broken


def _begin(_db: Connection) -> None:
    """Take the job's slot before what takes long, so that nobody else begins the same."""


def _verify(database: Database, book: Book, before: int, total: int) -> tuple[str | None, int]:
    """Return what of a book is broken first, or None, and how many entries it has."""

    def tell(entries: int) -> None:
        slots.tell(database, before + entries, total)

    with database.reading() as db:
        report = ledger.verify(db, book.book_id, tell)
        if not report.is_sound:
            return str(report.first_fault), report.entries
        for log in verify_all(db, book.book_id):
            if not log.is_sound:
                return f"{log.log.name.lower()} log: {log.faults[0]}", report.entries
        faults = beside.verify(db, book.book_id).faults
    return (faults[0] if faults else None), report.entries
