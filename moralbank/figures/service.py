"""Computes months of public figures and writes them down for good."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta

from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.branches.queries import Branch, list_branches
from moralbank.db import insert_for
from moralbank.figures.computing import compute
from moralbank.figures.models import months
from moralbank.figures.queries import last_month
from moralbank.figures.values import Checkpoint
from moralbank.transparency import Log
from moralbank.transparency import queries as transparency


def next_month(db: Connection, root: Branch) -> date | None:
    """Return the oldest month of a tree of branches that is closed in all its books and not computed, or None."""
    books = _books(list_branches(db, root.branch_id))
    firsts = [first for first in (ledger.first_day(db, book) for book in books) if first is not None]
    if not firsts:
        return None
    last = last_month(db, root.branch_id)
    month = clock.months_after(last, 1) if last is not None else min(firsts).replace(day=1)
    ends_on = clock.months_after(month, 1) - timedelta(days=1)
    if ends_on >= clock.today():
        return None
    # A book in which nothing was ever posted has no days to close.
    open_books = [book for book in books if ledger.first_day(db, book) is not None]
    closed = [ledger.closed_through(db, book) for book in open_books]
    return month if all(day is not None and day >= ends_on for day in closed) else None


def freeze(db: Connection, root: Branch) -> date | None:
    """Compute the next month of a tree of branches and write it down; return which it was, None when none is due."""
    month = next_month(db, root)
    if month is None:
        return None
    branches = list_branches(db, root.branch_id)
    told = compute(db, branches, month)
    checkpoints = {book: _checkpoint(db, book) for book in _books(branches)}
    rows = [
        {
            "branch_id": branch.branch_id,
            "month_on": month,
            "told": json.dumps(told[branch.branch_id], sort_keys=True, separators=(",", ":")),
            "checkpoints": _spell(
                checkpoints[book] for book in _books([one for one in branches if one.path.startswith(branch.path)])
            ),
            "computed_at": clock.now(),
        }
        for branch in branches
    ]
    # Whoever computed it in the same moment came to the same figures.
    db.execute(insert_for(db, months).on_conflict_do_nothing(), rows)
    return month


def _books(branches: Sequence[Branch]) -> list[int]:
    return sorted({branch.book_id for branch in branches if branch.book_id is not None})


def _checkpoint(db: Connection, book: int) -> Checkpoint | None:
    found = transparency.latest_checkpoint(db, book, Log.LEDGER)
    if found is None:
        return None
    code = next(one.code for one in ledger.list_books(db) if one.book_id == book)
    return Checkpoint(code, found.size, found.root.hex())


def _spell(found: object) -> str:
    known = [asdict(one) for one in found if one is not None]  # type: ignore[attr-defined]
    return json.dumps(known, sort_keys=True, separators=(",", ":"))
