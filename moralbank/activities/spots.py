"""Spot checks: in the middle of a session the leader asks who is there, and whoever is says so within two minutes.

Who doesn't answer is listed at the sign-off as a doubt, for the leader to look at; nothing else follows from it.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import queries
from moralbank.activities.errors import NotInside, SpotCheckOpen, SpotCheckOver, SpotChecksUsedUp, UnknownSpotCheck
from moralbank.activities.models import checkins, sessions, spot_answers, spot_checks
from moralbank.activities.values import CheckIn, Direction, Means, Session, State
from moralbank.db import insert_for

#: How long a phone may answer.
WINDOW = timedelta(minutes=2)
#: How long staff may tick whom they see: walking through a hall takes longer than a tap.
STAFF_WINDOW = timedelta(minutes=10)
#: A session is no roll-call.
SPOT_CHECKS_MAX = 5


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """One time the leader asked who is there."""

    spot_id: int
    session_id: int
    opened_at: datetime
    closes_at: datetime
    opened_by: str

    @property
    def is_open(self) -> bool:
        return clock.now() < self.closes_at

    @property
    def takes_ticks(self) -> bool:
        """Whether staff may still tick whom they see."""
        return clock.now() < self.opened_at + STAFF_WINDOW


@dataclass(frozen=True, slots=True)
class Round:
    """A spot check with who was inside when it was opened, and who of them answered."""

    check: SpotCheck
    expected: frozenset[int]
    answered: frozenset[int]
    #: Answered from a phone on which somebody else had answered before.
    borrowed: frozenset[int] = field(default=frozenset())

    @property
    def missing(self) -> frozenset[int]:
        return self.expected - self.answered


def open_spot_check(db: Connection, session_id: int, *, actor: str) -> SpotCheck:
    """Ask who is there, from now on for two minutes.

    Raises (in the order checked): UnknownSession, SpotCheckOver, SpotCheckOpen, SpotChecksUsedUp.
    """
    session = queries.lock_session(db, session_id)
    now = clock.now()
    if not session.takes_scans or not session.starts_at <= now < session.ends_at:
        raise SpotCheckOver()
    before = list_spot_checks(db, session_id)
    if any(one.is_open for one in before):
        raise SpotCheckOpen()
    if len(before) >= SPOT_CHECKS_MAX:
        raise SpotChecksUsedUp(most=SPOT_CHECKS_MAX)
    row = {"session_id": session_id, "opened_at": now, "closes_at": now + WINDOW, "opened_by": actor}
    spot_id = db.execute(spot_checks.insert().values(row).returning(spot_checks.c.spot_id)).scalar_one()
    return get_spot_check(db, spot_id)


def answer(db: Connection, spot_id: int, resident_id: int, *, actor: str, device: str | None = None) -> None:
    """Say that one is there; twice is once.

    device: the hash of the phone's cookie. Raises (in the order checked): UnknownSpotCheck, SpotCheckOver, NotInside.
    """
    check = get_spot_check(db, spot_id)
    scans = queries.list_scans(db, check.session_id, resident_id)
    if not scans:
        raise UnknownSpotCheck()
    if not check.is_open:
        raise SpotCheckOver()
    if resident_id not in _inside({resident_id: scans}, check.opened_at):
        raise NotInside()
    _write(db, check, [resident_id], actor, device)


def tick(db: Connection, spot_id: int, resident_ids: Collection[int], *, actor: str) -> int:
    """Let staff say whom they see, for people without a phone; return how many of them were inside.

    Raises (in the order checked): UnknownSpotCheck, SpotCheckOver.
    """
    check = get_spot_check(db, spot_id)
    if not check.takes_ticks or queries.get_session(db, check.session_id).state is not State.OPEN:
        raise SpotCheckOver()
    inside = _inside(queries.scans_by_resident(db, check.session_id), check.opened_at)
    seen = sorted(inside & set(resident_ids))
    _write(db, check, seen, actor, None)
    return len(seen)


def get_spot_check(db: Connection, spot_id: int) -> SpotCheck:
    """Return a spot check. Raises: UnknownSpotCheck."""
    row = db.execute(_CHECK.where(spot_checks.c.spot_id == spot_id)).first()
    if row is None:
        raise UnknownSpotCheck()
    return SpotCheck(*row)


def list_spot_checks(db: Connection, session_id: int) -> list[SpotCheck]:
    """List a session's spot checks, oldest first."""
    query = _CHECK.where(spot_checks.c.session_id == session_id).order_by(spot_checks.c.spot_id)
    return [SpotCheck(*row) for row in db.execute(query)]


def list_open_for(db: Connection, resident_id: int) -> list[SpotCheck]:
    """List the spot checks that wait for somebody's answer now."""
    now = clock.now()
    here = sa.select(checkins.c.session_id).where(checkins.c.resident_id == resident_id, checkins.c.undone_at.is_(None))
    mine = sa.select(spot_answers.c.spot_id).where(spot_answers.c.resident_id == resident_id)
    query = (
        _CHECK.join(sessions, sessions.c.session_id == spot_checks.c.session_id)
        .where(spot_checks.c.closes_at > now, sessions.c.state == State.OPEN.value)
        .where(spot_checks.c.session_id.in_(here), spot_checks.c.spot_id.not_in(mine))
    )
    found = [SpotCheck(*row) for row in db.execute(query.order_by(spot_checks.c.spot_id))]
    return [
        one
        for one in found
        if resident_id in _inside({resident_id: queries.list_scans(db, one.session_id, resident_id)}, one.opened_at)
    ]


def list_rounds(db: Connection, session_id: int, scans: Mapping[int, Sequence[CheckIn]] | None = None) -> list[Round]:
    """Return a session's spot checks with who was inside and who answered, oldest first.

    scans: the session's, where they are read already.
    """
    checks = list_spot_checks(db, session_id)
    if not checks:
        return []
    found = queries.scans_by_resident(db, session_id) if scans is None else scans
    query = (
        sa.select(spot_answers.c.spot_id, spot_answers.c.resident_id, spot_answers.c.device)
        .join(spot_checks, spot_checks.c.spot_id == spot_answers.c.spot_id)
        .where(spot_checks.c.session_id == session_id)
        .order_by(spot_answers.c.answered_at, spot_answers.c.resident_id)
    )
    rows = db.execute(query).all()
    return [_round(check, found, [row for row in rows if row.spot_id == check.spot_id]) for check in checks]


def suggested_at(session: Session, secret: bytes) -> datetime:
    """Return an instant in the middle half of a session that nobody who comes can reckon.

    It stays the same for the session, as long as the bank's first key is there, and spares staff always asking at the
    same quarter.
    """
    half = (session.ends_at - session.starts_at) / 2
    drawn = hmac.digest(secret, f"{session.session_id}:{session.starts_at.isoformat()}".encode(), "sha256")
    return session.starts_at + half / 2 + half * (int.from_bytes(drawn[:4]) / 2**32)


def _round(
    check: SpotCheck, scans: Mapping[int, Sequence[CheckIn]], rows: Sequence[sa.Row[tuple[int, int, str]]]
) -> Round:
    """Count one answer a phone: the first, whoever gave it."""
    first: dict[str, int] = {}
    answered: set[int] = set()
    borrowed: set[int] = set()
    for row in rows:
        owner = first.setdefault(row.device, row.resident_id) if row.device else row.resident_id
        (answered if owner == row.resident_id else borrowed).add(row.resident_id)
    return Round(check, frozenset(_inside(scans, check.opened_at)), frozenset(answered), frozenset(borrowed))


def _inside(scans: Mapping[int, Sequence[CheckIn]], at: datetime) -> set[int]:
    """Return who had come by an instant and had not left; a check-out that nobody made takes nobody out."""
    found = set()
    for who, theirs in scans.items():
        left = {s.visit_no: s.at for s in theirs if s.direction is Direction.OUT and s.means is not Means.PLANNED_END}
        came = [s for s in theirs if s.direction is Direction.IN and s.at <= at]
        if any(left.get(scan.visit_no) is None or left[scan.visit_no] > at for scan in came):
            found.add(who)
    return found


def _write(db: Connection, check: SpotCheck, resident_ids: Sequence[int], actor: str, device: str | None) -> None:
    rows = [
        {
            "spot_id": check.spot_id,
            "resident_id": resident_id,
            "answered_at": clock.now(),
            "actor": actor,
            "device": device,
        }
        for resident_id in resident_ids
    ]
    if rows:
        db.execute(insert_for(db, spot_answers).on_conflict_do_nothing(), rows)


_CHECK = sa.select(*(spot_checks.c[name] for name in SpotCheck.__dataclass_fields__))
