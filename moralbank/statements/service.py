"""Issues the statements of a period for a whole book, page by page; an issued statement is frozen.

A period is issued once all its days are closed, so that nothing can come into it any more: what is read of it is read
outside the transaction that keeps it, and reading it again gives the same octets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import insert_for
from moralbank.ledger import Unit
from moralbank.statements import content
from moralbank.statements.content import Content
from moralbank.statements.errors import PeriodNotClosed
from moralbank.statements.models import issued, runs
from moralbank.statements.periods import Period, periods_ended, read_period

#: How many accounts a page has: a transaction of this many rows.
PAGE_ACCOUNTS = 1_000


@dataclass(frozen=True, slots=True)
class Run:
    """How far a period of a book is."""

    book: int
    period: Period
    through_account: int
    statements: int
    lines: int
    is_ended: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What one page of a period comes to; the account before it is its key."""

    book: int
    period: Period
    after: int
    through: int
    #: How many accounts were looked at, and what is issued to those that ever had a line.
    accounts: int
    rows: list[dict[str, Any]]
    is_last: bool

    @property
    def lines(self) -> int:
        return sum(row["points_lines"] + row["minutes_lines"] for row in self.rows)


def due(db: Connection, book: int) -> list[Period]:
    """Return the periods of a book that are closed and not wholly issued, oldest first."""
    first, closed = ledger.first_day(db, book), ledger.closed_through(db, book)
    if first is None or closed is None:
        return []
    done = sa.select(runs.c.period).where(runs.c.book_id == book, runs.c.ended_at.is_not(None))
    ended = set(db.execute(done).scalars())
    return [period for period in periods_ended(first, closed) if period.name not in ended]


def begin(db: Connection, book: int, period: Period) -> Run:
    """Open a period's run, or return it as far as it is.

    Raises: PeriodNotClosed.
    """
    closed = ledger.closed_through(db, book)
    if closed is None or closed < period.last:
        raise PeriodNotClosed(period=period.name)
    new = insert_for(db, runs).values(
        book_id=book, period=period.name, begun_at=clock.now(), through_account=0, statements=0, lines=0
    )
    db.execute(new.on_conflict_do_nothing())
    return get_run(db, book, period)


def get_run(db: Connection, book: int, period: Period) -> Run:
    """Return how far a period is that was begun."""
    row = db.execute(sa.select(runs).where(runs.c.book_id == book, runs.c.period == period.name)).one()
    return _run(row)


def list_runs(db: Connection, book: int, *, limit: int = 50) -> list[Run]:
    """Return the periods of a book that are issued or on the way, the latest first."""
    query = sa.select(runs).where(runs.c.book_id == book).order_by(runs.c.begun_at.desc(), runs.c.period.desc())
    return [_run(row) for row in db.execute(query.limit(limit))]


def _run(row: sa.Row[Any]) -> Run:
    period = read_period(row.period)
    return Run(row.book_id, period, row.through_account, row.statements, row.lines, row.ended_at is not None)


def read_page(db: Connection, run: Run, limit: int = PAGE_ACCOUNTS) -> Page:
    """Read what the next accounts' statements come to; nothing is kept yet."""
    accounts = ledger.account_page(db, run.book, run.through_account, limit)
    is_last = len(accounts) < limit
    through = accounts[-1][0] if accounts else run.through_account
    rows = list(_rows(db, run.book, run.period, accounts))
    return Page(run.book, run.period, run.through_account, through, len(accounts), rows, is_last)


def _rows(
    db: Connection, book: int, period: Period, accounts: list[tuple[int, ledger.AccountKind]]
) -> Iterator[dict[str, Any]]:
    sections = ledger.stream_sections(db, book, accounts, period.since, period.until)
    for account, of_account in groupby(sections, lambda section: section.account):
        made = content.write(Content(book, account, period.name, period.since, period.until), of_account)
        if made.is_something:
            yield {"book_id": book, "account_id": account, "period": period.name} | _figures(made)


def _figures(made: Content) -> dict[str, Any]:
    figures: dict[str, Any] = {"content_hash": made.digest()}
    for name, unit in (("points", Unit.POINTS), ("minutes", Unit.MINUTES)):
        edges = made.of(unit)
        figures |= {
            f"{name}_opening_n": edges.opening_n,
            f"{name}_opening": edges.opening,
            f"{name}_lines": edges.lines,
            f"{name}_closing": edges.closing,
        }
    return figures


def keep_page(db: Connection, page: Page) -> bool:
    """Keep a page, unless somebody else has; tell whether that was so. Its key is the account before it."""
    at = clock.now()
    moved = (
        sa.update(runs)
        .where(
            runs.c.book_id == page.book,
            runs.c.period == page.period.name,
            runs.c.through_account == page.after,
            runs.c.ended_at.is_(None),
        )
        .values(
            through_account=page.through,
            statements=runs.c.statements + len(page.rows),
            lines=runs.c.lines + page.lines,
            ended_at=at if page.is_last else None,
        )
    )
    if db.execute(moved).rowcount == 0:
        return False
    if page.rows:
        db.execute(issued.insert(), [row | {"issued_at": at} for row in page.rows])
    return True
