"""What was posted in a span of time: by branch for figures, and award by award for a public notice."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models
from moralbank.ledger.values import Unit

_entries, _postings = models.entries, models.postings


@dataclass(frozen=True, slots=True)
class SpanSum:
    """What entries of one kind and grade at one branch moved on guarded accounts: in and out, as amounts ≥ 0."""

    branch_id: int | None
    kind: str
    grade: str | None
    entries: int
    points_in: int
    points_out: int
    minutes_in: int
    minutes_out: int


@dataclass(frozen=True, slots=True)
class AwardInSpan:
    """An award that stands at the end of the span, as its holder got it."""

    entry_id: UUID
    account: int
    branch_id: int | None
    grade: str | None
    points: int
    minutes: int


@dataclass(frozen=True, slots=True)
class AccountSum:
    """What entries of some kinds moved on one guarded account."""

    account: int
    points: int
    minutes: int


def _within(book: int, since: datetime, until: datetime) -> list[sa.ColumnElement[bool]]:
    row = _entries.c
    return [row.book_id == book, row.posted_at >= since, row.posted_at < until]


def _moved(unit: Unit, sign: int | None = None) -> sa.ColumnElement[int]:
    """Return the sum of a unit over lines of guarded accounts; with a sign only of what came in, or went out."""
    row = _postings.c
    amount = row.amount if sign is None else row.amount * sign
    counted = sa.and_(row.unit == int(unit), row.n.is_not(None))
    if sign is not None:
        counted = sa.and_(counted, amount > 0)
    return sa.func.coalesce(sa.func.sum(sa.case((counted, amount), else_=0)), 0)


_JOINED = _entries.join(
    _postings, (_postings.c.book_id == _entries.c.book_id) & (_postings.c.entry_id == _entries.c.entry_id)
)


def sums_of_span(db: Connection, book: int, since: datetime, until: datetime) -> list[SpanSum]:
    """Return what was posted from one instant until before another, by branch, kind and grade."""
    row = _entries.c
    by = (row.branch_id, row.kind, row.grade)
    query = (
        sa.select(
            *by,
            sa.func.count(sa.distinct(row.entry_id)),
            *(_moved(unit, sign) for unit in (Unit.POINTS, Unit.MINUTES) for sign in (1, -1)),
        )
        .select_from(_JOINED)
        .where(*_within(book, since, until))
        .group_by(*by)
    )
    return [SpanSum(one[0], one[1], one[2], *(int(figure) for figure in one[3:])) for one in db.execute(query)]


def awards_of_span(db: Connection, book: int, since: datetime, until: datetime) -> list[AwardInSpan]:
    """Return the awards of a span that nothing posted before its end takes back."""
    row, later = _entries.c, _entries.alias()
    taken_back = sa.exists().where(
        later.c.book_id == row.book_id, later.c.reverses == row.entry_id, later.c.posted_at < until
    )
    query = (
        sa.select(
            row.entry_id, _postings.c.account_id, row.branch_id, row.grade, _moved(Unit.POINTS), _moved(Unit.MINUTES)
        )
        .select_from(_JOINED)
        .where(*_within(book, since, until), row.kind == "award", _postings.c.n.is_not(None), ~taken_back)
        .group_by(row.entry_id, _postings.c.account_id, row.branch_id, row.grade, row.seq)
        .order_by(row.seq, _postings.c.account_id)
    )
    return [AwardInSpan(one[0], one[1], one[2], one[3], int(one[4]), int(one[5])) for one in db.execute(query)]


def sums_by_account(
    db: Connection,
    book: int,
    kinds: Collection[str],
    since: datetime,
    until: datetime,
    branch_ids: Collection[int] | None = None,
) -> list[AccountSum]:
    """Return what entries of these kinds moved in a span on each guarded account that they moved anything on.

    branch_ids: only what was posted at these branches; None means anywhere.
    """
    query = (
        sa.select(_postings.c.account_id, _moved(Unit.POINTS), _moved(Unit.MINUTES))
        .select_from(_JOINED)
        .where(*_within(book, since, until), _entries.c.kind.in_(sorted(kinds)), _postings.c.n.is_not(None))
        .group_by(_postings.c.account_id)
        .order_by(_postings.c.account_id)
    )
    if branch_ids is not None:
        query = query.where(_entries.c.branch_id.in_(sorted(branch_ids)))
    return [AccountSum(one[0], int(one[1]), int(one[2])) for one in db.execute(query)]


def outstanding_by_account(db: Connection, book: int, at: datetime) -> list[AccountSum]:
    """Return what each guarded account that holds anything held just before an instant."""
    row = _postings.c
    last = (
        sa.select(
            row.account_id,
            row.unit,
            row.balance_after,
            sa.func.row_number().over(partition_by=(row.account_id, row.unit), order_by=row.seq.desc()).label("place"),
        )
        .where(row.book_id == book, row.n.is_not(None), row.posted_at < at)
        .subquery()
    )
    held = [
        sa.func.coalesce(sa.func.sum(sa.case((last.c.unit == int(unit), last.c.balance_after), else_=0)), 0)
        for unit in (Unit.POINTS, Unit.MINUTES)
    ]
    query = sa.select(last.c.account_id, *held).where(last.c.place == 1).group_by(last.c.account_id)
    return [AccountSum(one[0], int(one[1]), int(one[2])) for one in db.execute(query) if one[1] or one[2]]
