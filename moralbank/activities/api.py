"""API operations on activities, their sessions, sign-ups, scans in bulk, and the sign-off with its awards."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.activities import checkin, queries, seconding, service, signoff, wording
from moralbank.activities.answers import Answer
from moralbank.activities.cards import NUMBER_DIGITS, read_codes
from moralbank.activities.checkin import Scan
from moralbank.activities.errors import (
    ActivityOver,
    CheckOutOpen,
    CodeTaken,
    NoSession,
    NotOnRoster,
    NotStarted,
    OtherBank,
    OwnAttendance,
    SessionOver,
    SessionTaken,
    SignOffHeld,
    SignupClosed,
    StillInside,
    UnknownActivity,
)
from moralbank.activities.planning import plan_of
from moralbank.activities.schemas import (
    ActivityOut,
    ActivityQuery,
    AwardOut,
    NewActivity,
    NewScans,
    NewSession,
    NewSignOff,
    NewSignup,
    SessionOut,
    SignOffOut,
    SignupOut,
    VerdictsOut,
)
from moralbank.activities.seconding import Held
from moralbank.activities.signoff import Decision
from moralbank.activities.values import (
    Activity,
    Award,
    Direction,
    Means,
    Session,
    SessionCount,
    Status,
    Windows,
)
from moralbank.approvals.service import hand_of
from moralbank.branches.queries import get_branch, list_branches_under
from moralbank.errors import MoralBankError
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import find_by_number, residents_by_id
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import acting_roles, actor, allow, current, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint(
    "activities", __name__, description="What volunteers can come to, who came, and what it brought them."
)

BULK_BYTES = 256 * 1024


@blueprint.reads("/activities", ActivityOut, query=ActivityQuery, paged=True)
@allow("resident", "staff", "auditor", scope="branch", token="activities:read")
def list_activities(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the activities within reach, newest first; drafts only for staff and auditors."""
    branch_ids = [branch.branch_id for branch in list_branches_under(db, scope_paths())]
    status = Status(query["status"]) if "status" in query else None
    found = queries.list_activities(
        db,
        branch_ids,
        status=status,
        before_id=page.after,
        limit=page.limit + 1,
        with_drafts=current().has("staff", "auditor"),
    )
    return page.of(found, key=lambda activity: activity.activity_id)


@blueprint.reads("/activities/<int:activity_id>", ActivityOut)
@allow("resident", "staff", "auditor", scope="branch", token="activities:read")
def get_activity(db: Connection, activity_id: int) -> Activity:
    """Show one activity."""
    return _activity(db, activity_id)


@blueprint.writes("/activities", ActivityOut, body=NewActivity, refusals=[CodeTaken])
@allow("staff", scope="branch", token="activities:write")
def create_activity(db: Connection, *, body: dict[str, Any], key: str) -> Activity:
    """Write down a new activity as a draft."""
    within(body["branch_id"])
    return service.create_activity(db, plan_of(db, body), actor=actor(), login_id=current().login_id)


@blueprint.writes("/activities/<int:activity_id>/publish", ActivityOut, status=200, refusals=[ActivityOver, NoSession])
@allow("staff", scope="branch", token="activities:write")
def publish_activity(db: Connection, activity_id: int, *, key: str) -> Activity:
    """Show an activity to residents."""
    _activity(db, activity_id)
    return service.publish_activity(db, activity_id)


@blueprint.reads("/activities/<int:activity_id>/sessions", SessionOut, paged=True)
@allow("resident", "staff", "auditor", scope="branch", token="activities:read")
def list_activity_sessions(db: Connection, activity_id: int, *, page: Paging) -> Page:
    """List the sessions of an activity with how many come and came, by start."""
    _activity(db, activity_id)
    return page.cut(
        queries.list_sessions(db, [activity_id]),
        key=lambda count: [count.session.starts_at.isoformat(), count.session.session_id],
    )


@blueprint.writes(
    "/activities/<int:activity_id>/sessions", SessionOut, body=NewSession, refusals=[ActivityOver, SessionTaken]
)
@allow("staff", scope="branch", token="activities:write")
def add_activity_session(db: Connection, activity_id: int, *, body: dict[str, Any], key: str) -> SessionCount:
    """Add a sitting to an activity."""
    _activity(db, activity_id)
    starts_at, ends_at = body.pop("starts_at"), body.pop("ends_at")
    session = service.add_session(db, activity_id, starts_at, ends_at, Windows(**body))
    return SessionCount(session, going=0, waiting=0, present=0)


@blueprint.reads("/sessions/<int:session_id>/signups", SignupOut, paged=True)
@allow("staff", "auditor", scope="branch", token="activities:read")
def list_session_signups(db: Connection, session_id: int, *, page: Paging) -> Page:
    """List who comes and who waits, by resident number."""
    _session(db, session_id)
    signups = queries.list_signups(db, session_id)
    people = residents_by_id(db, [signup.resident_id for signup in signups])
    rows = [
        {
            "resident_number": people[signup.resident_id].number,
            "state": signup.state,
            "signed_up_at": signup.signed_up_at,
        }
        for signup in signups
    ]
    return page.cut(sorted(rows, key=_by_number), key=_by_number)


@blueprint.writes(
    "/sessions/<int:session_id>/signups", SignupOut, body=NewSignup, refusals=[SignupClosed, OtherBank, UnknownResident]
)
@allow("staff", scope="branch", token="activities:write")
def sign_up_resident(db: Connection, session_id: int, *, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Put a resident on the list of a session, or on the waiting list when it is full."""
    session = _session(db, session_id)
    book_id = get_branch(db, session.activity.branch_id).book_id
    resident = find_by_number(db, book_id, body["resident_number"]) if book_id is not None else None
    if resident is None or not resident.is_active:
        raise UnknownResident()
    signup = service.sign_up(db, session_id, resident.resident_id)
    return {"resident_number": resident.number, "state": signup.state, "signed_up_at": signup.signed_up_at}


@blueprint.writes("/sessions/<int:session_id>/checkins", VerdictsOut, body=NewScans, status=200, max_bytes=BULK_BYTES)
@allow("staff", scope="branch", token="checkins:write")
def check_in_residents(db: Connection, session_id: int, *, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Count scans of cards and numbers, each with a verdict of its own; one bad scan never stops the next."""
    session = _session(db, session_id)
    book_id = get_branch(db, session.activity.branch_id).book_id
    items = body["items"]
    found = read_codes(db, [item["code"] for item in items], book_id)
    login_id = current().login_id
    scans = [
        scan_of(session, who, item, login_id) for who, item in zip(found, items, strict=True) if isinstance(who, int)
    ]
    counted = iter(checkin.check_in_many(db, scans))
    answers = [next(counted) if isinstance(who, int) else who for who in found]
    return {"items": [tell(item, answer) for item, answer in zip(items, answers, strict=True)]}


@blueprint.reads("/sessions/<int:session_id>/awards", AwardOut, paged=True)
@allow("staff", "auditor", scope="branch", token="activities:read")
def list_session_awards(db: Connection, session_id: int, *, page: Paging) -> Page:
    """List what a session brought, refused and capped outcomes too, by resident number."""
    _session(db, session_id)
    rows = _awards(db, queries.list_awards(db, session_id))
    return page.cut(sorted(rows, key=_by_number_and_kind), key=_by_number_and_kind)


@blueprint.writes(
    "/sessions/<int:session_id>/sign-off",
    SignOffOut,
    body=NewSignOff,
    status=200,
    max_bytes=BULK_BYTES,
    refusals=[SessionOver, NotStarted, StillInside, CheckOutOpen, OwnAttendance, SignOffHeld],
)
@allow("staff", scope="branch", token="awards:write")
def sign_off_session(db: Connection, session_id: int, *, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Sign a session off: award everybody whom the leader confirms, in one batch, or wait for a second person."""
    session = _session(db, session_id)
    by_number = {row.resident.number: row.resident.resident_id for row in signoff.roster(db, session)}
    if any(item["resident_number"] not in by_number for item in body["confirmed"]):
        raise NotOnRoster()
    decisions = [Decision(by_number[item["resident_number"]], item["minutes"]) for item in body["confirmed"]]
    result = seconding.sign_off(
        db,
        hand_of(current(), acting_roles()[0]),
        session_id,
        decisions,
        body["head_count"],
        resident_id=current().resident_id,
        closes_early=body["closes_early"],
    )
    if isinstance(result, Held):
        held = {"session_id": session_id, "head_count": result.head_count, "is_repeat": False, "awards": []}
        return held | {"waits_for_second": True}
    return {
        "session_id": session_id,
        "head_count": result.session.head_count,
        "is_repeat": result.is_repeat,
        "waits_for_second": False,
        "awards": _awards(db, result.awards),
    }


def scan_of(session: Session, resident_id: int, item: dict[str, Any], login_id: int) -> Scan:
    """Return the scan that an item of NewScans, sent by the login's program, is of a resident."""
    return Scan(
        session_id=session.session_id,
        resident_id=resident_id,
        means=Means.DESK_DIGITS if len(item["code"]) == NUMBER_DIGITS else Means.DESK_CARD,
        nonce=f"api:{login_id}:{item['nonce']}",
        actor=f"staff:{login_id}",
        direction=Direction(item["direction"]) if item["direction"] else None,
    )


def tell(item: dict[str, Any], answer: Answer | MoralBankError) -> dict[str, Any]:
    """Return what VerdictOut dumps of an answer. Raises: the answer, where it is an error."""
    if isinstance(answer, MoralBankError):
        raise answer
    return {
        "nonce": item["nonce"],
        "verdict": answer.verdict.code,
        "sentence": wording.say(answer).sentence,
        "direction": answer.scan.direction if answer.scan else None,
        "at": answer.scan.at if answer.scan else None,
    }


def _awards(db: Connection, awards: tuple[Award, ...] | list[Award]) -> list[dict[str, Any]]:
    people = residents_by_id(db, {award.resident_id for award in awards})
    names = [name for name in AwardOut().fields if name != "resident_number"]
    return [
        {"resident_number": people[award.resident_id].number} | {name: getattr(award, name) for name in names}
        for award in awards
    ]


def _activity(db: Connection, activity_id: int) -> Activity:
    """Return an activity within reach; to residents a draft doesn't exist."""
    activity = queries.get_activity(db, activity_id)
    within(activity.branch_id)
    if activity.status is Status.DRAFT and not current().has("staff", "auditor"):
        raise UnknownActivity()
    return activity


def _session(db: Connection, session_id: int) -> Session:
    session = queries.get_session(db, session_id)
    within(session.activity.branch_id)
    return session


def _by_number(row: dict[str, Any]) -> str:
    return str(row["resident_number"])


def _by_number_and_kind(row: dict[str, Any]) -> list[str]:
    return [str(row["resident_number"]), str(row["kind"])]
