"""Holds every offset against the award that it takes back: together they never take more than was given.

Reads only. What a reversal could not take is offset from later awards (docs/LEDGER.md, Two people).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models
from moralbank.ledger.rows import CHUNK
from moralbank.ledger.values import Unit

_entries, _postings = models.entries, models.postings


class Wrong(NamedTuple):
    """What does not follow of an offset."""

    what: str
    entry_id: UUID
    detail: str


class _Leg(NamedTuple):
    entry_id: UUID
    seq: int
    account: int
    amount: int


def wrong(db: Connection, book: int) -> Iterator[Wrong]:
    """Yield what is wrong with the book's offsets, in the order of posting."""
    offsets = _legs(db, book, _entries.c.kind == "offset")
    if not offsets:
        return
    sources = _sources(db, book)
    awards = {leg.entry_id: leg for leg in _of_entries(db, book, {entry_id for entry_id, _ in sources.values()})}
    taken = {award: -leg.amount for award, leg in _reversals(db, book, list(awards)).items()}
    steps: dict[UUID, int] = {}
    for leg in offsets:
        award_id, step = sources[leg.entry_id]
        award = awards.get(award_id)
        if award is None or award.account != leg.account or award.seq >= leg.seq or leg.amount >= 0:
            yield Wrong("it offsets what can't be offset", leg.entry_id, str(award_id))
            continue
        steps[award_id] = steps.get(award_id, 0) + 1
        taken[award_id] = taken.get(award_id, 0) - leg.amount
        if step != steps[award_id] or taken[award_id] > award.amount:
            yield Wrong("offsets take more than was given", leg.entry_id, f"{taken[award_id]} of {award.amount}")


def _sources(db: Connection, book: int) -> dict[UUID, tuple[UUID, int]]:
    """Return which award each offset takes from, and as which step; a source of another form is no award's."""
    query = sa.select(_entries.c.entry_id, _entries.c.source_kind, _entries.c.source_id).where(
        _entries.c.book_id == book, _entries.c.kind == "offset"
    )
    found = {}
    for entry_id, kind, source in db.execute(query):
        try:
            award, step = str(source).split(":")
            found[entry_id] = (UUID(award), int(step)) if kind == "offset" else (UUID(int=0), 0)
        except ValueError:
            found[entry_id] = UUID(int=0), 0
    return found


def _legs(db: Connection, book: int, condition: sa.ColumnElement[bool]) -> list[_Leg]:
    """Return the points on guarded accounts of entries, in the order of posting."""
    query = (
        sa.select(_entries.c.entry_id, _entries.c.seq, _postings.c.account_id, _postings.c.amount)
        .join(_postings, (_postings.c.book_id == _entries.c.book_id) & (_postings.c.entry_id == _entries.c.entry_id))
        .where(_entries.c.book_id == book, condition)
        .where(_postings.c.unit == int(Unit.POINTS), _postings.c.n.is_not(None))
        .order_by(_entries.c.seq)
    )
    return [_Leg(*row) for row in db.execute(query)]


def _of_entries(db: Connection, book: int, entry_ids: set[UUID]) -> list[_Leg]:
    wanted = sorted(entry_ids)
    pages = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
    return [leg for page in pages for leg in _legs(db, book, _entries.c.entry_id.in_(page))]


def _reversals(db: Connection, book: int, awards: list[UUID]) -> dict[UUID, _Leg]:
    """Return what the reversal of each award took."""
    found: dict[UUID, _Leg] = {}
    for start in range(0, len(awards), CHUNK):
        page = _entries.c.reverses.in_(awards[start : start + CHUNK])
        query = sa.select(_entries.c.entry_id, _entries.c.reverses).where(_entries.c.book_id == book, page)
        names = {row.entry_id: row.reverses for row in db.execute(query)}
        found |= {names[leg.entry_id]: leg for leg in _legs(db, book, page)}
    return found
