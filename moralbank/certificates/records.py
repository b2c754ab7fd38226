"""The service record of a resident, line by line: what certificates, extracts and the hand-over file are made of.

Reads only. A service is a line of minutes that stands: what was reversed, and its reversal, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from moralbank import ledger
from moralbank.access.queries import names_of
from moralbank.activities.queries import sessions_by_id
from moralbank.activities.values import Session
from moralbank.branches.queries import Branch, list_branches
from moralbank.certificates.values import Person, Service
from moralbank.earning import get_rule
from moralbank.earning.errors import UnknownRule
from moralbank.ledger import Line, Unit
from moralbank.residents.queries import Resident, residents_by_id

_STEP = 1_000
_CONTENT_MAX = 100
SEX_WORDS = {"female": "女", "male": "男"}
#: Sources of entries that a session's sign-off made.
_OF_SESSIONS = ("attendance", "leading", "first-service")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A service with what only the record says of it."""

    service: Service
    #: When it was entered, the rule that it was counted by, and how well it is proven.
    entered_on: date
    rule: str
    grade: str


def read_record(db: Connection, resident: Resident, first: date, last: date) -> list[Recorded]:
    """Return the services of the days [first, last], oldest first."""
    lines = [line for line in _standing(db, resident) if first <= line.occurred_on <= last]
    sessions = sessions_by_id(db, {session_id for line in lines if (session_id := _session_id(line))})
    leaders = _leaders(db, sessions.values())
    places = {branch.branch_id: branch for branch in list_branches(db)} if lines else {}
    found = [_recorded(db, line, sessions.get(_session_id(line) or 0), leaders, places) for line in lines]
    return sorted(found, key=lambda one: (one.service.on, one.service.line))


def total_minutes(db: Connection, resident: Resident) -> int:
    """Return the whole time of service that stands in the record."""
    return ledger.balance(db, resident.book_id, resident.account_id, Unit.MINUTES).balance


def person_of(resident: Resident, branch: Branch) -> Person:
    """Return a resident as the record names them; what is not known is empty."""
    return Person(
        name=resident.name,
        sex=SEX_WORDS.get(resident.sex or "", ""),
        born_on=f"{resident.born_on}" if resident.born_on else "",
        volunteer_number=resident.number,
        area=" ".join(filter(None, (branch.name_zh, resident.grid))),
        # Not everybody has a phone: where they live is as good.
        volunteer_contact=resident.phone or resident.building or "",
    )


def _standing(db: Connection, resident: Resident) -> Iterator[Line]:
    after: int | None = None
    while True:
        page = ledger.history(
            db, resident.book_id, resident.account_id, Unit.MINUTES,
            after_seq=after, limit=_STEP, newest_first=False,
        )  # fmt: skip
        yield from (line for line in page if line.amount > 0 and not (line.reversed_by or line.reverses))
        if len(page) < _STEP:
            return
        after = page[-1].seq


def _session_id(line: Line) -> int | None:
    if line.source is None or line.source[0] not in _OF_SESSIONS:
        return None
    session_id = line.source[1].partition(":")[0]
    return int(session_id) if session_id.isdigit() else None


def _recorded(
    db: Connection, line: Line, session: Session | None, leaders: dict[int, str], places: dict[int, Branch]
) -> Recorded:
    branch = places.get(line.branch or 0)
    title = session.activity.title if session else line.private.get("activity", "")
    place = session.activity.place if session else line.private.get("place", "")
    assert line.n is not None, "a resident's lines are numbered"
    service = Service(
        line=line.n,
        on=f"{line.occurred_on}",
        activity=title,
        place=place,
        content=_content(db, line, session),
        minutes=line.amount,
        organiser=branch.name_zh if branch else "",
        leader=leaders.get(session.session_id, "") if session else "",
    )
    rule = f"{line.rule[0]}/{line.rule[1]}" if line.rule else ""
    return Recorded(service, line.posted_at.date(), rule, line.grade or "")


def _content(db: Connection, line: Line, session: Session | None) -> str:
    """Return what was done: the activity's own words, else what its rule is for."""
    described = session.activity.description.strip() if session else ""
    if described:
        return " ".join(described.split())[:_CONTENT_MAX]
    if line.rule is None:
        return ""
    try:
        return get_rule(db, line.rule[0], line.occurred_on).category_zh
    except UnknownRule:
        return ""


def _leaders(db: Connection, sessions: Iterable[Session]) -> dict[int, str]:
    """Return who was in charge of each session: the resident who led it, else whose activity it is, else who signed."""
    listed = list(sessions)
    people = residents_by_id(db, {one.activity.leader_resident_id or 0 for one in listed}) if listed else {}
    logins = names_of(db, {login for one in listed for login in _logins(one)})
    found = {}
    for one in listed:
        person = people.get(one.activity.leader_resident_id or 0)
        names = [person.name if person else "", *(logins.get(login, "") for login in _logins(one))]
        found[one.session_id] = next(filter(None, names), "")
    return found


def _logins(session: Session) -> list[int]:
    """Return the logins that may stand for who was in charge, the likeliest first."""
    signed = (session.signed_off_by or "").partition(":")[2]
    return [*filter(None, [session.activity.leader_login_id]), *([int(signed)] if signed.isdigit() else [])]
