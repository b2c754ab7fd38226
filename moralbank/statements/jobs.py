"""What the scheduler does for statements: issue what is due, and print what was asked for."""

from __future__ import annotations

import errno
from pathlib import Path

from sqlalchemy import Connection

from moralbank import clock, ledger, slots
from moralbank.certificates.service import ensure_key
from moralbank.config import public_url, var_directory
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.residents.queries import was_forgotten_since
from moralbank.statements import printing, prints, service
from moralbank.statements.periods import Period
from moralbank.statements.prints import Print


def issue_periods(database: Database) -> int:
    """Issue every period that is closed, oldest first; return how many statements that made. Once an hour is enough.

    A page of accounts is a transaction, keyed by the account before it: whoever else does the same adds nothing, and
    what was stopped goes on where it was.
    """
    with database.reading() as db:
        due = [(book.book_id, period) for book in ledger.list_books(db) for period in service.due(db, book.book_id)]
    if due:
        database.transact(ensure_key)  # So that what is issued bears a signed code from the first on.
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


def print_runs(database: Database) -> int:
    """Make the print runs that were asked for, go on with what stopped, and drop old ones; return how many files came.

    Once a minute is enough. A run whose disk is full waits for the next minute, and keeps what is whole.
    """
    root = var_directory()
    with database.reading() as db:
        for_removal = [one for one in prints.list_kept(db) if _is_over(db, one)]
        gone = {one.print_id for one in for_removal}
        waiting = [one for one in prints.list_open(db) if one.print_id not in gone]
    for one in for_removal:
        prints.drop_files(root, one)
        database.transact(prints.set_state, one.print_id, "dropped")
    return sum(_go_on(database, root, one) for one in waiting)


def _is_over(db: Connection, one: Print) -> bool:
    """Tell whether a run's files are to go: they are old, or hold somebody who was forgotten since."""
    return one.asked_at < clock.now() - prints.KEPT or was_forgotten_since(db, one.book_id, one.asked_at)


def _go_on(database: Database, root: Path, one: Print) -> int:
    """Make the rest of a run, file by file; return how many."""
    made, url = 0, public_url()
    try:
        while True:
            slots.tell(database, one.done, max(one.total, one.done))
            with database.reading() as db:
                page = printing.read_page(db, one, url)
            if page.made:
                printing.write_part(root, one, page)
            if not page.count and not page.made:
                break
            if not database.transact(prints.keep_part, one, page.last, len(page.made), page.count):
                return made
            made += bool(page.made)
            with database.reading() as db:
                one = prints.get_print(db, one.print_id)
        prints.put_together(root, one)
        database.transact(prints.set_state, one.print_id, "done")
    except OSError as fault:
        full = fault.errno in (errno.ENOSPC, errno.EDQUOT)
        database.transact(prints.set_state, one.print_id, "stopped", "disk-full" if full else "disk-error")
    except MoralBankError as refusal:
        # No paper here, or the book no longer says what was issued: this run waits, those behind it don't.
        database.transact(prints.set_state, one.print_id, "stopped", refusal.code)
    return made
