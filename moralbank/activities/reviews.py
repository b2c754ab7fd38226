"""What phones kept and the server could not count by itself: staff accept or dismiss each, with a reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.deeds import Deed, Kind, record
from moralbank.activities import offline, queries
from moralbank.activities.checkin import Scan
from moralbank.activities.errors import ReviewDecided, ReviewTooLate, ReviewUnfit, UnknownReview
from moralbank.activities.models import activities, device_scans, devices, sessions
from moralbank.activities.values import CheckIn, Direction, Means
from moralbank.branches.queries import get_branch
from moralbank.errors import N_
from moralbank.residents.queries import find_by_number

_T = device_scans.c


@dataclass(frozen=True, slots=True)
class Review:
    """A scan of a phone as staff see it."""

    scan_id: int
    nonce: str
    session_id: int
    #: None: nobody was found under `code`.
    resident_id: int | None
    code: str | None
    direction: Direction | None
    device_time: datetime
    sent_at: datetime
    received_at: datetime
    at: datetime
    means: Means
    state: str
    cause: str | None
    reason: str | None
    device_name: str

    @property
    def skew(self) -> timedelta:
        """By how much the phone's clock was behind ours."""
        return self.received_at - self.sent_at


_REVIEW = (
    _T.scan_id, _T.nonce, _T.session_id, _T.resident_id, _T.code, _T.direction, _T.device_time, _T.sent_at,
    _T.received_at, _T.at, _T.means, _T.state, _T.cause, _T.reason, devices.c.name,
)  # fmt: skip


def list_reviews(
    db: Connection, branch_ids: Collection[int], *, session_id: int | None = None, after_id: int = 0, limit: int = 50
) -> list[Review]:
    """List what waits at branches, the oldest first; after_id is the last one already seen."""
    query = _within(sa.select(*_REVIEW), branch_ids).where(_T.state == "review", _T.scan_id > after_id)
    if session_id is not None:
        query = query.where(_T.session_id == session_id)
    return [_review(row) for row in db.execute(query.order_by(_T.scan_id).limit(limit))]


def count_reviews(db: Connection, branch_ids: Collection[int], *, session_id: int | None = None) -> int:
    """Count what waits at branches."""
    query = _within(sa.select(sa.func.count()), branch_ids).where(_T.state == "review")
    if session_id is not None:
        query = query.where(_T.session_id == session_id)
    return db.execute(query).scalar_one()


def get_review(db: Connection, scan_id: int) -> Review:
    """Return a phone's scan, decided or not. Raises: UnknownReview."""
    query = sa.select(*_REVIEW).select_from(device_scans.join(devices)).where(_T.scan_id == scan_id)
    row = db.execute(query).first()
    if row is None:
        raise UnknownReview()
    return _review(row)


def accept(
    db: Connection,
    scan_id: int,
    reason: str,
    *,
    actor: str,
    number: str = "",
    direction: Direction | None = None,
) -> Review:
    """Let a scan count as staff vouch for it; the leader still confirms the person before anything is credited.

    number: the resident's, where nobody was found under the code. direction: None, by the hour and what stands.
    Raises (in the order checked): UnknownReview, ReviewDecided, ReviewUnfit, ReviewTooLate.
    """
    found = _waiting(db, scan_id, reason)
    session = queries.lock_session(db, found.session_id)
    if not session.takes_scans or clock.now() > session.ends_at + offline.LATE:
        raise ReviewTooLate()
    resident_id = found.resident_id or _by_number(db, number, session.activity.branch_id)
    nonce = offline.nonce_of(found.nonce)
    scan = Scan(found.session_id, resident_id, found.means, nonce, actor, override=reason.strip())
    placed = offline.place(db, session, scan, direction or found.direction, found.at)
    is_on_record = isinstance(placed, CheckIn) or (placed is not None and placed.verdict.is_good)
    if not is_on_record:
        raise ReviewUnfit({"direction": [N_("这个时间和已有的签到对不上，请指定签到或签退，或不采用。")]})
    checkin_id = offline.checkin_under(db, nonce)
    _decide(db, found, "accepted" if checkin_id else "already", reason, actor, resident_id, checkin_id)
    _note(db, found, session.activity.branch_id, actor)
    return get_review(db, scan_id)


def dismiss(db: Connection, scan_id: int, reason: str, *, actor: str) -> Review:
    """Leave a scan out for good. Raises (in the order checked): UnknownReview, ReviewDecided, ReviewUnfit."""
    found = _waiting(db, scan_id, reason)
    session = queries.get_session(db, found.session_id)
    _decide(db, found, "dismissed", reason, actor, found.resident_id, None)
    _note(db, found, session.activity.branch_id, actor)
    return get_review(db, scan_id)


def _waiting(db: Connection, scan_id: int, reason: str) -> Review:
    """Return the scan if nobody decided on it, and let nobody else until the commit."""
    db.execute(sa.select(_T.scan_id).where(_T.scan_id == scan_id).with_for_update())
    found = get_review(db, scan_id)
    if found.state != "review":
        raise ReviewDecided()
    if not reason.strip():
        raise ReviewUnfit({"reason": [N_("请写明为什么。")]})
    return found


def _by_number(db: Connection, number: str, branch_id: int) -> int:
    book_id = get_branch(db, branch_id).book_id
    found = find_by_number(db, book_id, number.strip()) if book_id is not None and number.strip() else None
    if found is None or not found.is_active:
        raise ReviewUnfit({"number": [N_("请填这个人的 8 位居民号，要是本中心在册的。")]})
    return found.resident_id


def _decide(
    db: Connection,
    found: Review,
    state: str,
    reason: str,
    actor: str,
    resident_id: int | None,
    checkin_id: int | None,
) -> None:
    values: dict[str, Any] = {
        "state": state, "reason": reason.strip()[:200], "decided_by": actor, "decided_at": clock.now(),
        "resident_id": resident_id, "checkin_id": checkin_id,
    }  # fmt: skip
    if resident_id is not None:
        values["code"] = None
    db.execute(device_scans.update().where(_T.scan_id == found.scan_id).values(values))


def _note(db: Connection, found: Review, branch_id: int, actor: str) -> None:
    record(db, Deed(actor, Kind.APPROVE, branch_id, about=f"session:{found.session_id}", count=1))


def _within(query: sa.Select[Any], branch_ids: Collection[int]) -> sa.Select[Any]:
    joined = device_scans.join(devices).join(sessions, sessions.c.session_id == _T.session_id).join(activities)
    return query.select_from(joined).where(activities.c.branch_id.in_(branch_ids))


def _review(row: sa.Row[Any]) -> Review:
    scan_id, nonce, session_id, resident_id, code, direction, *times, means, state, cause, reason, name = row
    way = Direction(direction) if direction else None
    return Review(scan_id, nonce, session_id, resident_id, code, way, *times, Means(means), state, cause, reason, name)
