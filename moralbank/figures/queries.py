"""Reads public figures, which stand as they were computed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.figures.models import months
from moralbank.figures.values import Checkpoint, MonthFigures

#: Two years of a branch on a page; a file has all.
SHOWN_MONTHS = 24

_M = months.c
_COLUMNS = (_M.branch_id, _M.month_on, _M.told, _M.checkpoints, _M.computed_at)


def list_months(db: Connection, branch_id: int, *, limit: int | None = SHOWN_MONTHS) -> list[MonthFigures]:
    """Return a branch's months, the latest first."""
    query = sa.select(*_COLUMNS).where(_M.branch_id == branch_id).order_by(_M.month_on.desc())
    return [_month(row) for row in db.execute(query if limit is None else query.limit(limit))]


def list_latest(db: Connection) -> list[MonthFigures]:
    """Return each branch's latest month."""
    last = sa.select(_M.branch_id, sa.func.max(_M.month_on).label("month_on")).group_by(_M.branch_id).subquery()
    same = sa.and_(last.c.branch_id == _M.branch_id, last.c.month_on == _M.month_on)
    return [_month(row) for row in db.execute(sa.select(*_COLUMNS).join(last, same))]


def list_all(db: Connection) -> list[MonthFigures]:
    """Return every month of every branch, for the file of all."""
    return [_month(row) for row in db.execute(sa.select(*_COLUMNS).order_by(_M.month_on, _M.branch_id))]


def last_month(db: Connection, branch_id: int) -> date | None:
    """Return the last month that was computed for a branch, or None."""
    found: date | None = db.execute(sa.select(sa.func.max(_M.month_on)).where(_M.branch_id == branch_id)).scalar()
    return found


def _month(row: Sequence[Any]) -> MonthFigures:
    branch_id, month_on, told, checkpoints, computed_at = row
    found = tuple(Checkpoint(**one) for one in json.loads(checkpoints))
    return MonthFigures(branch_id, month_on, json.loads(told), found, computed_at)
