"""Reads of late entries: their state, a branch's quota, and how much of its awards each evidence grade is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities.errors import UnknownLateEntry
from moralbank.activities.models import activities, awards, late_entries, sessions
from moralbank.approvals.queries import Request, decided_of, is_taken_back, requests_by_id, state_of
from moralbank.branches.queries import lies_below

#: Of a branch's awards of a month, so many in a hundred may be entered late.
QUOTA_PERCENT = 10
#: A station of a handful of people may still mend one forgotten scan.
QUOTA_LEAST = 1
NOTICE_WORKING_DAYS = 3
_LATE = "C"
_OPEN = ("waiting", "approved")


class LateState(StrEnum):
    """How far a late entry has got. ASKED waits for a second person, NOTICE for its three working days."""

    ASKED = "asked"
    NOTICE = "notice"
    POSTED = "posted"
    VOID = "void"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"
    REFUSED = "refused"
    LAPSED = "lapsed"


_OF_REQUEST = {"waiting": LateState.ASKED, "approved": LateState.NOTICE}


@dataclass(frozen=True, slots=True)
class LateEntry:
    """What was entered late for one person, with who asked and who agreed."""

    late_id: int
    session_id: int
    resident_id: int
    branch_id: int
    month: date
    came_at: datetime
    left_at: datetime
    minutes: int
    evidence: str
    is_related: bool
    outcome: str | None
    ended_at: datetime | None
    ended_by: str | None
    note: str | None
    request: Request

    @property
    def state(self) -> LateState:
        if self.outcome is not None:
            return LateState(self.outcome)
        return _OF_REQUEST.get(self.request.shown_state) or LateState(self.request.shown_state)

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it."""
        return self.state in (LateState.ASKED, LateState.NOTICE)

    @property
    def posts_at(self) -> datetime | None:
        """When it posts if nobody objects; None before somebody agreed."""
        return end_of_notice(self.request.decided_at) if self.state is LateState.NOTICE else None


@dataclass(frozen=True, slots=True)
class Quota:
    """How many late entries a branch may make for a month, and how many it has."""

    branch_id: int
    month: date
    #: People credited in sessions of the month, by scan or the leader's word.
    awards: int
    used: int

    @property
    def most(self) -> int:
        return max(QUOTA_LEAST, self.awards * QUOTA_PERCENT // 100)

    @property
    def left(self) -> int:
        return max(0, self.most - self.used)


@dataclass(frozen=True, slots=True)
class Grades:
    """How many people a branch credited in sessions of a span of days, by evidence grade."""

    branch_id: int
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def late(self) -> int:
        return self.counts.get(_LATE, 0)

    @property
    def late_permille(self) -> int:
        """The share of late entries, in thousandths, rounded."""
        return (self.late * 2000 + self.total) // (2 * self.total) if self.total else 0


def end_of_notice(decided_at: datetime | None) -> datetime:
    """Return the instant after three whole working days, Monday to Friday, that follow the day of the decision."""
    assert decided_at is not None, "an approved request was decided at some time"
    day, left = clock.local(decided_at).date(), NOTICE_WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return clock.end_of(day)


_T = late_entries.c
_COLUMNS = tuple(_T[name] for name in LateEntry.__dataclass_fields__ if name != "request")


def find_late_entry(db: Connection, late_id: int, *, lock: bool = False) -> LateEntry | None:
    """Return a late entry, or None; lock keeps others from ending it until the transaction does."""
    query = sa.select(_T.request_id, *_COLUMNS).where(_T.late_id == late_id)
    found = _read(db, db.execute(query.with_for_update() if lock else query))
    return found[0] if found else None


def get_late_entry(db: Connection, late_id: int, *, lock: bool = False) -> LateEntry:
    """Return a late entry. Raises: UnknownLateEntry."""
    found = find_late_entry(db, late_id, lock=lock)
    if found is None:
        raise UnknownLateEntry()
    return found


def find_of_request(db: Connection, request_id: int) -> LateEntry | None:
    """Return the late entry that a request is about, or None."""
    found = _read(db, db.execute(sa.select(_T.request_id, *_COLUMNS).where(_T.request_id == request_id)))
    return found[0] if found else None


def find_standing(db: Connection, session_id: int, resident_id: int) -> LateEntry | None:
    """Return the late entry of somebody for a session that is open or posted, or None."""
    query = sa.select(_T.request_id, *_COLUMNS).where(_T.session_id == session_id, _T.resident_id == resident_id)
    found = _read(db, db.execute(query.where(_stands())))
    return found[0] if found else None


def list_late_entries(
    db: Connection,
    paths: Collection[str],
    *,
    open_only: bool = False,
    before_id: int | None = None,
    limit: int = 50,
) -> list[LateEntry]:
    """List the late entries of the branches below these paths, newest first."""
    query = sa.select(_T.request_id, *_COLUMNS).where(lies_below(_T.branch_id, paths))
    if open_only:
        query = query.where(_is_open())
    if before_id is not None:
        query = query.where(_T.late_id < before_id)
    return _read(db, db.execute(query.order_by(_T.late_id.desc()).limit(limit)))


def list_of_resident(db: Connection, resident_id: int, *, open_only: bool = False, limit: int = 50) -> list[LateEntry]:
    """List somebody's late entries, newest first."""
    query = sa.select(_T.request_id, *_COLUMNS).where(_T.resident_id == resident_id)
    if open_only:
        query = query.where(_is_open())
    return _read(db, db.execute(query.order_by(_T.late_id.desc()).limit(limit)))


def list_of_session(db: Connection, session_id: int, *, limit: int = 200) -> list[LateEntry]:
    """List the late entries of a session, newest first."""
    query = sa.select(_T.request_id, *_COLUMNS).where(_T.session_id == session_id)
    return _read(db, db.execute(query.order_by(_T.late_id.desc()).limit(limit)))


def list_due(db: Connection, now: datetime, limit: int) -> list[int]:
    """List the late entries whose notice period is over, oldest first."""
    # No notice is shorter than its working days, so what was agreed to later can't be due.
    before = now - timedelta(days=NOTICE_WORKING_DAYS)
    agreed = decided_of(_T.request_id)
    query = sa.select(_T.late_id, agreed).where(
        _T.outcome.is_(None), state_of(_T.request_id) == "approved", agreed <= before
    )
    rows = db.execute(query.order_by(_T.late_id)).all()
    return [row[0] for row in rows if end_of_notice(row[1]) <= now][:limit]


def count_open(db: Connection, resident_id: int) -> int:
    """Count what may still be credited to somebody late."""
    query = sa.select(sa.func.count()).where(_T.resident_id == resident_id, _is_open())
    return db.execute(query).scalar_one()


def quota_of(db: Connection, branch_id: int, month: date) -> Quota:
    """Return a branch's quota for the sessions of a month. month: its first day."""
    [found] = quotas_of(db, [branch_id], month, grades_of(db, [branch_id], month, month_end(month)))
    return found


def quotas_of(db: Connection, branch_ids: Collection[int], month: date, grades: Iterable[Grades]) -> list[Quota]:
    """Return these branches' quotas for the sessions of a month whose grades these are, in their order."""
    scanned = {one.branch_id: one.total - one.late for one in grades}
    counted = sa.select(_T.branch_id, sa.func.count()).where(_T.month == month, _stands())
    rows = db.execute(counted.where(_T.branch_id.in_(list(branch_ids))).group_by(_T.branch_id))
    used = {row[0]: row[1] for row in rows}
    return [Quota(one, month, scanned.get(one, 0), used.get(one, 0)) for one in branch_ids]


def grades_of(db: Connection, branch_ids: Collection[int], first: date, last: date) -> list[Grades]:
    """Return by branch how many people were credited for a session of these days, by grade; what was reversed is out.

    Branches that credited nobody are left out.
    """
    query = (
        sa.select(activities.c.branch_id, awards.c.grade, sa.func.count())
        .join(sessions, sessions.c.session_id == awards.c.session_id)
        .join(activities, activities.c.activity_id == sessions.c.activity_id)
        .where(
            activities.c.branch_id.in_(list(branch_ids)),
            awards.c.kind == "attendance",
            awards.c.entry_id.is_not(None),
            awards.c.occurred_on.between(first, last),
            ~is_taken_back(awards.c.entry_id),
        )
        .group_by(activities.c.branch_id, awards.c.grade)
    )
    found: dict[int, dict[str, int]] = {}
    for branch_id, grade, count in db.execute(query):
        found.setdefault(branch_id, {})[grade] = count
    return [Grades(branch_id, counts) for branch_id, counts in sorted(found.items())]


def month_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def month_end(month: date) -> date:
    """Return the last day of the month that begins on this day."""
    return clock.months_after(month, 1) - timedelta(days=1)


def _is_open() -> sa.ColumnElement[bool]:
    return _T.outcome.is_(None) & state_of(_T.request_id).in_(_OPEN)


def _stands() -> sa.ColumnElement[bool]:
    """Return the condition that something came, or may still come, of a late entry."""
    return sa.or_(_T.outcome == LateState.POSTED.value, _is_open())


def _read(db: Connection, rows: Iterable[Any]) -> list[LateEntry]:
    found = list(rows)
    requests = requests_by_id(db, {row.request_id for row in found})
    return [LateEntry(*row[1:], request=requests[row.request_id]) for row in found]
