"""Turns scans into check-ins and check-outs: receipts, the one gate every scan goes through, undo,
forgotten check-outs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import queries, verdicts
from moralbank.activities.errors import ReasonMissing, SessionOver, UnknownScan, UnknownSession
from moralbank.activities.models import activities, checkins, sessions
from moralbank.activities.presence import Next, next_scan, presence_of
from moralbank.activities.values import (
    CheckIn,
    Direction,
    Doubt,
    Means,
    Session,
    State,
    Status,
)
from moralbank.activities.verdicts import Verdict
from moralbank.branches.queries import get_branch
from moralbank.db import insert_for
from moralbank.residents.queries import Resident, find_by_card, find_by_number, get_resident
from moralbank.residents.values import CARD_DIGITS, CARD_PREFIX

#: Who begins a payment code of another app, by its first two digits.
_OTHER_APPS = {
    **dict.fromkeys(("10", "11", "12", "13", "14", "15"), "wechat"),
    **dict.fromkeys(("25", "26", "27", "28", "29", "30"), "alipay"),
}


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan that is to be counted for a person."""

    session_id: int
    resident_id: int
    means: Means
    #: The caller's key: the same scan sent again is answered again and counted once.
    nonce: str
    actor: str
    #: None: now.
    at: datetime | None = None
    #: None: by the person's state.
    direction: Direction | None = None
    #: Hash of the phone's cookie.
    device: str | None = None
    station: int = 0
    #: Why staff count it outside the hours or beyond the list; it waits for the leader then.
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict with the scan that stands and the facts its sentence is filled with."""

    verdict: Verdict
    session: Session | None = None
    scan: CheckIn | None = None
    resident_id: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def check_in(db: Connection, scan: Scan) -> Answer:
    """Count a scan, in or out, or say why it doesn't count. The one gate: every scan of every means comes
    through here.

    Raises: ReasonMissing when staff override without saying why.
    """
    if scan.override is not None and not scan.override.strip():
        raise ReasonMissing({"reason": [ReasonMissing.sentence]})
    try:
        session = queries.lock_session(db, scan.session_id, read=True)
    except UnknownSession:
        return Answer(verdicts.UNKNOWN, resident_id=scan.resident_id)
    at = scan.at or clock.now()
    before = queries.find_scan_by_nonce(db, scan.nonce)
    if before is not None:
        return _replayed(db, session, scan, before)
    if not session.takes_scans:
        return answer(verdicts.CLOSED, session, at, resident_id=scan.resident_id)
    scans = queries.list_scans(db, session.session_id, scan.resident_id)
    step = next_scan(session, scans, at, scan.direction, is_override=scan.override is not None)
    if isinstance(step, Next) and not scans and scan.override is None:
        step = _refused_place(db, session, scan.resident_id) or step
    if isinstance(step, Verdict):
        return _with_scans(session, scan.resident_id, step, at, scans)
    doubt = _doubt(db, session, scan, step, scans)
    counted = _insert(db, scan, step, at, doubt)
    if counted is None:
        return _lost_race(db, session, scan, at)
    return _with_scans(session, scan.resident_id, _good(step.direction, doubt), at, [*scans, counted])


def undo(db: Connection, session_id: int, checkin_id: int, *, actor: str) -> CheckIn:
    """Take back a mis-scan before the sign-off; what stands after it in the same visit must be undone first.

    Raises (in the order checked): UnknownSession, SessionOver, UnknownScan.
    """
    session = queries.lock_session(db, session_id)
    if session.state is not State.OPEN:
        raise SessionOver()
    scan = queries.find_scan(db, checkin_id)
    if scan is None or scan.session_id != session_id:
        raise UnknownScan()
    if queries.list_scans(db, session_id, scan.resident_id)[-1].checkin_id != checkin_id:
        raise UnknownScan()
    mine = checkins.update().where(checkins.c.checkin_id == checkin_id)
    db.execute(mine.values(undone_at=clock.now(), undone_by=actor))
    return scan


def close_forgotten(db: Connection, now: datetime, session_id: int | None = None) -> int:
    """Check everybody out at the planned end who forgot to, once the time for it is over; return how many.

    What is written waits for the leader, who sees it in the list. With a session the hours don't matter:
    it is
    being signed off. Closing twice closes once.
    """
    out = checkins.alias("out")
    left = sa.exists().where(
        out.c.session_id == checkins.c.session_id,
        out.c.resident_id == checkins.c.resident_id,
        out.c.visit_no == checkins.c.visit_no,
        out.c.direction == Direction.OUT,
        out.c.undone_at.is_(None),
    )
    query = (
        sa.select(checkins.c.checkin_id, checkins.c.session_id, checkins.c.resident_id, checkins.c.visit_no)
        .add_columns(sessions.c.ends_at, sessions.c.out_after_minutes)
        .join(sessions, sessions.c.session_id == checkins.c.session_id)
        .where(checkins.c.direction == Direction.IN, checkins.c.undone_at.is_(None), ~left)
        .where(sessions.c.state == State.OPEN, sessions.c.ends_at <= now)
    )
    if session_id is not None:
        query = query.where(sessions.c.session_id == session_id)
    rows = [
        _closing(row, now)
        for row in db.execute(query)
        if session_id is not None or row.ends_at + timedelta(minutes=row.out_after_minutes) < now
    ]
    if not rows:
        return 0
    insert = insert_for(db, checkins).on_conflict_do_nothing().returning(checkins.c.checkin_id)
    return len(db.execute(insert, rows).all())


def read_code(db: Connection, text: str, book_id: int | None) -> int | Answer:
    """Return the resident whose card or number this is, or the answer that says what it is instead.

    Says nothing of a person who left or is suspended but that there is nobody to be found.
    """
    digits = "".join(text.split())
    if not (digits.isascii() and digits.isdigit()):
        return Answer(verdicts.UNKNOWN)
    if len(digits) == 8 and book_id is not None:
        return _bearer(find_by_number(db, book_id, digits))
    if len(digits) == CARD_DIGITS and digits.startswith(CARD_PREFIX):
        found = find_by_card(db, digits)
        bearer = _bearer(found[0] if found else None)
        if found is not None and isinstance(bearer, int) and not found[1].is_active:
            return Answer(verdicts.REVOKED_CARD, facts={"tail": found[1].tail})
        return bearer
    if other_app(digits):
        return Answer(verdicts.WRONG_APP, facts={"app": other_app(digits)})
    return Answer(verdicts.UNKNOWN)


def _bearer(resident: Resident | None) -> int | Answer:
    if resident is not None and resident.awaits_guardian:
        return Answer(verdicts.NO_GUARDIAN)
    return resident.resident_id if resident is not None and resident.is_active else Answer(verdicts.UNKNOWN)


def other_app(digits: str) -> str:
    """Return whose code this is: wechat, alipay, payment (our own payment code), or nothing."""
    if len(digits) != 18 or not digits.isdigit():
        return ""
    return "payment" if digits.startswith("71") else _OTHER_APPS.get(digits[:2], "")


def answer(verdict: Verdict, session: Session, at: datetime, *, resident_id: int | None = None) -> Answer:
    """Return an answer whose sentence can name the session's hours."""
    facts = {
        "now": clock.now(),
        "at": at,
        "opens": session.in_from if at < session.in_from else session.out_from,
        "closes": session.in_until if at < session.out_from else session.out_until,
        "out_from": session.out_from,
        "capacity": session.activity.capacity,
    }
    return Answer(verdict, session, resident_id=resident_id, facts=facts)


def standing(db: Connection, session: Session, resident_id: int, verdict: Verdict, at: datetime) -> Answer:
    """Return the verdict with the person's last scan and minutes so far."""
    scans = queries.list_scans(db, session.session_id, resident_id)
    return _with_scans(session, resident_id, verdict, at, scans)


def _with_scans(session: Session, resident_id: int, verdict: Verdict, at: datetime, scans: list[CheckIn]) -> Answer:
    """Return the verdict with the last of a person's scans.

    Who repeats a scan that waits for the leader is told again that it waits, not that all is well.
    """
    if not scans:
        return answer(verdict, session, at, resident_id=resident_id)
    last = scans[-1]
    if verdict.code == "already" and last.is_pending:
        verdict = _good(last.direction, last.doubt)
    said = answer(verdict, session, at, resident_id=resident_id)
    facts = said.facts | {"minutes": presence_of(session, scans).minutes}
    if verdict.is_good:
        facts["at"] = last.at
    return replace(said, scan=last, facts=facts)


def _refused_place(db: Connection, session: Session, resident_id: int) -> Verdict | None:
    """Refuse who saves in another book, who isn't on the list where there must be one, and who finds the house full."""
    if get_resident(db, resident_id).book_id != get_branch(db, session.activity.branch_id).book_id:
        return verdicts.OTHER_BANK
    capacity = session.activity.capacity
    if capacity is None and not session.activity.needs_signup:
        return None
    signup = queries.signups_of(db, resident_id, [session.session_id]).get(session.session_id)
    if signup is not None and signup.state == "going":
        return None
    if session.activity.needs_signup:
        return verdicts.NOT_REGISTERED
    _one_at_a_time(db, session.session_id)
    if capacity is not None and queries.count_places(db, session.session_id) >= capacity:
        return verdicts.FULL
    return None


def _one_at_a_time(db: Connection, session_id: int) -> None:
    """Let those who want one of a session's places pass singly, so that two never both see the last one free."""
    if db.dialect.name == "postgresql":
        key = {"session_id": session_id}
        db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('moralbank places'), :session_id)"), key)


def _doubt(db: Connection, session: Session, scan: Scan, step: Next, scans: list[CheckIn]) -> Doubt | None:
    """Return why this scan must wait for the leader, or None."""
    if scan.override is not None:
        return Doubt.OVERRIDE
    if scan.device is not None and _is_others_device(db, scan):
        return Doubt.SAME_DEVICE
    if step.direction is Direction.IN and _is_elsewhere(db, session, scan.resident_id):
        return Doubt.OVERLAP
    if step.direction is Direction.OUT and not scans:
        return Doubt.NO_IN
    return Doubt.POSTER if scan.means is Means.POSTER else None


def _is_others_device(db: Connection, scan: Scan) -> bool:
    """Tell whether somebody else used this phone first: it stays theirs for the session."""
    first = (
        sa.select(checkins.c.resident_id)
        .where(
            checkins.c.session_id == scan.session_id,
            checkins.c.device == scan.device,
            checkins.c.undone_at.is_(None),
        )
        .order_by(checkins.c.checkin_id)
        .limit(1)
    )
    return db.execute(first).scalar() not in (None, scan.resident_id)


def _is_elsewhere(db: Connection, session: Session, resident_id: int) -> bool:
    """Tell whether the person checked in to another session of the same hours."""
    there = (
        sa.select(checkins.c.checkin_id)
        .join(sessions, sessions.c.session_id == checkins.c.session_id)
        .join(activities, activities.c.activity_id == sessions.c.activity_id)
        .where(
            checkins.c.resident_id == resident_id,
            checkins.c.undone_at.is_(None),
            sessions.c.session_id != session.session_id,
            sessions.c.starts_at < session.ends_at,
            sessions.c.ends_at > session.starts_at,
            sessions.c.state != State.CANCELLED,
            activities.c.status != Status.CANCELLED,
        )
    )
    return db.execute(there.limit(1)).first() is not None


def _insert(db: Connection, scan: Scan, step: Next, at: datetime, doubt: Doubt | None) -> CheckIn | None:
    """Write the scan down and return it, or None when the gate is taken."""
    row = {
        "session_id": scan.session_id,
        "resident_id": scan.resident_id,
        "direction": step.direction,
        "visit_no": step.visit_no,
        "nonce": scan.nonce,
        "at": at,
        "means": scan.means,
        "doubt": doubt,
        "reason": scan.override,
        "actor": scan.actor,
        "device": scan.device,
    }
    more = {"recorded_at": clock.now(), "pending": doubt is not None, "station": scan.station}
    insert = insert_for(db, checkins).values(row | more).on_conflict_do_nothing().returning(checkins.c.checkin_id)
    checkin_id = db.execute(insert).scalar()
    return None if checkin_id is None else CheckIn(checkin_id=checkin_id, is_pending=doubt is not None, **row)


def _lost_race(db: Connection, session: Session, scan: Scan, at: datetime) -> Answer:
    """Answer a scan whose row another phone wrote first."""
    before = queries.find_scan_by_nonce(db, scan.nonce)
    if before is not None:
        return _replayed(db, session, scan, before)
    scans = queries.list_scans(db, session.session_id, scan.resident_id)
    if not scans:
        # Only a scan that was undone still holds the nonce: it takes a new one to come back.
        return Answer(verdicts.EXPIRED, session, resident_id=scan.resident_id)
    is_in = scans[-1].direction is Direction.IN
    verdict = verdicts.ALREADY if is_in else verdicts.ALREADY_OUT
    return standing(db, session, scan.resident_id, verdict, at)


def _replayed(db: Connection, session: Session, scan: Scan, before: CheckIn) -> Answer:
    if (before.resident_id, before.session_id) != (scan.resident_id, scan.session_id):
        return Answer(verdicts.EXPIRED, session, resident_id=scan.resident_id)
    verdict = _good(before.direction, before.doubt)
    if verdict in (verdicts.OK, verdicts.OK_OUT):
        verdict = verdicts.REPLAYED if before.direction is Direction.IN else verdicts.REPLAYED_OUT
    return replace(standing(db, session, scan.resident_id, verdict, before.at), scan=before)


def _good(direction: Direction, doubt: Doubt | None) -> Verdict:
    if doubt in (Doubt.SAME_DEVICE, Doubt.OVERLAP):
        return verdicts.REVIEW
    if doubt is not None:
        return verdicts.PENDING if direction is Direction.IN else verdicts.PENDING_OUT
    return verdicts.OK if direction is Direction.IN else verdicts.OK_OUT


def _closing(row: Any, now: datetime) -> dict[str, Any]:
    return {
        "session_id": row.session_id,
        "resident_id": row.resident_id,
        "direction": Direction.OUT,
        "visit_no": row.visit_no,
        "nonce": f"planned-end:{row.checkin_id}",
        "at": row.ends_at,
        "recorded_at": now,
        "means": Means.PLANNED_END,
        "pending": True,
        "doubt": Doubt.NO_OUT,
        "actor": "system",
        "station": 0,
    }
