"""Seals the days of a book, one after the other."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.noticeboard import models, queries, values
from moralbank.transparency import Log, append_fact, facts

#: A day is closed so long after it ended: whoever still posts into it at midnight has long come to an end.
SETTLED = timedelta(hours=1)
KIND = "snap"

_days = models.days


def seal_next_day(db: Connection, book: int) -> date | None:
    """Close the oldest day that isn't sealed yet and seal it; None when none is due.

    Writes: the close, a `snap` leaf with what the day came to and with what an auditor holds the close and the accounts
        against, and which leaf it is; all of it or nothing. Nothing of a book comes before its first entry.
    """
    day = next_day(db, book)
    if day is None:
        return None
    # Whoever closes holds the book's days: what was next before they were held may be sealed by now.
    ledger.close_day(db, book, day)
    if next_day(db, book) != day:
        return None
    before = queries.find_day(db, book, day - timedelta(days=1))
    sealed = values.following(day, ledger.totals_of_day(db, book, day), before)
    append_fact(db, book, Log.LEDGER, KIND, sealed.fields() | ledger.closing_evidence(db, book, day))
    no = facts.find_last(db, book, Log.LEDGER)
    db.execute(_days.insert().values(book_id=book, day=day, fact_no=no))
    return day


def next_day(db: Connection, book: int) -> date | None:
    """Return the oldest day that is over and isn't sealed yet, or None."""
    last = db.execute(sa.select(sa.func.max(_days.c.day)).where(_days.c.book_id == book)).scalar()
    day = ledger.first_day(db, book) if last is None else last + timedelta(days=1)
    return day if day is not None and clock.end_of(day) + SETTLED <= clock.now() else None
