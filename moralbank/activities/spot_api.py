"""API operations on spot checks: a program asks who is there, ticks whom staff sees, and lists who answered.

Residents answer on their own phone's page alone: one phone counts for one person.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.activities import queries, spots
from moralbank.activities.errors import SpotCheckOpen, SpotCheckOver, SpotChecksUsedUp, UnknownSpotCheck
from moralbank.activities.schemas import SpotCheckOut, TicksIn
from moralbank.activities.spots import Round
from moralbank.activities.values import Session
from moralbank.residents.queries import residents_by_id
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import actor, allow, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("spot-checks", __name__, description="Who is there in the middle of a session.")


@blueprint.writes(
    "/sessions/<int:session_id>/spot-checks",
    SpotCheckOut,
    refusals=[SpotCheckOver, SpotCheckOpen, SpotChecksUsedUp],
)
@allow("staff", scope="branch", token="checkins:write")
def open_spot_check(db: Connection, session_id: int, *, key: str) -> dict[str, Any]:
    """Ask who is there, from now on for two minutes."""
    _session(db, session_id)
    made = spots.open_spot_check(db, session_id, actor=actor())
    return _told(db, session_id, made.spot_id)


@blueprint.reads("/sessions/<int:session_id>/spot-checks", SpotCheckOut, paged=True)
@allow("staff", "auditor", scope="branch", token="activities:read")
def list_spot_checks(db: Connection, session_id: int, *, page: Paging) -> Page:
    """List a session's spot checks with who was inside and has not answered, oldest first."""
    session = _session(db, session_id)
    return page.cut(_all(db, session), key=lambda one: one["spot_id"])


@blueprint.writes(
    "/sessions/<int:session_id>/spot-checks/<int:spot_id>/ticks",
    SpotCheckOut,
    status=200,
    body=TicksIn,
    refusals=[UnknownSpotCheck, SpotCheckOver],
)
@allow("staff", scope="branch", token="checkins:write")
def tick_spot_check(db: Connection, session_id: int, spot_id: int, *, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Write down whom staff sees; numbers of people who were not inside change nothing."""
    _session(db, session_id)
    if spots.get_spot_check(db, spot_id).session_id != session_id:
        raise UnknownSpotCheck()
    wanted = set(body["resident_numbers"])
    people = residents_by_id(db, {who for one in spots.list_rounds(db, session_id) for who in one.expected})
    spots.tick(db, spot_id, [who for who, one in people.items() if one.number in wanted], actor=actor())
    return _told(db, session_id, spot_id)


def _told(db: Connection, session_id: int, spot_id: int) -> dict[str, Any]:
    [one] = [one for one in _all(db, queries.get_session(db, session_id)) if one["spot_id"] == spot_id]
    return one


def _all(db: Connection, session: Session) -> list[dict[str, Any]]:
    rounds = spots.list_rounds(db, session.session_id)
    people = residents_by_id(db, {who for one in rounds for who in one.expected})
    numbers = {who: person.number for who, person in people.items()}
    return [_shown(one, numbers) for one in rounds]


def _shown(one: Round, numbers: dict[int, str]) -> dict[str, Any]:
    check = one.check
    return {
        "spot_id": check.spot_id,
        "session_id": check.session_id,
        "opened_at": check.opened_at,
        "closes_at": check.closes_at,
        "is_open": check.is_open,
        "expected": sorted(numbers[who] for who in one.expected),
        "missing": sorted(numbers[who] for who in one.missing),
    }


def _session(db: Connection, session_id: int) -> Session:
    session = queries.get_session(db, session_id)
    within(session.activity.branch_id)
    return session
