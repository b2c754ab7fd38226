"""Reads of objections. Who may read is the caller's to say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.branches.queries import lies_below
from moralbank.objections.errors import UnknownObjection
from moralbank.objections.models import objections

LIST_MAX = 200
STATES = ("open", "upheld", "explained", "withdrawn")


@dataclass(frozen=True, slots=True)
class Objection:
    """What somebody said is wrong, and what they were answered."""

    objection_id: int
    book_id: int
    branch_id: int
    about_kind: str
    about: str
    about_actor: str | None
    resident_id: int | None
    from_name: str | None
    contact: str | None
    words: str
    raised_at: datetime
    answer_by: date
    assigned_login_id: int | None
    state: str
    answer: str | None
    answered_at: datetime | None
    answered_by: str | None

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    @property
    def is_late(self) -> bool:
        """Whether the day on which it was to be answered is over."""
        return self.is_open and clock.today() > self.answer_by


_T = objections.c
_COLUMNS = [_T[name] for name in Objection.__dataclass_fields__]


def get_objection(db: Connection, objection_id: int, *, lock: bool = False) -> Objection:
    """Return one. Raises: UnknownObjection."""
    query = sa.select(*_COLUMNS).where(_T.objection_id == objection_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownObjection()
    return Objection(*row)


def find_open(db: Connection, resident_id: int, about_kind: str, about: str) -> Objection | None:
    """Return the objection of a resident to this that nobody has answered, or None."""
    mine = (_T.resident_id == resident_id, _T.about_kind == about_kind, _T.about == about, _T.state == "open")
    row = db.execute(sa.select(*_COLUMNS).where(*mine)).first()
    return None if row is None else Objection(*row)


def count_open_about(db: Connection, about_kind: str, about: Collection[str]) -> int:
    """Return how many objections to any of these nobody has answered."""
    query = sa.select(sa.func.count()).where(_T.about_kind == about_kind, _T.about.in_(list(about)), _T.state == "open")
    return db.execute(query).scalar_one()


def count_open_raised(db: Connection, branch_ids: Collection[int], since: datetime, until: datetime) -> int:
    """Return how many objections to lines, raised at these branches in a span of time, nobody has answered."""
    query = sa.select(sa.func.count()).where(
        _T.branch_id.in_(list(branch_ids)),
        _T.about_kind == "line",
        _T.state == "open",
        _T.raised_at >= since,
        _T.raised_at < until,
    )
    return db.execute(query).scalar_one()


def list_of_resident(db: Connection, resident_id: int, *, limit: int = 50) -> list[Objection]:
    """List what a resident objected to, the latest first."""
    query = sa.select(*_COLUMNS).where(_T.resident_id == resident_id).order_by(_T.objection_id.desc())
    return [Objection(*row) for row in db.execute(query.limit(min(limit, LIST_MAX)))]


def list_objections(
    db: Connection,
    paths: Sequence[str],
    *,
    state: str | None = None,
    about: tuple[str, str] | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Objection]:
    """List the objections that the branches under these paths look after, the latest first."""
    query = sa.select(*_COLUMNS).where(*_in_reach(paths))
    if state is not None:
        query = query.where(_T.state == state)
    if about is not None:
        query = query.where(_T.about_kind == about[0], _T.about == about[1])
    if before_id is not None:
        query = query.where(_T.objection_id < before_id)
    rows = db.execute(query.order_by(_T.objection_id.desc()).limit(min(limit, LIST_MAX)))
    return [Objection(*row) for row in rows]


def count_open(db: Connection, paths: Sequence[str]) -> int:
    """Return how many objections wait for an answer at the branches under these paths."""
    query = sa.select(sa.func.count()).where(_T.state == "open", *_in_reach(paths))
    return db.execute(query).scalar_one()


def _in_reach(paths: Sequence[str]) -> list[Any]:
    return [lies_below(_T.branch_id, paths)]
