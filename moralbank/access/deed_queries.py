"""Reads of the record of deeds: for whom it is about, and for whoever watches over a book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.deeds import REMEMBERED, Kind, Reason
from moralbank.access.models import access_deed_notes, access_deeds

LIMIT_MAX = 500
_D = access_deeds.c


@dataclass(frozen=True, slots=True)
class DeedLine:
    """One deed as it is read."""

    deed_id: int
    book_id: int | None
    branch_id: int | None
    done_at: datetime
    role: str
    login_id: int | None
    kind: Kind
    resident_id: int | None
    reason: Reason | None
    about: str
    people: int | None
    leaf_hash: str | None
    #: What was written beside the reason; empty when nothing was, or when it was forgotten.
    note: str

    @property
    def actor(self) -> str:
        return self.role if self.login_id is None else f"{self.role}:{self.login_id}"


@dataclass(frozen=True, slots=True)
class DeedFilter:
    """Which deeds; None and empty mean all."""

    kind: Kind | None = None
    login_id: int | None = None
    resident_id: int | None = None
    branch_ids: Sequence[int] | None = None
    since_on: date | None = None
    until_on: date | None = None


_COLUMNS = (*(_D[name] for name in DeedLine.__dataclass_fields__ if name != "note"), access_deed_notes.c.note)


def has_looked(db: Connection, login_id: int, resident_id: int) -> bool:
    """Tell whether the login gave a reason for looking at this person a short while ago."""
    recent = sa.select(_D.deed_id).where(
        _D.resident_id == resident_id,
        _D.login_id == login_id,
        _D.kind == Kind.VIEW,
        _D.done_at > clock.now() - REMEMBERED,
    )
    return db.execute(recent.limit(1)).first() is not None


def list_deeds(
    db: Connection, book_id: int, which: DeedFilter, *, before_id: int | None = None, limit: int = 50
) -> list[DeedLine]:
    """List deeds of a book, newest first. before_id: the last deed_id of the page before."""
    query = _lines().where(_D.book_id == book_id, *_wanted(which))
    if before_id is not None:
        query = query.where(_D.deed_id < before_id)
    return _read(db, query.order_by(_D.deed_id.desc()).limit(min(limit, LIMIT_MAX)))


def count_deeds(db: Connection, book_id: int, which: DeedFilter) -> int:
    """Count what list_deeds would list in all."""
    query = sa.select(sa.func.count()).select_from(access_deeds).where(_D.book_id == book_id, *_wanted(which))
    return db.execute(query).scalar_one()


def list_lookers(db: Connection, resident_id: int, *, before_id: int | None = None, limit: int = 50) -> list[DeedLine]:
    """List who looked at a person or took their data out, newest first."""
    query = _lines().where(_D.resident_id == resident_id, _D.kind.in_((Kind.VIEW, Kind.EXPORT)))
    if before_id is not None:
        query = query.where(_D.deed_id < before_id)
    return _read(db, query.order_by(_D.deed_id.desc()).limit(min(limit, LIMIT_MAX)))


def count_lists(db: Connection, book_id: int, days: int) -> int:
    """Count how often lists of people of a book were shown in these last days."""
    query = sa.select(sa.func.count()).select_from(access_deeds)
    since = clock.now() - timedelta(days=days)
    return db.execute(query.where(_D.book_id == book_id, _D.kind == Kind.LIST, _D.done_at > since)).scalar_one()


def _lines() -> sa.Select[tuple[object, ...]]:
    return sa.select(*_COLUMNS).select_from(access_deeds.outerjoin(access_deed_notes))


def _read(db: Connection, query: sa.Select[tuple[object, ...]]) -> list[DeedLine]:
    found = []
    for row in db.execute(query):
        fields = dict(zip(DeedLine.__dataclass_fields__, row, strict=True))
        reason = fields["reason"]
        fields |= {"kind": Kind(fields["kind"]), "reason": Reason(reason) if reason else None}
        found.append(DeedLine(**fields | {"note": fields["note"] or ""}))
    return found


def _wanted(which: DeedFilter) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if which.kind is not None:
        wanted.append(_D.kind == which.kind)
    if which.login_id is not None:
        wanted.append(_D.login_id == which.login_id)
    if which.resident_id is not None:
        wanted.append(_D.resident_id == which.resident_id)
    if which.branch_ids is not None:
        wanted.append(_D.branch_id.in_(which.branch_ids))
    if which.since_on is not None:
        wanted.append(_D.done_at >= clock.start_of(which.since_on))
    if which.until_on is not None:
        wanted.append(_D.done_at < clock.end_of(which.until_on))
    return wanted
