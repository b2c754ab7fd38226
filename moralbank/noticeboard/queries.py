"""Reads sealed days. What a day came to is read from its leaf."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.noticeboard import models, values
from moralbank.noticeboard.values import Day
from moralbank.transparency import Log, facts, queries

PAGE = 31

_days = models.days


def find_day(db: Connection, book: int, day: date) -> Day | None:
    """Return what a sealed day came to, as its leaf says, or None."""
    number = _number(db, book, day)
    return None if number is None else _days_of(db, book, [number])[0]


def list_days(db: Connection, book: int, before: date | None = None, limit: int = PAGE) -> list[Day]:
    """Return the sealed days before one, latest first, at most `limit`."""
    query = sa.select(_days.c.fact_no).where(_days.c.book_id == book).order_by(_days.c.day.desc()).limit(limit)
    if before is not None:
        query = query.where(_days.c.day < before)
    return _days_of(db, book, list(db.execute(query).scalars()))


def list_numbers(db: Connection, book: int) -> list[tuple[date, int]]:
    """Return the sealed days, each with the number of the fact that seals it."""
    query = sa.select(_days.c.day, _days.c.fact_no).where(_days.c.book_id == book).order_by(_days.c.day)
    return [(day, no) for day, no in db.execute(query)]


def latest_day(db: Connection, book: int) -> date | None:
    """Return the last sealed day, or None."""
    found: date | None = db.execute(sa.select(sa.func.max(_days.c.day)).where(_days.c.book_id == book)).scalar()
    return found


def _number(db: Connection, book: int, day: date) -> int | None:
    query = sa.select(_days.c.fact_no).where(_days.c.book_id == book, _days.c.day == day)
    found: int | None = db.execute(query).scalar()
    return found


def index_of_day(db: Connection, book: int, day: date) -> int | None:
    """Return where the seal of a day is in the ledger's log; None while it isn't there."""
    number = _number(db, book, day)
    return None if number is None else queries.leaf_index_of_fact(db, book, Log.LEDGER, number)


def _days_of(db: Connection, book: int, numbers: list[int]) -> list[Day]:
    """Return the days that the facts of these numbers seal, in the order given."""
    if not numbers:
        return []
    first = min(numbers)
    leaves = dict(facts.list_leaves(db, book, Log.LEDGER, first, max(numbers) - first + 1))
    return [values.read_day(leaves[number]) for number in numbers]
