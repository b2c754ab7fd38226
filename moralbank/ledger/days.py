"""What a day of a book came to, kind by kind and in both units: added up by the database from the day's entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import models
from moralbank.ledger.values import Unit

_entries, _postings = models.entries, models.postings


@dataclass(frozen=True, slots=True)
class KindTotals:
    """What entries of one kind moved on guarded accounts, those of whoever saves points: in and out, as amounts ≥ 0."""

    kind: str
    entries: int
    points_in: int
    points_out: int
    minutes_in: int
    minutes_out: int


def first_day(db: Connection, book: int) -> date | None:
    """Return the local day of the book's first entry, or None while it has none."""
    query = sa.select(sa.func.min(_entries.c.posted_at, type_=_entries.c.posted_at.type))
    first = db.execute(query.where(_entries.c.book_id == book)).scalar()
    return None if first is None else clock.local(first).date()


def totals_of_day(db: Connection, book: int, day: date) -> list[KindTotals]:
    """Return what was posted on a local day, by kind; kinds of which nothing was posted are left out."""
    on_day = (
        _entries.c.book_id == book,
        _entries.c.posted_at >= clock.start_of(day),
        _entries.c.posted_at < clock.end_of(day),
    )

    def moved(unit: Unit, sign: int) -> sa.ColumnElement[int]:
        # Lines of guarded accounts have numbers, those of summed ones none.
        amount = _postings.c.amount * sign
        counted = (_postings.c.unit == int(unit)) & _postings.c.n.is_not(None) & (amount > 0)
        return sa.func.coalesce(sa.func.sum(sa.case((counted, amount), else_=0)), 0)

    query = (
        sa.select(
            _entries.c.kind,
            sa.func.count(sa.distinct(_entries.c.entry_id)),
            *(moved(unit, sign) for unit in (Unit.POINTS, Unit.MINUTES) for sign in (1, -1)),
        )
        .join(_postings, (_postings.c.book_id == _entries.c.book_id) & (_postings.c.entry_id == _entries.c.entry_id))
        .where(*on_day)
        .group_by(_entries.c.kind)
        .order_by(_entries.c.kind)
    )
    return [KindTotals(kind, *(int(figure) for figure in figures)) for kind, *figures in db.execute(query)]
