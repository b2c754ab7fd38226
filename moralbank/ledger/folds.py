"""Running totals of summed accounts, so that reading one never adds up its whole history.

Summed accounts have no balance row, which all posters would queue for. Instead the log is folded behind the posters:
a fold is the account's total through a number of the book that nothing can come before any more. It decides nothing,
can be made anew from the postings, and is held against them by `verify`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models
from moralbank.ledger.rows import DAY_LOCK
from moralbank.ledger.values import GUARDED, Unit
from moralbank.prepared import Prepared

#: A shorter tail isn't worth a row.
TAIL_MAX = 200

_folds, _postings, _accounts, _entries = models.folds, models.postings, models.accounts, models.entries

_FOLDS = sa.select(_folds.c.through_seq, _folds.c.total, _folds.c.last_at)


class _Fold(NamedTuple):
    through_seq: int
    total: int
    last_at: datetime


_NO_FOLD = _Fold(0, 0, datetime.min.replace(tzinfo=UTC))


def settled_seq(db: Connection, book: int) -> int:
    """Return the book's last number, once nobody is posting who might still bring a lower one.

    Comes in a transaction of its own, which on PostgreSQL keeps posters waiting until it ends.
    """
    if db.dialect.name == "postgresql":
        db.execute(sa.text("SELECT pg_advisory_xact_lock(:space, :book)"), {"space": DAY_LOCK, "book": book})
    last = sa.select(sa.func.coalesce(sa.func.max(_entries.c.seq), 0)).where(_entries.c.book_id == book)
    return int(db.execute(last).scalar_one())


def fold(db: Connection, book: int, through: int, tail_max: int = TAIL_MAX) -> int:
    """Fold the summed accounts that got more than `tail_max` lines since; return how many.

    through: a number that settled_seq has returned.
    """
    units = sa.union_all(*(sa.select(sa.literal(int(unit)).label("unit")) for unit in Unit)).subquery("units")
    folded = (
        sa.select(sa.func.coalesce(sa.func.max(_folds.c.through_seq), 0))
        .where(*_is(_folds, book, _accounts.c.account_id, units.c.unit))
        .correlate(_accounts, units)
        .scalar_subquery()
    )
    of_tail = [
        *_is(_postings, book, _accounts.c.account_id, units.c.unit),
        _postings.c.seq > folded,
        _postings.c.seq <= through,
    ]

    def over_tail(value: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
        # One range of an index for each account: as a join, SQLite reads all postings of the book.
        return sa.select(value).where(*of_tail).correlate(_accounts, units).scalar_subquery()

    tails = (
        sa.select(
            _accounts.c.account_id,
            units.c.unit,
            over_tail(sa.func.count()).label("lines"),
            over_tail(sa.func.sum(_postings.c.amount)).label("total"),
            over_tail(sa.func.max(_postings.c.posted_at)).label("last_at"),
        )
        .select_from(_accounts.join(units, sa.true()))
        .where(_accounts.c.book_id == book, _accounts.c.kind.not_in([str(kind) for kind in GUARDED]))
    )
    before = _latest_of_all(db, book)
    rows = []
    for tail in db.execute(tails).all():
        if tail.lines <= tail_max:
            continue
        start = before.get((tail.account_id, tail.unit), _NO_FOLD)
        rows.append(
            {
                "book_id": book,
                "account_id": tail.account_id,
                "unit": tail.unit,
                "through_seq": through,
                "total": int(tail.total) + start.total,
                "last_at": max(tail.last_at, start.last_at),
            }
        )
    if rows:
        db.execute(_folds.insert(), rows)
    return len(rows)


def _asked(table: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == sa.bindparam(name) for name in ("book_id", "account_id", "unit")]


_LATEST = _FOLDS.where(*_asked(_folds)).order_by(_folds.c.through_seq.desc()).limit(1)
_LATEST_NOW = Prepared(_LATEST)
_LATEST_THEN = Prepared(_LATEST.where(_folds.c.last_at <= sa.bindparam("at")))
_TAIL = sa.select(sa.func.coalesce(sa.func.sum(_postings.c.amount), 0)).where(
    *_asked(_postings), _postings.c.seq > sa.bindparam("after_seq")
)
_TAIL_NOW = Prepared(_TAIL)
_TAIL_THEN = Prepared(_TAIL.where(_postings.c.posted_at <= sa.bindparam("at")))


def total(db: Connection, book: int, account: int, unit: Unit, at: datetime | None = None) -> int:
    """Return what a summed account comes to, now or as it stood at a past instant.

    Then it begins at the latest fold, all of whose lines stood at the instant.
    """
    asked: dict[str, object] = {"book_id": book, "account_id": account, "unit": int(unit)}
    latest, tail = (_LATEST_NOW, _TAIL_NOW) if at is None else (_LATEST_THEN, _TAIL_THEN)
    if at is not None:
        asked["at"] = at
    row = latest.first(db, **asked)
    start = _Fold(*row) if row else _NO_FOLD
    more = tail.first(db, **asked, after_seq=start.through_seq)
    assert more is not None, "a sum has a row"
    return start.total + int(more[0])


def _latest_of_all(db: Connection, book: int) -> dict[tuple[int, int], _Fold]:
    later = _folds.alias("later")
    last = sa.select(sa.func.max(later.c.through_seq)).where(*_is(later, book, _folds.c.account_id, _folds.c.unit))
    query = _FOLDS.add_columns(_folds.c.account_id, _folds.c.unit).where(
        _folds.c.book_id == book, _folds.c.through_seq == last.correlate(_folds).scalar_subquery()
    )
    return {(account, unit): _Fold(*fold) for *fold, account, unit in db.execute(query)}


def _is(
    table: sa.FromClause,
    book: int | sa.ColumnElement[int],
    account: int | sa.ColumnElement[int],
    unit: int | sa.ColumnElement[int],
) -> list[sa.ColumnElement[bool]]:
    return [table.c.book_id == book, table.c.account_id == account, table.c.unit == unit]


def _followed() -> sa.Select[Any]:
    """Ask for the folds of :book, each with what its lines say that it grew by."""
    after_seq = sa.func.lag(_folds.c.through_seq, 1, 0).over(
        partition_by=[_folds.c.account_id, _folds.c.unit], order_by=_folds.c.through_seq
    )
    book = sa.bindparam("book", type_=_folds.c.book_id.type)
    steps = sa.select(*_folds.c, after_seq.label("after_seq")).where(_folds.c.book_id == book).subquery()
    lines = [
        *_is(_postings, book, steps.c.account_id, steps.c.unit),
        _postings.c.seq > steps.c.after_seq,
        _postings.c.seq <= steps.c.through_seq,
    ]
    grew = sa.select(sa.func.coalesce(sa.func.sum(_postings.c.amount), 0)).where(*lines).scalar_subquery()
    latest_at = sa.select(sa.func.max(_postings.c.posted_at)).where(*lines).scalar_subquery()
    query = sa.select(steps, grew.label("grew"), latest_at.label("latest_at"))
    return query.order_by(steps.c.account_id, steps.c.unit, steps.c.through_seq)


_FOLLOWED = _followed()


def wrong(db: Connection, book: int, last_seq: int) -> list[tuple[int, str]]:
    """Return the accounts whose folds don't follow from the postings of the book, which ends at `last_seq`."""
    found = []
    totals: dict[tuple[int, int], tuple[int, datetime | None]] = {}
    for step in db.execute(_FOLLOWED, {"book": book}):
        total_before, at_before = totals.get((step.account_id, step.unit), (0, None))
        instants = [at for at in (at_before, step.latest_at) if at is not None]
        follows = total_before + int(step.grew), max(instants, default=None)
        if (step.total, step.last_at) != follows or step.through_seq > last_seq:
            found.append((step.account_id, f"through {step.through_seq}: {step.total}"))
        totals[step.account_id, step.unit] = follows
    return found
