"""What the nightly verification found, book by book, for whoever watches over them, who are told what is news."""

from __future__ import annotations

import re

from sqlalchemy import Connection

from moralbank import clock, findings
from moralbank.access.queries import list_watchers
from moralbank.branches.queries import find_hub
from moralbank.findings import BOOKS, SAID_MAX, Finding
from moralbank.ledger import Book
from moralbank.messages import service as messages
from moralbank.messages.values import Note

#: Who is told of a book that is broken.
WATCHERS = ("auditor", "admin")


def name_of(book: int) -> str:
    """Return what a finding about a book is called."""
    return f"{BOOKS}{book}"


def find_check(db: Connection, book: int) -> Finding | None:
    """Return what the last verification of a book found, or None when there was none yet."""
    return next((one for one in findings.list_findings(db, BOOKS) if one.name == name_of(book)), None)


def list_broken(db: Connection) -> set[int]:
    """Return the books that were found broken."""
    return {int(one.name.removeprefix(BOOKS)) for one in findings.list_findings(db, BOOKS) if not one.is_good}


def note(db: Connection, book: Book, *, is_good: bool, said: str) -> None:
    """Write down what was found in a book; tell its auditors and administrators when that is news to them.

    News is a fault that wasn't there before, another one than before, and that it is over; a fault that only lasts
    is told once.
    """
    before = find_check(db, book.book_id)
    findings.note(db, name_of(book.book_id), is_good=is_good, said=said)
    was_good = before is None or before.is_good
    if is_good and was_good:
        return
    if not is_good and before is not None and not before.is_good and _fault_of(before.said) == _fault_of(said):
        return
    hub = find_hub(db, book.book_id)
    if hub is None:
        return
    kind = "book_whole" if is_good else "book_broken"
    event = f"{kind}:{book.book_id}:{clock.now():%Y%m%dT%H%M%S}"
    facts = {"book": book.name} if is_good else {"book": book.name, "fault": said[:SAID_MAX]}
    messages.tell(
        db,
        [
            Note(kind, event, hub.branch_id, login_id=login, facts=facts)
            for login in list_watchers(db, hub.path, WATCHERS)
        ],
    )


def _fault_of(said: str) -> str:
    """Return what of a finding names the fault: its details, and the counts of a log, grow while the fault lasts."""
    where, _, _ = said[:SAID_MAX].partition(" (")
    return re.sub(r"\d+", "#", where) if " log: " in where else where
