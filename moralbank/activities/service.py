"""Announces activities: create, edit, publish, cancel, sessions, sign-ups, posters, keys. Check-in is in
checkin.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import queries, tokens
from moralbank.activities.awarding import LEADING_RULE
from moralbank.activities.errors import (
    ActivityOver,
    BadPlan,
    BadTimes,
    CodeTaken,
    NoSession,
    NotADraft,
    NotSignedUp,
    OtherBank,
    SessionHasScans,
    SessionOver,
    SessionsOpen,
    SessionTaken,
    SignupClosed,
    TeamTooLarge,
    UnknownPoster,
)
from moralbank.activities.models import activities, posters, qr_keys, sessions, signups
from moralbank.activities.values import Activity, Mode, Plan, Poster, Session, Signup, State, Status, Windows
from moralbank.branches.queries import get_branch
from moralbank.db import insert_for
from moralbank.earning import Basis, Rule, list_rules
from moralbank.errors import N_
from moralbank.residents.queries import find_by_numbers, find_resident

LONGEST_SESSION = timedelta(hours=12)
_BASES = (Basis.PER_HOUR, Basis.PER_SESSION, Basis.PER_TIME)
#: What stands for the place of a session in somebody's home, whose address is written nowhere.
AT_HOME = "上门服务"
#: How many a team leader signs up at once.
TEAM_MAX = 20
_OVER = (Status.CANCELLED, Status.CLOSED)


def create_activity(db: Connection, plan: Plan, *, actor: str, login_id: int | None = None) -> Activity:
    """Write down a new activity as a draft. Raises (in the order checked): BadPlan, UnknownBranch,
    CodeTaken.
    """
    _check(db, plan)
    row = _row(plan) | {
        "code": plan.code or f"?{secrets.token_hex(8)}",
        "leader_login_id": login_id,
        "status": Status.DRAFT,
        "created_at": clock.now(),
        "created_by": actor,
    }
    insert = insert_for(db, activities).values(row).on_conflict_do_nothing()
    activity_id = db.execute(insert.returning(activities.c.activity_id)).scalar()
    if activity_id is None:
        raise CodeTaken(activity=plan.code)
    if plan.code is None:
        _update_activity(db, activity_id, code=f"H{activity_id:05d}")
    return queries.get_activity(db, activity_id)


def edit_activity(db: Connection, activity_id: int, plan: Plan) -> Activity:
    """Change what an activity says; its rule and branch stand once it is published.

    Raises (in the order checked): UnknownActivity, ActivityOver, NotADraft, BadPlan, UnknownBranch,
    CodeTaken.
    """
    activity = _lock_activity(db, activity_id)
    if activity.status in _OVER:
        raise ActivityOver()
    moved = plan.rule_code != activity.rule_code or plan.branch_id != activity.branch_id
    if moved and activity.status is not Status.DRAFT:
        raise NotADraft()
    _check(db, plan)
    taken = queries.find_activity_by_code(db, plan.code) if plan.code else None
    if taken is not None and taken.activity_id != activity_id:
        raise CodeTaken(activity=plan.code)
    _update_activity(db, activity_id, **_row(plan), code=plan.code or activity.code)
    for count in queries.list_sessions(db, [activity_id]):
        _move_up(db, count.session.session_id)
    return queries.get_activity(db, activity_id)


def publish_activity(db: Connection, activity_id: int) -> Activity:
    """Show an activity to residents; publishing it twice does nothing. Raises: UnknownActivity,
    ActivityOver, NoSession.
    """
    activity = _lock_activity(db, activity_id)
    if activity.status in _OVER:
        raise ActivityOver()
    if not queries.list_sessions(db, [activity_id]):
        raise NoSession()
    return _update_activity(db, activity_id, status=Status.PUBLISHED)


def cancel_activity(db: Connection, activity_id: int) -> Activity:
    """Call an activity off with its open sessions. Raises: UnknownActivity, ActivityOver, SessionHasScans."""
    activity = _lock_activity(db, activity_id)
    if activity.status in _OVER:
        raise ActivityOver()
    for count in queries.list_sessions(db, [activity_id]):
        if count.session.state is State.OPEN:
            cancel_session(db, count.session.session_id)
    return _update_activity(db, activity_id, status=Status.CANCELLED)


def close_activity(db: Connection, activity_id: int) -> Activity:
    """Put an activity away once none of its sessions is open. Raises: UnknownActivity, ActivityOver,
    SessionOver.
    """
    activity = _lock_activity(db, activity_id)
    if activity.status is not Status.PUBLISHED:
        raise ActivityOver()
    if any(count.session.state is State.OPEN for count in queries.list_sessions(db, [activity_id])):
        raise SessionsOpen()
    return _update_activity(db, activity_id, status=Status.CLOSED)


def add_session(
    db: Connection, activity_id: int, starts_at: datetime, ends_at: datetime, windows: Windows | None = None
) -> Session:
    """Add a sitting. Raises (in the order checked): UnknownActivity, ActivityOver, BadTimes, SessionTaken."""
    activity = _lock_activity(db, activity_id)
    if activity.status in _OVER:
        raise ActivityOver()
    row = _times(starts_at, ends_at, windows or Windows()) | {"activity_id": activity_id, "state": State.OPEN}
    insert = insert_for(db, sessions).values(row).on_conflict_do_nothing().returning(sessions.c.session_id)
    session_id = db.execute(insert).scalar()
    if session_id is None:
        raise SessionTaken()
    return queries.get_session(db, session_id)


def edit_session(db: Connection, session_id: int, starts_at: datetime, ends_at: datetime, windows: Windows) -> Session:
    """Move a sitting or its scanning hours. Raises: UnknownSession, SessionOver, BadTimes, SessionTaken."""
    session = queries.lock_session(db, session_id)
    if session.state is not State.OPEN:
        raise SessionOver()
    row = _times(starts_at, ends_at, windows)
    others = [count.session for count in queries.list_sessions(db, [session.activity.activity_id])]
    if any(other.starts_at == starts_at and other.session_id != session_id for other in others):
        raise SessionTaken()
    db.execute(sessions.update().where(sessions.c.session_id == session_id).values(row))
    return queries.get_session(db, session_id)


def cancel_session(db: Connection, session_id: int) -> Session:
    """Call one sitting off; one that people came to must be signed off instead.

    Raises (in the order checked): UnknownSession, SessionOver, SessionHasScans.
    """
    session = queries.lock_session(db, session_id)
    if session.state is not State.OPEN:
        raise SessionOver()
    people = queries.count_present(db, session_id)
    if people:
        raise SessionHasScans(people=people)
    db.execute(sessions.update().where(sessions.c.session_id == session_id).values(state=State.CANCELLED))
    return queries.get_session(db, session_id)


def sign_up(db: Connection, session_id: int, resident_id: int, *, by: int | None = None) -> Signup:
    """Put a resident on the list, or on the waiting list when it is full; twice is once.

    by: the resident who leads their team and does it for them.
    Raises (in the order checked): UnknownSession, SignupClosed, OtherBank.
    """
    session = queries.lock_session(db, session_id)
    _refuse_closed(session)
    resident = find_resident(db, resident_id)
    if resident is None or resident.book_id != get_branch(db, session.activity.branch_id).book_id:
        raise OtherBank()
    known = queries.signups_of(db, resident_id, [session_id]).get(session_id)
    if known is not None and known.state != "cancelled":
        return known
    state = "going" if _has_place(db, session) else "waiting"
    row = {"session_id": session_id, "resident_id": resident_id, "state": state, "signed_up_at": clock.now()}
    row["signed_up_by"] = by
    insert = insert_for(db, signups).values(row)
    again = {"state": state, "signed_up_at": row["signed_up_at"], "signed_up_by": by}
    db.execute(insert.on_conflict_do_update(index_elements=["session_id", "resident_id"], set_=again))
    return queries.signups_of(db, resident_id, [session_id])[session_id]


def sign_up_team(db: Connection, session_id: int, leader_id: int, numbers: Sequence[str]) -> dict[str, str]:
    """Put the members of a team on the list by their numbers, in this order, and say of each what they are now.

    They are "going", "waiting" or "unknown", and may take themselves off again.

    Raises (in the order checked): UnknownSession, SignupClosed, OtherBank, TeamTooLarge.
    """
    session = queries.lock_session(db, session_id)
    _refuse_closed(session)
    book_id = get_branch(db, session.activity.branch_id).book_id
    leader = find_resident(db, leader_id)
    if leader is None or book_id is None or leader.book_id != book_id:
        raise OtherBank()
    wanted = list(dict.fromkeys(numbers))
    if not 0 < len(wanted) <= TEAM_MAX:
        raise TeamTooLarge({"numbers": [TeamTooLarge.sentence]})
    found = find_by_numbers(db, book_id, wanted)
    members = {number: one for number, one in zip(wanted, found, strict=True) if one is not None and one.is_active}
    states = dict.fromkeys(wanted, "unknown")
    for number, one in members.items():
        by = None if one.resident_id == leader_id else leader_id
        states[number] = sign_up(db, session_id, one.resident_id, by=by).state
    return states


def cancel_sign_up(db: Connection, session_id: int, resident_id: int) -> list[int]:
    """Take a resident off the list and return who moved up from the waiting list.

    Raises (in the order checked): UnknownSession, SignupClosed, NotSignedUp.
    """
    session = queries.lock_session(db, session_id)
    _refuse_closed(session)
    mine = (signups.c.session_id == session_id) & (signups.c.resident_id == resident_id)
    taken = db.execute(signups.update().where(mine, signups.c.state != "cancelled").values(state="cancelled"))
    if taken.rowcount != 1:
        raise NotSignedUp()
    return _move_up(db, session_id)


def print_poster(db: Connection, session_id: int, *, actor: str) -> Poster:
    """Make a poster with a serial of its own. Raises: UnknownSession, SessionOver."""
    session = queries.get_session(db, session_id)
    if session.state is not State.OPEN:
        raise SessionOver()
    row = {"session_id": session_id, "printed_at": clock.now(), "printed_by": actor}
    serial = db.execute(posters.insert().values(row).returning(posters.c.serial)).scalar_one()
    return Poster(serial, session_id, row["printed_at"], None)


def get_poster(db: Connection, session_id: int, serial: int) -> Poster:
    """Return a poster of a session. Raises: UnknownPoster."""
    poster = queries.find_poster(db, serial)
    if poster is None or poster.session_id != session_id:
        raise UnknownPoster()
    return poster


def revoke_poster(db: Connection, session_id: int, serial: int, *, actor: str) -> None:
    """Make a poster worthless, for instance when its picture goes round; twice is once. Raises:
    UnknownPoster.
    """
    get_poster(db, session_id, serial)
    standing = (posters.c.serial == serial) & posters.c.revoked_at.is_(None)
    db.execute(posters.update().where(standing).values(revoked_at=clock.now(), revoked_by=actor))


def ensure_qr_key(db: Connection) -> tokens.Key:
    """Return the key that codes are made with now, and make the bank's first one if there is none."""
    current = _current_key(db)
    return current if current is not None else _add_key(db, 0)


def rotate_qr_key(db: Connection) -> tokens.Key:
    """Make codes with a new secret from now on; what the old one made stays good until it ends by itself.

    Screens renew their codes within seconds, and a poster is good until its session is over.
    """
    keys = queries.qr_keys_by_kid(db)
    db.execute(qr_keys.update().where(qr_keys.c.retired_at.is_(None)).values(retired_at=clock.now()))
    kid = (max(keys) + 1) % 256 if keys else 0
    db.execute(qr_keys.delete().where(qr_keys.c.kid == kid))
    return _add_key(db, kid)


def _current_key(db: Connection) -> tokens.Key | None:
    return next((key for key in queries.qr_keys_by_kid(db).values() if key.retired_at is None), None)


def _add_key(db: Connection, kid: int) -> tokens.Key:
    row = {"kid": kid, "secret": secrets.token_bytes(32), "created_at": clock.now()}
    db.execute(insert_for(db, qr_keys).values(row).on_conflict_do_nothing())
    return queries.qr_keys_by_kid(db)[kid]


def session_rules(db: Connection) -> list[Rule]:
    """Return the rules in force that a sitting of people can earn by: by the hour, by the session, by the time."""
    return [rule for rule in list_rules(db, on=clock.today()) if rule.basis in _BASES and rule.code != LEADING_RULE]


def _check(db: Connection, plan: Plan) -> None:
    """Refuse a plan that names a rule or a leader that don't exist, or says too little."""
    errors: dict[str, list[str]] = {}
    if not plan.title.strip():
        errors["title"] = [N_("请填写活动名称。")]
    if not plan.place.strip() and plan.mode is not Mode.BENEFICIARY:
        errors["place"] = [N_("请填写地点。")]
    if plan.capacity is not None and plan.capacity < 1:
        errors["capacity"] = [N_("名额要大于 0，不限名额请留空。")]
    if plan.rule_code not in {rule.code for rule in session_rules(db)}:
        errors["rule_code"] = [N_("请从规则表里选一条。")]
    if plan.leader_resident_id is not None and find_resident(db, plan.leader_resident_id) is None:
        errors["leader_number"] = [N_("没有这位居民，请核对居民号。")]
    branch = get_branch(db, plan.branch_id)
    if branch.book_id is None:
        errors["branch_id"] = [N_("请选一个驿站或中心，上级没有账本。")]
    if errors:
        raise BadPlan(errors)


def _row(plan: Plan) -> dict[str, Any]:
    row = asdict(plan)
    del row["code"]
    row["checkin_mode"] = row.pop("mode")
    is_at_home = plan.mode is Mode.BENEFICIARY
    return row | {
        "title": plan.title.strip(),
        "place": AT_HOME if is_at_home else plan.place.strip(),
        "description": plan.description.strip(),
    }


def _times(starts_at: datetime, ends_at: datetime, windows: Windows) -> dict[str, Any]:
    if not starts_at < ends_at <= starts_at + LONGEST_SESSION:
        raise BadTimes({"ends_at": [N_("结束要晚于开始，一场最长 12 小时。")]})
    hours = {f"{name}_minutes": value for name, value in asdict(windows).items()}
    if any(not 0 <= value <= 24 * 60 for value in hours.values()):
        raise BadTimes({name: [N_("请填 0 到 1440 之间的分钟数。")] for name in hours})
    return {"starts_at": starts_at, "ends_at": ends_at} | hours


def _lock_activity(db: Connection, activity_id: int) -> Activity:
    mine = activities.c.activity_id == activity_id
    db.execute(sa.select(activities.c.activity_id).where(mine).with_for_update())
    return queries.get_activity(db, activity_id)


def _update_activity(db: Connection, activity_id: int, **values: Any) -> Activity:
    db.execute(activities.update().where(activities.c.activity_id == activity_id).values(**values))
    return queries.get_activity(db, activity_id)


def _refuse_closed(session: Session) -> None:
    if not session.takes_scans or clock.now() >= session.starts_at:
        raise SignupClosed()


def _has_place(db: Connection, session: Session) -> bool:
    capacity = session.activity.capacity
    return capacity is None or _going(db, session.session_id) < capacity


def _going(db: Connection, session_id: int) -> int:
    going = (signups.c.session_id == session_id) & (signups.c.state == "going")
    return db.execute(sa.select(sa.func.count()).where(going)).scalar_one()


def _move_up(db: Connection, session_id: int) -> list[int]:
    """Give the free places to those who wait, first come first served, and return who they are."""
    session = queries.lock_session(db, session_id)
    if session.state is not State.OPEN:
        return []
    capacity = session.activity.capacity
    waiting = (signups.c.session_id == session_id) & (signups.c.state == "waiting")
    query = sa.select(signups.c.signup_id, signups.c.resident_id).where(waiting)
    query = query.order_by(signups.c.signed_up_at, signups.c.signup_id)
    if capacity is not None:
        query = query.limit(max(0, capacity - _going(db, session_id)))
    lucky = db.execute(query).all()
    db.execute(signups.update().where(signups.c.signup_id.in_([row.signup_id for row in lucky])).values(state="going"))
    return [row.resident_id for row in lucky]
