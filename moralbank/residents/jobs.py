"""Drives imports: reads a file into a preview, enrols page by page, goes on with what a process left.

Each page is a transaction of its own. Views, commands and the scheduler begin here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import IO, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.branches import queries as branches
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.messages import queries as messages
from moralbank.messages.service import tell
from moralbank.messages.values import Note
from moralbank.residents import importing, queries, roster
from moralbank.residents.import_queries import State, list_quiet
from moralbank.residents.roster import Sheet

#: A running import that wrote nothing for so long has lost its process.
QUIET = timedelta(seconds=60)
#: A preview that nobody confirmed is forgotten, names and all.
PREVIEW_KEPT = timedelta(days=7)
EXPIRY_PAGE = 500
_PAGE_TRIES = 5

log = logging.getLogger(__name__)
T = TypeVar("T")


def read_roster(database: Database, branch: Branch, stream: IO[bytes], file_name: str, *, actor: str) -> int:
    """Read a roster for a branch and those below it, and return the import whose preview it opens.

    Raises (in the order checked): what roster.read raises, BranchWithoutBook, what the rows raise.
    """
    with database.reading() as db:
        sheet = _sheet(db, branch, stream, file_name)
    import_id = database.transact(_begin, branch, sheet, file_name, actor)
    try:
        for page in _pages(sheet, importing.PAGE_ROWS):
            database.transact(importing.add_rows, import_id, page)
    except MoralBankError:
        database.transact(importing.drop_import, import_id)
        raise
    database.transact(importing.end_reading, import_id)
    return import_id


def read_at_once(db: Connection, branch: Branch, stream: IO[bytes], file_name: str, *, actor: str) -> int:
    """As read_roster, for a small file and within the caller's transaction."""
    sheet = _sheet(db, branch, stream, file_name)
    import_id = _begin(db, branch, sheet, file_name, actor)
    for page in _pages(sheet, importing.PAGE_ROWS):
        importing.add_rows(db, import_id, page)
    importing.end_reading(db, import_id)
    return import_id


def run_import(database: Database, import_id: int, progress: Callable[[int], object] = lambda rows: None) -> None:
    """Enrol the rest of a running import, page by page; a refusal of the books stops it and keeps its reason.

    progress is told how many more rows were dealt with.
    """
    try:
        while rows := _import_page(database, import_id):
            progress(rows)
    except MoralBankError as refusal:
        log.warning("roster import %s stopped: %s", import_id, refusal.code)
        database.transact(importing.stop_import, import_id, refusal.code)


def start_import(database: Database, import_id: int) -> None:
    """Run an import beside the request; if this process ends, continue_imports goes on with it."""
    threading.Thread(target=run_import, args=(database, import_id), name=f"import-{import_id}", daemon=True).start()


def continue_imports(database: Database) -> int:
    """Go on with running imports whose process is gone; return how many. Once a minute is often enough."""
    with database.reading() as db:
        left = list_quiet(db, [State.RUNNING], clock.now() - QUIET)
    for import_id in left:
        run_import(database, import_id)
    return len(left)


def forget_previews(database: Database) -> int:
    """Forget rosters that nobody confirmed for a week; return how many. Once a day is often enough."""
    with database.reading() as db:
        left = list_quiet(db, [State.READING, State.PREVIEW], clock.now() - PREVIEW_KEPT)
    for import_id in left:
        database.transact(importing.drop_import, import_id)
    return len(left)


def tell_of_expiry(database: Database) -> int:
    """Tell residents what the book noted for them to expire; return how many were told.

    What was noted is looked at for as long as it holds somebody's points back, and told once.
    """
    today, found = clock.today(), 0
    with database.reading() as db:
        books = ledger.list_books(db)
    for book in books:
        for days in range(ledger.EXPIRY_NOTICE.days, -1, -1):
            noted_on, after = today - timedelta(days=days), None
            while True:
                count, after = database.transact(_tell_page, book.book_id, noted_on, after)
                found += count
                if after is None:
                    break
    return found


_NoticeKey = tuple[int, date, int]


def _tell_page(db: Connection, book: int, noted_on: date, after: _NoticeKey | None) -> tuple[int, _NoticeKey | None]:
    page = ledger.list_fresh_notices(db, book, noted_on, after=after, limit=EXPIRY_PAGE)
    if not page:
        return 0, None
    events = {notice: f"expiry:{book}:{notice.account}:{notice.expires_on}:{notice.step}" for notice in page}
    told = messages.list_told(db, events.values())
    fresh = [notice for notice in page if events[notice] not in told]
    holders: dict[int, list[tuple[int, int]]] = {}
    for account, resident_id, branch_id in queries.holders_of(db, {notice.account for notice in fresh}):
        holders.setdefault(account, []).append((resident_id, branch_id))
    notes = [
        Note("expiry", events[notice], branch_id, resident_id, facts=_expiry_facts(notice))
        for notice in fresh
        for resident_id, branch_id in holders.get(notice.account, ())
    ]
    tell(db, notes)
    last = page[-1]
    return len(notes), (last.account, last.expires_on, last.step) if len(page) == EXPIRY_PAGE else None


def _expiry_facts(notice: ledger.Notice) -> dict[str, str | int]:
    return {"points": notice.points, "day": notice.expires_on.isoformat()}


def _sheet(db: Connection, branch: Branch, stream: IO[bytes], file_name: str) -> Sheet:
    names = _names(branches.list_branches(db, branch.branch_id), branch.book_id)
    return roster.read(stream, file_name, names)


def _begin(db: Connection, branch: Branch, sheet: Sheet, file_name: str, actor: str) -> int:
    texts = {"file_name": file_name, "file_format": sheet.file_format}
    return importing.begin_import(db, branch, header=sheet.header, actor=actor, **texts)


def _import_page(database: Database, import_id: int) -> int:
    """Do one page, anew when somebody of it was enrolled elsewhere in the same moment: now they are here."""
    for _ in range(_PAGE_TRIES - 1):
        try:
            return database.transact(importing.import_page, import_id)
        except sa.exc.IntegrityError:
            continue
    return database.transact(importing.import_page, import_id)


def _names(found: Iterable[Branch], book_id: int | None) -> dict[str, int]:
    """Return every way in which a roster may name the branches of a book."""
    names: dict[str, int] = {}
    for branch in found:
        if branch.book_id == book_id:
            for name in (branch.name_zh, branch.name_en, branch.code):
                names.setdefault(name, branch.branch_id)
    return names


def _pages(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while page := list(islice(iterator, size)):
        yield page
