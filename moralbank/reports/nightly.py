"""What the nightly verification found, book by book, for whoever watches over them."""

from __future__ import annotations

from sqlalchemy import Connection

from moralbank import findings
from moralbank.findings import Finding

#: What a finding about a book is called, before the book's number.
BOOKS = "books:"


def name_of(book: int) -> str:
    """Return what a finding about a book is called."""
    return f"{BOOKS}{book}"


def find_check(db: Connection, book: int) -> Finding | None:
    """Return what the last verification of a book found, or None when there was none yet."""
    return next((one for one in findings.list_findings(db, BOOKS) if one.name == name_of(book)), None)


def list_broken(db: Connection) -> set[int]:
    """Return the books that were found broken."""
    return {int(one.name.removeprefix(BOOKS)) for one in findings.list_findings(db, BOOKS) if not one.is_good}
