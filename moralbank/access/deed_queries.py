"""Reads of the record of deeds: for whom it is about, and for whoever watches over a book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

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
    #: The leaf's number among the facts of the book's access log; None where there is no leaf.
    fact_no: int | None
    #: What was written beside the reason; empty when nothing was, or when it was forgotten.
    note: str

    @property
    def actor(self) -> str:
        return self.role if self.login_id is None else f"{self.role}:{self.login_id}"


@dataclass(frozen=True, slots=True)
class Stated:
    """A deed with the salt of what was written beside it; None where nothing was, or where it was forgotten."""

    line: DeedLine
    salt: bytes | None


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
    """List who looked at a person, took their data out or acted for them, newest first."""
    query = _lines().where(_D.resident_id == resident_id, _D.kind.in_((Kind.VIEW, Kind.EXPORT, Kind.ACT)))
    if before_id is not None:
        query = query.where(_D.deed_id < before_id)
    return _read(db, query.order_by(_D.deed_id.desc()).limit(min(limit, LIMIT_MAX)))


def list_stated(db: Connection, book_id: int, *, after: int, limit: int) -> list[Stated]:
    """Return deeds of a book with a leaf, for whoever holds them against it, in the order in which they came."""
    query = (
        sa.select(*_COLUMNS, access_deed_notes.c.salt)
        .select_from(access_deeds.outerjoin(access_deed_notes))
        .where(_D.book_id == book_id, _D.deed_id > after, _D.fact_no.is_not(None))
        .order_by(_D.deed_id)
        .limit(limit)
    )
    return [Stated(_line(row[:-1]), None if row[-1] is None else bytes(row[-1])) for row in db.execute(query)]


def list_notes(db: Connection, book_id: int, first: int, last: int) -> list[tuple[int, bytes, str]]:
    """Return number, salt and note of the deeds of a book with these fact numbers, by number."""
    query = (
        sa.select(_D.fact_no, access_deed_notes.c.salt, access_deed_notes.c.note)
        .join(access_deed_notes, access_deed_notes.c.deed_id == _D.deed_id)
        .where(_D.book_id == book_id, _D.fact_no >= first, _D.fact_no <= last)
        .order_by(_D.fact_no)
    )
    return [(no, bytes(salt), note) for no, salt, note in db.execute(query)]


def looks_between(
    db: Connection, resident_id: int, since: datetime, until: datetime, *, limit: int
) -> tuple[int, list[DeedLine]]:
    """Count the looks at a person's data in [since, until), files taken out too, and return the latest of them."""
    of_time = (
        _D.resident_id == resident_id,
        _D.kind.in_((Kind.VIEW, Kind.EXPORT)),
        _D.done_at >= since,
        _D.done_at < until,
    )
    count = db.execute(sa.select(sa.func.count()).select_from(access_deeds).where(*of_time)).scalar_one()
    query = _lines().where(*of_time).order_by(_D.deed_id.desc()).limit(min(limit, LIMIT_MAX))
    return count, _read(db, query) if count else []


def count_lists(db: Connection, book_id: int, days: int) -> int:
    """Count how often lists of people of a book were shown in these last days."""
    query = sa.select(sa.func.count()).select_from(access_deeds)
    since = clock.now() - timedelta(days=days)
    return db.execute(query.where(_D.book_id == book_id, _D.kind == Kind.LIST, _D.done_at > since)).scalar_one()


def _lines() -> sa.Select[tuple[object, ...]]:
    return sa.select(*_COLUMNS).select_from(access_deeds.outerjoin(access_deed_notes))


def _read(db: Connection, query: sa.Select[tuple[object, ...]]) -> list[DeedLine]:
    return [_line(row) for row in db.execute(query)]


def _line(row: Sequence[Any]) -> DeedLine:
    fields: dict[str, Any] = dict(zip(DeedLine.__dataclass_fields__, row, strict=True))
    reason = fields["reason"]
    fields |= {"kind": Kind(fields["kind"]), "reason": Reason(reason) if reason else None}
    return DeedLine(**fields | {"note": fields["note"] or ""})


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
