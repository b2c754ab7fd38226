"""Late entries: who was there and was never scanned. One asks, another agrees, three working days pass, then it posts.

As evidence it is grade C. What comes of it follows the same rules as a sign-off, of the day of the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.queries import names_of
from moralbank.activities import gate, queries
from moralbank.activities.awarding import Attended, award_late
from moralbank.activities.errors import (
    AlreadyEntered,
    BadInterval,
    LateElsewhere,
    LateEntryOver,
    OtherBank,
    QuotaUsedUp,
    ScansOnRecord,
    SessionNotSigned,
)
from moralbank.activities.late_queries import (
    LateEntry,
    LateState,
    find_of_request,
    find_standing,
    get_late_entry,
    month_of,
    quota_of,
)
from moralbank.activities.models import awards, late_entries, sessions
from moralbank.activities.presence import ENOUGH_PERCENT, minutes_of
from moralbank.activities.signoff import one_at_a_time
from moralbank.activities.values import Session, State
from moralbank.approvals import service as approvals
from moralbank.approvals.errors import NotYours
from moralbank.approvals.queries import Request
from moralbank.approvals.service import Hand
from moralbank.branches.queries import get_branch
from moralbank.errors import N_
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.prepared import ask
from moralbank.residents.errors import GuardianMissing, ResidentLeft
from moralbank.residents.queries import Resident, find_resident, get_resident

#: Who ended it when the notice period was over.
_SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Late:
    """Who is to be entered for which session, from when to when, and what it is known from."""

    session_id: int
    resident_id: int
    came_at: datetime
    left_at: datetime
    reason: str
    evidence: str


def ask_late_entry(db: Connection, hand: Hand, late: Late) -> LateEntry:
    """Ask that somebody be credited for a session that was signed off without them.

    Raises (in the order checked): UnknownSession, SessionNotSigned, UnknownResident, ResidentLeft, OtherBank,
        GuardianMissing, BadInterval, AlreadyEntered, ScansOnRecord, LateElsewhere, QuotaUsedUp, OwnAffair.
    """
    session = queries.lock_session(db, late.session_id)
    if session.state is not State.SIGNED_OFF:
        raise SessionNotSigned()
    resident = _bearer(db, session, late.resident_id)
    minutes = _minutes(session, late)
    if find_standing(db, session.session_id, resident.resident_id) is not None:
        raise AlreadyEntered()
    if _is_on_record(db, session.session_id, resident.resident_id):
        raise ScansOnRecord()
    _refuse_elsewhere(db, session, resident.resident_id)
    month = month_of(clock.local(session.starts_at).date())
    _keep_quota(db, session, month)
    is_related = _is_related(db, session, resident)
    branch_id = session.activity.branch_id
    request = approvals.ask_late_entry(db, hand, resident, branch_id, late.reason, needs_outside=is_related)
    row = {
        "request_id": request.request_id,
        "session_id": session.session_id,
        "resident_id": resident.resident_id,
        "branch_id": branch_id,
        "month": month,
        "came_at": late.came_at,
        "left_at": late.left_at,
        "minutes": minutes,
        "evidence": late.evidence,
        "is_related": is_related,
    }
    insert = late_entries.insert().values(row).returning(late_entries.c.late_id)
    return get_late_entry(db, db.execute(insert).scalar_one())


def withdraw(db: Connection, hand: Hand, late_id: int) -> LateEntry:
    """Take one's own late entry back before it posts.

    Raises (in the order checked): UnknownLateEntry, NotYours, LateEntryOver.
    """
    found = get_late_entry(db, late_id, lock=True)
    if found.request.maker_login_id != hand.login_id:
        raise NotYours()
    return _stop(db, found, LateState.WITHDRAWN, hand.actor, None)


def object_to(db: Connection, late_id: int, reason: str, *, actor: str) -> LateEntry:
    """Say before it posts that a late entry is wrong: then it never does, and may be asked for anew with better proof.

    Raises (in the order checked): UnknownLateEntry, LateEntryOver.
    """
    return _stop(db, get_late_entry(db, late_id, lock=True), LateState.OBJECTED, actor, reason)


def post_due(db: Connection, late_id: int) -> LateEntry:
    """Credit a late entry whose notice period is over, once; what the rules don't give is kept as void, with why."""
    one_at_a_time(db)
    found = get_late_entry(db, late_id, lock=True)
    if found.posts_at is None or found.posts_at > clock.now():
        return found
    session = queries.lock_session(db, found.session_id)
    resident = get_resident(db, found.resident_id)
    if _is_on_record(db, found.session_id, found.resident_id):
        return _end(db, found, LateState.VOID, _SYSTEM, ScansOnRecord.code)
    attended = Attended(resident, found.minutes, "C")
    checker = found.request.checker
    assert checker is not None, "an approved request has a checker"
    award_late(db, session, attended, maker=found.request.maker, checker=checker)
    made = [one for one in queries.list_awards(db, found.session_id) if one.resident_id == found.resident_id]
    [award] = [one for one in made if one.kind == "attendance"]
    if award.entry_id is None:
        return _end(db, found, LateState.VOID, _SYSTEM, award.reason)
    _tell(db, found, session, "award", {"points": sum(one.points for one in made)})
    return _end(db, found, LateState.POSTED, _SYSTEM, award.reason)


def _bearer(db: Connection, session: Session, resident_id: int) -> Resident:
    resident = get_resident(db, resident_id)
    if resident.is_forgotten or not (resident.is_active or resident.awaits_guardian):
        raise ResidentLeft()
    if resident.book_id != get_branch(db, session.activity.branch_id).book_id:
        raise OtherBank()
    if resident.awaits_guardian:
        raise GuardianMissing()
    return resident


def _minutes(session: Session, late: Late) -> int:
    """Return the minutes of an interval within the plan; too few of them would bring nothing."""
    if not session.starts_at <= late.came_at < late.left_at <= session.ends_at:
        raise BadInterval({"left": [BadInterval.sentence]})
    minutes = minutes_of([(late.came_at, late.left_at)], session.starts_at, session.ends_at)
    if minutes * 100 < session.planned_minutes * ENOUGH_PERCENT or minutes == 0:
        raise BadInterval({"left": [N_("不到计划时长的六成，补录了也不计分，不用办。")]})
    return minutes


def _is_on_record(db: Connection, session_id: int, resident_id: int) -> bool:
    if queries.list_scans(db, session_id, resident_id):
        return True
    made = (awards.c.session_id == session_id) & (awards.c.resident_id == resident_id)
    return db.execute(sa.select(awards.c.award_id).where(made, awards.c.kind == "attendance")).first() is not None


def _refuse_elsewhere(db: Connection, session: Session, resident_id: int) -> None:
    """Refuse who was scanned, or is entered late, for another session of the same hours."""
    scanned: set[gate.Pair]
    [scanned] = ask(db, gate.asking_elsewhere([(session.session_id, resident_id)]))
    other = (
        sa.select(late_entries.c.late_id)
        .join(sessions, sessions.c.session_id == late_entries.c.session_id)
        .where(
            late_entries.c.resident_id == resident_id,
            sessions.c.session_id != session.session_id,
            sessions.c.starts_at < session.ends_at,
            sessions.c.ends_at > session.starts_at,
        )
    )
    entered = [get_late_entry(db, late_id) for late_id in db.execute(other).scalars()]
    if scanned or any(one.is_open or one.state is LateState.POSTED for one in entered):
        raise LateElsewhere()


def _keep_quota(db: Connection, session: Session, month: date) -> None:
    """Refuse one more late entry than the branch's tenth of the month; two at once are counted one after the other."""
    branch = get_branch(db, session.activity.branch_id)
    if db.dialect.name == "postgresql":
        key = f"moralbank late entries {branch.branch_id}"
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(key))))
    quota = quota_of(db, branch.branch_id, month)
    if not quota.left:
        raise QuotaUsedUp(
            branch=branch.name_zh, month=f"{month:%Y-%m}", awards=quota.awards, most=quota.most, used=quota.used
        )


def _is_related(db: Connection, session: Session, resident: Resident) -> bool:
    """Tell whether somebody leads the activity or shares the home of who does."""
    leader_id = session.activity.leader_resident_id
    leader = find_resident(db, leader_id) if leader_id is not None else None
    if leader is not None and is_of_home(leader, resident):
        return True
    login_id = session.activity.leader_login_id
    announcer = names_of(db, [login_id]).get(login_id, "") if login_id is not None else ""
    return approvals.is_of_family(db, announcer, resident)


def is_of_home(one: Resident, other: Resident) -> bool:
    """Tell whether two residents are one person or live in one household."""
    same_home = one.household_id is not None and one.household_id == other.household_id
    return one.resident_id == other.resident_id or same_home


def _stop(db: Connection, found: LateEntry, outcome: LateState, actor: str, note: str | None) -> LateEntry:
    """End a late entry that nothing has come of, with its request where that still waits."""
    if not found.is_open:
        raise LateEntryOver()
    if found.state is LateState.ASKED:
        approvals.drop(db, found.request.request_id)
    return _end(db, found, outcome, actor, note)


def _end(db: Connection, found: LateEntry, outcome: LateState, actor: str, note: str | None) -> LateEntry:
    mine = late_entries.update().where(late_entries.c.late_id == found.late_id)
    db.execute(mine.values(outcome=outcome.value, ended_at=clock.now(), ended_by=actor, note=note))
    if found.posts_at is not None and outcome is not LateState.POSTED:
        _tell(db, found, queries.get_session(db, found.session_id), "late_entry_ended")
    return get_late_entry(db, found.late_id)


def _announce(db: Connection, request: Request, _checker: str) -> None:
    """Tell the resident that it is in its notice period, at whose end it posts."""
    found = find_of_request(db, request.request_id)
    assert found is not None, "a late entry is asked for with its request"
    _tell(db, found, queries.get_session(db, found.session_id), "late_entry")


def _facts(_db: Connection, _request: Request) -> dict[str, str]:
    """Return nothing more: the page that decides shows the late entry itself."""
    return {}


def _tell(
    db: Connection, found: LateEntry, session: Session, kind: str, facts: Mapping[str, str | int] | None = None
) -> None:
    day = {"day": clock.local(session.starts_at).date().isoformat()}
    event = f"{kind}:late:{found.late_id}"
    messages.tell(db, [Note(kind, event, found.branch_id, found.resident_id, facts=facts or day)])


approvals.take_on("late-entry", approvals.Trade(_announce, _facts))
