"""Reads of activities. Says nothing about who may read: the caller gives the branches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from moralbank.activities.errors import UnknownActivity, UnknownSession
from moralbank.activities.models import (
    activities,
    awards,
    checkins,
    helped,
    posters,
    qr_keys,
    ratings,
    receipts,
    sessions,
    signups,
)
from moralbank.activities.tokens import Key
from moralbank.activities.values import (
    Activity,
    Award,
    CheckIn,
    Direction,
    Doubt,
    Means,
    Mode,
    Poster,
    Receipt,
    Session,
    SessionCount,
    Signup,
    State,
    Status,
    Windows,
)
from moralbank.prepared import Prepared, Question, ask

LIST_LIMIT_MAX = 200
#: A session shows up as running this long before its start and after its end.
AROUND = timedelta(hours=1)

_A, _S, _U, _C = activities.c, sessions.c, signups.c, checkins.c
_ACTIVITY = (
    _A.activity_id, _A.code, _A.title, _A.rule_code, _A.branch_id, _A.place, _A.description,
    _A.leader_login_id, _A.leader_resident_id, _A.capacity, _A.checkin_mode, _A.needs_signup, _A.status,
)  # fmt: skip
_SESSION = (
    _S.session_id, _S.starts_at, _S.ends_at, _S.in_before_minutes, _S.in_after_minutes, _S.out_before_minutes,
    _S.out_after_minutes, _S.state, _S.head_count, _S.signed_off_by, _S.signed_off_at,
)  # fmt: skip
#: The columns of a scan, as checkin_of reads them.
CHECKIN = (
    _C.checkin_id, _C.session_id, _C.resident_id, _C.direction, _C.visit_no, _C.nonce, _C.at, _C.means,
    _C.pending, _C.doubt, _C.reason, _C.actor, _C.device,
)  # fmt: skip
_W = awards.c
_AWARD = (
    _W.session_id, _W.resident_id, _W.kind, _W.present_minutes, _W.service_minutes, _W.points,
    _W.surplus_points, _W.grade, _W.capped_by, _W.review, _W.reason, _W.occurred_on, _W.entry_id,
)  # fmt: skip
_stands = _C.undone_at.is_(None)


def get_activity(db: Connection, activity_id: int) -> Activity:
    """Return the activity. Raises: UnknownActivity."""
    row = db.execute(sa.select(*_ACTIVITY).where(_A.activity_id == activity_id)).first()
    if row is None:
        raise UnknownActivity()
    return _activity(row)


def find_activity_by_code(db: Connection, code: str) -> Activity | None:
    """Return the activity of this code, or None."""
    row = db.execute(sa.select(*_ACTIVITY).where(_A.code == code)).first()
    return None if row is None else _activity(row)


def list_activities(
    db: Connection,
    branch_ids: Collection[int],
    *,
    status: Status | None = None,
    search: str = "",
    before_id: int | None = None,
    limit: int = 50,
    with_drafts: bool = True,
) -> list[Activity]:
    """List activities of the branches, newest first; before_id is the last one already seen."""
    query = sa.select(*_ACTIVITY).where(_A.branch_id.in_(branch_ids))
    if status is not None:
        query = query.where(_A.status == status)
    if not with_drafts:
        query = query.where(_A.status != Status.DRAFT)
    if search:
        query = query.where(
            sa.or_(
                _A.title.contains(search, autoescape=True),
                _A.code == search,
                _A.place.contains(search, autoescape=True),
            )
        )
    if before_id is not None:
        query = query.where(_A.activity_id < before_id)
    query = query.order_by(_A.activity_id.desc()).limit(min(limit, LIST_LIMIT_MAX))
    return [_activity(row) for row in db.execute(query)]


def get_session(db: Connection, session_id: int) -> Session:
    """Return the session. Raises: UnknownSession."""
    found = find_session(db, session_id)
    if found is None:
        raise UnknownSession()
    return found


def find_session(db: Connection, session_id: int) -> Session | None:
    """Return the session, or None."""
    row = _FIND_SESSION.first(db, session_id=session_id)
    return None if row is None else session_of(row)


def list_sessions(db: Connection, activity_ids: Collection[int]) -> list[SessionCount]:
    """List the sessions of activities with their counts, by start."""
    query = session_query().where(_S.activity_id.in_(activity_ids)).order_by(_S.starts_at, _S.session_id)
    return _counted(db, [session_of(row) for row in db.execute(query.limit(LIST_LIMIT_MAX * 4))])


def list_coming(
    db: Connection, now: datetime, branch_ids: Collection[int] | None = None, *, limit: int = 50
) -> list[SessionCount]:
    """List published sessions that run or are to come, the next first; branch_ids None means everywhere."""
    query = session_query().where(_A.status == Status.PUBLISHED, _S.state == State.OPEN, _S.ends_at > now)
    if branch_ids is not None:
        query = query.where(_A.branch_id.in_(branch_ids))
    query = query.order_by(_S.starts_at, _S.session_id).limit(min(limit, LIST_LIMIT_MAX))
    return _counted(db, [session_of(row) for row in db.execute(query)])


def list_to_do(db: Connection, now: datetime, branch_ids: Collection[int], *, limit: int = 50) -> list[SessionCount]:
    """List open sessions that run now, begin soon or wait for their sign-off, oldest first."""
    query = (
        session_query()
        .where(
            _A.status == Status.PUBLISHED, _S.state == State.OPEN,
            _A.branch_id.in_(branch_ids), _S.starts_at < now + AROUND,
        )
        .order_by(_S.starts_at, _S.session_id)
        .limit(min(limit, LIST_LIMIT_MAX))
    )  # fmt: skip
    return _counted(db, [session_of(row) for row in db.execute(query)])


def signups_of(db: Connection, resident_id: int, session_ids: Collection[int]) -> dict[int, Signup]:
    """Return a resident's sign-ups for the sessions, cancelled ones too, by session."""
    query = sa.select(_U.session_id, _U.resident_id, _U.state, _U.signed_up_at, _U.signed_up_by).where(
        _U.resident_id == resident_id, _U.session_id.in_(session_ids)
    )
    return {row.session_id: Signup(*row) for row in db.execute(query)}


def list_of_branches(
    db: Connection, branch_ids: Collection[int], since: datetime, *, limit: int = LIST_LIMIT_MAX
) -> list[Session]:
    """List what was announced at branches and ends after an instant, cancelled ones too, by start."""
    query = session_query().where(_A.branch_id.in_(branch_ids), _A.status != Status.DRAFT, _S.ends_at > since)
    return [session_of(row) for row in db.execute(query.order_by(_S.starts_at, _S.session_id).limit(limit))]


def list_signed_up(db: Connection, resident_id: int, since: datetime, *, limit: int = LIST_LIMIT_MAX) -> list[Session]:
    """List what a resident signed up for and that ends after an instant, cancelled sessions too, by start."""
    query = (
        session_query()
        .join(signups, _U.session_id == _S.session_id)
        .where(_U.resident_id == resident_id, _U.state != "cancelled", _S.ends_at > since)
    )
    return [session_of(row) for row in db.execute(query.order_by(_S.starts_at, _S.session_id).limit(limit))]


def list_signups(db: Connection, session_id: int) -> list[Signup]:
    """List who comes and who waits, in the order of signing up."""
    query = (
        sa.select(_U.session_id, _U.resident_id, _U.state, _U.signed_up_at, _U.signed_up_by)
        .where(_U.session_id == session_id, _U.state != "cancelled")
        .order_by(_U.signed_up_at, _U.signup_id)
    )
    return [Signup(*row) for row in db.execute(query)]


_SCANS = Prepared(
    sa.select(*CHECKIN)
    .where(_C.session_id == sa.bindparam("session_id"), _C.resident_id == sa.bindparam("resident_id"), _stands)
    .order_by(_C.visit_no, _C.direction, _C.checkin_id)
)


def list_scans(db: Connection, session_id: int, resident_id: int) -> list[CheckIn]:
    """List a person's standing scans in a session, in order of time."""
    [[scans]] = ask(db, asking_scans([(session_id, resident_id)]))
    return list(scans)


def asking_scans(pairs: Sequence[tuple[int, int]]) -> Question[list[list[CheckIn]]]:
    """Ask for each (session, resident) for the person's standing scans, in order of time."""
    given = [{"session_id": session_id, "resident_id": resident_id} for session_id, resident_id in pairs]
    return Question(_SCANS, given, lambda found: [[checkin_of(row) for row in rows] for rows in found])


def scans_by_resident(db: Connection, session_id: int) -> dict[int, list[CheckIn]]:
    """Return all standing scans of a session by person, each in order of time."""
    query = sa.select(*CHECKIN).where(_C.session_id == session_id, _stands)
    found: dict[int, list[CheckIn]] = defaultdict(list)
    for row in db.execute(query.order_by(_C.visit_no, _C.direction, _C.checkin_id)):
        found[row.resident_id].append(checkin_of(row))
    return dict(found)


def find_scan(db: Connection, checkin_id: int) -> CheckIn | None:
    """Return a standing scan, or None."""
    row = db.execute(sa.select(*CHECKIN).where(_C.checkin_id == checkin_id, _stands)).first()
    return None if row is None else checkin_of(row)


def list_last_scans(db: Connection, session_id: int, *, limit: int = 10) -> list[CheckIn]:
    """List the session's last standing scans, newest first."""
    query = (
        sa.select(*CHECKIN)
        .where(_C.session_id == session_id, _stands, _C.means != Means.PLANNED_END)
        .order_by(_C.checkin_id.desc())
        .limit(min(limit, LIST_LIMIT_MAX))
    )
    return [checkin_of(row) for row in db.execute(query)]


def list_last_arrivals(db: Connection, session_id: int, *, limit: int = 5) -> list[int]:
    """List the residents who came in last, newest first."""
    query = (
        sa.select(_C.resident_id)
        .where(_C.session_id == session_id, _C.direction == Direction.IN, _C.visit_no == 1, _stands)
        .order_by(_C.checkin_id.desc())
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def count_present(db: Connection, session_id: int) -> int:
    """Count the people with a scan in the session."""
    query = sa.select(sa.func.count(sa.distinct(_C.resident_id))).where(_C.session_id == session_id, _stands)
    return db.execute(query).scalar_one()


def find_receipt(db: Connection, receipt_id: str) -> Receipt | None:
    """Return the receipt, used or not, expired or not, or None."""
    row = db.execute(sa.select(receipts).where(receipts.c.receipt_id == receipt_id)).mappings().first()
    if row is None:
        return None
    direction = Direction(row["direction"]) if row["direction"] else None
    return Receipt(**{**row, "direction": direction, "means": Means(row["means"])})


def list_posters(db: Connection, session_id: int) -> list[Poster]:
    """List the posters printed for a session, newest first."""
    query = sa.select(*_POSTER).where(posters.c.session_id == session_id).order_by(posters.c.serial.desc())
    return [Poster(*row) for row in db.execute(query.limit(LIST_LIMIT_MAX))]


def find_poster(db: Connection, serial: int) -> Poster | None:
    """Return the poster of a serial, revoked or not, or None."""
    row = db.execute(sa.select(*_POSTER).where(posters.c.serial == serial)).first()
    return None if row is None else Poster(*row)


def list_awards(db: Connection, session_id: int) -> list[Award]:
    """List what a session brought, refused and capped outcomes too."""
    query = sa.select(*_AWARD).where(awards.c.session_id == session_id).order_by(awards.c.award_id)
    return [_award(row) for row in db.execute(query)]


def helped_by(db: Connection, resident_ids: Collection[int], at: datetime) -> set[int]:
    """Return which of these residents were helped at home by an instant: what is published names none of them."""
    found: set[int] = set()
    wanted = sorted(resident_ids)
    for start in range(0, len(wanted), LIST_LIMIT_MAX):
        query = sa.select(helped.c.resident_id).where(
            helped.c.resident_id.in_(wanted[start : start + LIST_LIMIT_MAX]), helped.c.made_at <= at
        )
        found.update(db.execute(query).scalars())
    return found


def ratings_of_month(db: Connection, branch_ids: Collection[int], month: date) -> list[tuple[int, int, int]]:
    """Return (branch, rating from 1 to 3, times) of what people said of a month's sessions at these branches."""
    query = (
        sa.select(_A.branch_id, ratings.c.rating, sa.func.sum(ratings.c.times))
        .join(activities, _A.activity_id == ratings.c.activity_id)
        .where(_A.branch_id.in_(list(branch_ids)), ratings.c.month == month)
        .group_by(_A.branch_id, ratings.c.rating)
    )
    return [(branch_id, rating, int(times)) for branch_id, rating, times in db.execute(query)]


def activities_of_entries(db: Connection, entry_ids: Collection[UUID]) -> dict[UUID, tuple[int, str]]:
    """Return the activity from which each of these awards comes, and its title."""
    found: dict[UUID, tuple[int, str]] = {}
    wanted = sorted(entry_ids)
    for start in range(0, len(wanted), LIST_LIMIT_MAX):
        query = (
            sa.select(awards.c.entry_id, _A.activity_id, _A.title)
            .join(sessions, _S.session_id == awards.c.session_id)
            .join(activities, _A.activity_id == _S.activity_id)
            .where(awards.c.entry_id.in_(wanted[start : start + LIST_LIMIT_MAX]))
        )
        found |= {entry_id: (activity_id, title) for entry_id, activity_id, title in db.execute(query)}
    return found


def sessions_by_id(db: Connection, session_ids: Collection[int]) -> dict[int, Session]:
    """Return sessions by id, for pages that show what entries were posted for."""
    query = session_query().where(_S.session_id.in_(session_ids))
    return {row.session_id: session_of(row) for row in db.execute(query)}


def lock_session(db: Connection, session_id: int) -> Session:
    """Return the session and keep others from changing it or scanning for it until the commit.

    Raises: UnknownSession.
    """
    query = session_query().where(_S.session_id == session_id).with_for_update(of=sessions)
    row = db.execute(query).first()
    if row is None:
        raise UnknownSession()
    return session_of(row)


def qr_keys_by_kid(db: Connection) -> dict[int, Key]:
    """Return every key that codes may have been made with."""
    rows = db.execute(sa.select(qr_keys.c.kid, qr_keys.c.secret, qr_keys.c.retired_at))
    return {row.kid: Key(*row) for row in rows}


_POSTER = (posters.c.serial, posters.c.session_id, posters.c.printed_at, posters.c.revoked_at)


def session_query() -> sa.Select[Any]:
    """Return the query whose rows session_of reads."""
    joined = sessions.join(activities, _S.activity_id == _A.activity_id)
    return sa.select(*_ACTIVITY, *_SESSION).select_from(joined)


_FIND_SESSION = Prepared(session_query().where(_S.session_id == sa.bindparam("session_id")))


def _counted(db: Connection, found: Sequence[Session]) -> list[SessionCount]:
    """Add the counts of all sessions at once."""
    ids = [session.session_id for session in found]
    by_state = sa.select(_U.session_id, _U.state, sa.func.count()).where(_U.session_id.in_(ids))
    coming = {(row[0], row[1]): row[2] for row in db.execute(by_state.group_by(_U.session_id, _U.state))}
    here = sa.select(_C.session_id, sa.func.count(sa.distinct(_C.resident_id))).where(_C.session_id.in_(ids), _stands)
    present = {row[0]: row[1] for row in db.execute(here.group_by(_C.session_id))}
    return [
        SessionCount(
            session,
            going=coming.get((session.session_id, "going"), 0),
            waiting=coming.get((session.session_id, "waiting"), 0),
            present=present.get(session.session_id, 0),
        )
        for session in found
    ]


def _activity(row: Sequence[Any]) -> Activity:
    """Return the activity of a row that begins with _ACTIVITY, in whose order the fields stand."""
    *told, mode, needs_signup, status = row[: len(_ACTIVITY)]
    return Activity(*told, Mode(mode), needs_signup, Status(status))


def session_of(row: Sequence[Any]) -> Session:
    """Return the session of a row that begins with the columns of session_query."""
    whole = len(_ACTIVITY) + len(_SESSION)
    session_id, starts_at, ends_at, *minutes, state, head_count, by, at = row[len(_ACTIVITY) : whole]
    return Session(session_id, _activity(row), starts_at, ends_at, Windows(*minutes), State(state), head_count, by, at)


def checkin_of(row: Sequence[Any]) -> CheckIn:
    """Return the scan of a row that begins with CHECKIN, in whose order the fields stand."""
    checkin_id, session_id, resident_id, direction, visit_no, nonce, at, means, pending, doubt, *rest = row[
        : len(CHECKIN)
    ]
    return CheckIn(
        checkin_id,
        session_id,
        resident_id,
        Direction(direction),
        visit_no,
        nonce,
        at,
        Means(means),
        pending,
        Doubt(doubt) if doubt else None,
        *rest,
    )


def _award(row: Row[Any]) -> Award:
    caps = tuple(row.capped_by.split())
    return Award(
        session_id=row.session_id,
        resident_id=row.resident_id,
        kind=row.kind,
        present_minutes=row.present_minutes,
        service_minutes=row.service_minutes,
        points=row.points,
        surplus_points=row.surplus_points,
        grade=row.grade,
        capped_by=caps,
        is_review=row.review,
        reason=row.reason,
        occurred_on=row.occurred_on,
        entry_id=row.entry_id,
    )
