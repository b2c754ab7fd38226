"""Holds the last entries of every book against their leaves and the lines before them: cheap enough for every start.

Reads only. What it can't see, an older line that was altered, is `verify`'s, which reads everything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import leaf, models
from moralbank.ledger.books import list_books
from moralbank.ledger.values import Draft, PostedLeg, Unit
from moralbank.ledger.verify import Fault

_entries, _postings, _parts, _balances = models.entries, models.postings, models.private_parts, models.balances
_before = _postings.alias("before")

_LAST = (
    sa.select(_entries, _parts.c.salt, _parts.c.content)
    .outerjoin(_parts, (_parts.c.book_id == _entries.c.book_id) & (_parts.c.entry_id == _entries.c.entry_id))
    .order_by(_entries.c.seq.desc())
)
#: Every leg with the line before it and the balance that the account holds now.
_LEGS = (
    sa.select(
        _postings,
        _before.c.balance_after.label("before"),
        _before.c.posted_at.label("before_at"),
        _balances.c.n.label("held_n"),
        _balances.c.balance.label("held"),
        _balances.c.last_at.label("held_at"),
    )
    .outerjoin(
        _before,
        (_before.c.book_id == _postings.c.book_id)
        & (_before.c.account_id == _postings.c.account_id)
        & (_before.c.unit == _postings.c.unit)
        & (_before.c.n == _postings.c.n - 1),
    )
    .outerjoin(
        _balances,
        (_balances.c.book_id == _postings.c.book_id)
        & (_balances.c.account_id == _postings.c.account_id)
        & (_balances.c.unit == _postings.c.unit)
        & _postings.c.n.is_not(None),
    )
    .order_by(_postings.c.entry_id, _postings.c.leg)
)


def verify_tail(db: Connection, entries: int) -> list[Fault]:
    """Return what is broken in the last `entries` entries of each book."""
    return [fault for book in list_books(db) for fault in _verify_book(db, book.book_id, entries)]


def last_posted_at(db: Connection) -> datetime | None:
    """Return the instant of the latest entry of all books, or None when nothing was posted yet."""
    latest = (
        sa.select(sa.func.max(_entries.c.posted_at))
        .where(_entries.c.book_id == models.books.c.book_id)
        .correlate(models.books)
        .scalar_subquery()
    )
    found: datetime | None = db.execute(sa.select(sa.func.max(latest, type_=_entries.c.posted_at.type))).scalar()
    return found


def _verify_book(db: Connection, book: int, entries: int) -> list[Fault]:
    rows = db.execute(_LAST.where(_entries.c.book_id == book).limit(entries)).all()
    if not rows:
        return []
    wanted = [row.entry_id for row in rows]
    found = db.execute(_LEGS.where(_postings.c.book_id == book, _postings.c.entry_id.in_(wanted)))
    legs = {entry_id: list(lines) for entry_id, lines in groupby(found, lambda line: line.entry_id)}
    faults = []
    for row in reversed(rows):
        what = _broken(row, legs.get(row.entry_id, []))
        if what:
            faults.append(Fault(what, row.entry_id, None, f"book {book}, number {row.seq}", True))
    return faults


def _broken(row: Any, lines: Sequence[Any]) -> str | None:
    """Say what of an entry does not hold, or None."""
    if not _is_as_its_leaf(row, lines):
        return "the entry or its postings differ from the leaf"
    if row.content is not None and leaf.commitment(row.salt, row.content) != json.loads(row.leaf_bytes).get("m"):
        return "the private part is not the one committed to"
    sums: dict[int, int] = {}
    for line in lines:
        sums[line.unit] = sums.get(line.unit, 0) + line.amount
        if line.n is not None and (what := _broken_line(line)):
            return what
    return "the legs do not sum to zero" if any(sums.values()) or len(lines) < 2 else None


def _is_as_its_leaf(row: Any, lines: Sequence[Any]) -> bool:
    """Make the leaf again from the rows: one changed cell gives other bytes."""
    try:
        commits_to = json.loads(row.leaf_bytes).get("m")
        legs = tuple(
            PostedLeg(line.account_id, Unit(line.unit), line.amount, line.n, line.balance_after, line.expires_on)
            for line in lines
        )
        draft = Draft(
            book=row.book_id,
            kind=row.kind,
            legs=(),
            key="",
            actor=row.actor,
            branch=row.branch_id,
            source=None if row.source_kind is None else (row.source_kind, row.source_id),
            rule=None if row.rule_code is None else (row.rule_code, row.rule_version),
            grade=row.grade,
            reverses=row.reverses,
            checker=row.checker,
        )
        made = leaf.encode(draft, row.entry_id.hex, row.seq, row.posted_at, row.occurred_on, legs, commits_to)
    except (ValueError, TypeError, AttributeError):
        return False
    return made == row.leaf_bytes and all(line.seq == row.seq and line.posted_at == row.posted_at for line in lines)


def _broken_line(line: Any) -> str | None:
    if line.n > 1 and line.before is None:
        return "the account's line numbers have a gap"
    if line.balance_after != (line.before or 0) + line.amount or line.balance_after < 0:
        return "the balance does not follow from the line before"
    if line.before_at is not None and line.before_at > line.posted_at:
        return "the line is earlier than the one before"
    if line.held_n is None or line.held_n < line.n:
        return "the balance row is behind the lines"
    if line.held_n == line.n and (line.held, line.held_at) != (line.balance_after, line.posted_at):
        return "the balance row does not follow from the lines"
    return None
