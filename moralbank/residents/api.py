"""API operations on residents, their cards and consents, and on rosters."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from moralbank.access.deeds import Kind, Reason
from moralbank.branches import queries as branches
from moralbank.residents import import_queries, importing, jobs, queries, service
from moralbank.residents.enrolment import Person
from moralbank.residents.errors import (
    AlreadyEnrolled,
    BranchWithoutBook,
    CardInForce,
    GuardianMissing,
    ImportNotOpen,
    NoCardInForce,
    NothingToImport,
    OtherBook,
    ResidentForgotten,
    ResidentLeft,
    StatusNotNext,
)
from moralbank.residents.queries import Card, Resident
from moralbank.residents.schemas import (
    CardOut,
    ConsentIn,
    ConsentOut,
    NewResidentIn,
    ReasonIn,
    ResidentIn,
    ResidentOut,
    ResidentQuery,
    RosterOut,
    RosterRowOut,
    RosterRowQuery,
    StatusIn,
)
from moralbank.residents.values import Consent, Status, list_about
from moralbank.web import idempotency, looking
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import actor, allow, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("residents", __name__, description="Depositors, their cards and consents, and rosters.")

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: About 20,000 rows: the whole file is judged in the one transaction of its key.
ROSTER_BYTES_MAX = 2 * 2**20


@blueprint.reads("/residents", ResidentOut, query=ResidentQuery, paged=True)
@allow("staff", "auditor", scope="branch", token="residents:read")
def list_residents(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List residents of the token's branches, newest enrolment first."""
    visible = [branch.branch_id for branch in branches.list_branches_under(db, scope_paths())]
    status = Status(query["status"]) if query["status"] else None
    found = queries.list_residents(
        db,
        visible,
        search=query["search"],
        status=status,
        awaits_guardian=query["awaits_guardian"],
        before_id=page.after,
        limit=page.limit + 1,
    )
    first = visible[0] if visible else None
    about = list_about(query["search"], query["status"] or "")
    looking.note_many(Kind.LIST, min(len(found), page.limit), about, branch_id=first)
    return page.of(found, key=lambda resident: resident.resident_id)


@blueprint.reads("/residents/<int:resident_id>", ResidentOut)
@allow("staff", "auditor", scope="branch", token="residents:read")
def get_resident(db: Connection, resident_id: int) -> Resident:
    """Show one resident."""
    return _shown(db, resident_id)


@blueprint.writes(
    "/residents",
    ResidentOut,
    body=NewResidentIn,
    refusals=[BranchWithoutBook, GuardianMissing, AlreadyEnrolled],
)
@allow("staff", scope="branch", token="residents:write")
def enrol_resident(db: Connection, *, body: dict[str, Any], key: str) -> Resident:
    """Enrol a person, with an account and a card."""
    within(body["branch_id"])
    consents = [Consent(kind) for kind in body.pop("consents")]
    resident = service.enrol(db, Person(**body), consents, actor=actor())
    idempotency.tell_about(resident.resident_id)
    return resident


@blueprint.writes(
    "/residents/<int:resident_id>",
    ResidentOut,
    method="PUT",
    status=200,
    body=ResidentIn,
    refusals=[ResidentLeft, BranchWithoutBook, OtherBook, GuardianMissing, AlreadyEnrolled],
)
@allow("staff", scope="branch", token="residents:write")
def correct_resident(db: Connection, resident_id: int, *, body: dict[str, Any], key: str) -> Resident:
    """Correct what is written down about a resident."""
    _reachable(db, resident_id)
    within(body["branch_id"])
    return service.correct(db, resident_id, Person(**body), actor=actor())


@blueprint.writes(
    "/residents/<int:resident_id>/status",
    ResidentOut,
    status=200,
    body=StatusIn,
    refusals=[ResidentForgotten, StatusNotNext],
)
@allow("staff", scope="branch", token="residents:write")
def set_resident_status(db: Connection, resident_id: int, *, body: dict[str, Any], key: str) -> Resident:
    """Suspend a resident, let them go on, or let them leave."""
    _reachable(db, resident_id)
    return service.set_status(db, resident_id, Status(body["status"]), body["reason"], actor=actor())


@blueprint.reads("/residents/<int:resident_id>/cards", CardOut, paged=True)
@allow("staff", "auditor", scope="branch", token="residents:read")
def list_cards(db: Connection, resident_id: int, *, page: Paging) -> Page:
    """List the cards a resident ever had, oldest first."""
    _shown(db, resident_id)
    found = sorted(queries.list_cards(db, resident_id), key=_card_id)
    return page.cut(found, _card_id)


@blueprint.writes("/residents/<int:resident_id>/cards", CardOut, refusals=[ResidentLeft, CardInForce])
@allow("staff", scope="branch", token="residents:write")
def issue_card(db: Connection, resident_id: int, *, key: str) -> Card:
    """Give a resident without a card in force a new one."""
    _reachable(db, resident_id)
    return service.issue_card(db, resident_id, actor=actor())


@blueprint.writes(
    "/residents/<int:resident_id>/cards/revoke", None, status=204, body=ReasonIn, refusals=[NoCardInForce]
)
@allow("staff", scope="branch", token="residents:write")
def revoke_card(db: Connection, resident_id: int, *, body: dict[str, Any], key: str) -> None:
    """Put the resident's card out of force at once, for good."""
    _reachable(db, resident_id)
    service.revoke_card(db, resident_id, body["reason"], actor=actor())


@blueprint.reads("/residents/<int:resident_id>/consents", ConsentOut, paged=True)
@allow("staff", "auditor", scope="branch", token="residents:read")
def list_consents(db: Connection, resident_id: int, *, page: Paging) -> Page:
    """List what a resident agreed to and took back, oldest first."""
    _shown(db, resident_id)
    lines = sorted(queries.list_consents(db, resident_id), key=_given)
    return page.cut(lines, _given)


@blueprint.writes("/residents/<int:resident_id>/consents", None, status=204, body=ConsentIn)
@allow("staff", scope="branch", token="residents:write")
def set_consent(db: Connection, resident_id: int, *, body: dict[str, Any], key: str) -> None:
    """Write down that a resident agrees to something, or no longer."""
    _reachable(db, resident_id)
    verb = service.give_consent if body["given"] else service.withdraw_consent
    verb(db, resident_id, Consent(body["kind"]), actor=actor())


@blueprint.writes(
    "/branches/<int:branch_id>/rosters",
    RosterOut,
    media=["text/csv", _XLSX],
    max_bytes=ROSTER_BYTES_MAX,
    refusals=[BranchWithoutBook],
)
@allow("staff", scope="branch", token="residents:write")
def upload_roster(db: Connection, branch_id: int, *, body: bytes, key: str) -> dict[str, Any]:
    """Judge the rows of a roster (.csv or .xlsx); nobody is enrolled before it is confirmed."""
    within(branch_id)
    branch = branches.get_branch(db, branch_id)
    import_id = jobs.read_at_once(db, branch, io.BytesIO(body), "api.csv", actor=actor())
    return _roster(db, import_id)


@blueprint.reads("/rosters/<int:import_id>", RosterOut)
@allow("staff", scope="branch", token="residents:read")
def get_roster(db: Connection, import_id: int) -> dict[str, Any]:
    """Show how far a roster has come."""
    within(import_queries.get_import(db, import_id).branch_id)
    return _roster(db, import_id)


@blueprint.reads("/rosters/<int:import_id>/rows", RosterRowOut, query=RosterRowQuery, paged=True)
@allow("staff", scope="branch", token="residents:read")
def list_roster_rows(db: Connection, import_id: int, *, query: dict[str, Any], page: Paging) -> Page:
    """List the rows of a roster with their verdicts, in the order of the sheet."""
    within(import_queries.get_import(db, import_id).branch_id)
    verdict = import_queries.Verdict(query["verdict"]) if query["verdict"] else None
    found = import_queries.list_rows(db, import_id, verdict=verdict, after_row=page.after or 0, limit=page.limit + 1)
    return page.of(found, key=lambda row: row.sheet_row)


@blueprint.writes("/rosters/<int:import_id>/confirm", RosterOut, status=202, refusals=[ImportNotOpen, NothingToImport])
@allow("staff", scope="branch", token="residents:write")
def confirm_roster(db: Connection, import_id: int, *, key: str) -> dict[str, Any]:
    """Let the rows to take become residents; the scheduler does it within a few minutes."""
    within(import_queries.get_import(db, import_id).branch_id)
    importing.confirm_import(db, import_id, actor=actor())
    return _roster(db, import_id)


def _reachable(db: Connection, resident_id: int) -> Resident:
    """Return a resident within reach, of whose data a write tells."""
    resident = queries.get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_within(db, resident, Reason.PROGRAM)
    idempotency.tell_about(resident_id)
    return resident


def _shown(db: Connection, resident_id: int) -> Resident:
    """Return a resident within reach; the read's own snapshot writes nothing, so the view is written beside it."""
    resident = queries.get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_at(resident, Reason.PROGRAM)
    return resident


def _roster(db: Connection, import_id: int) -> dict[str, Any]:
    counts = dict.fromkeys(import_queries.Verdict, 0)
    for line in import_queries.tally(db, import_id):
        counts[line.verdict] += line.rows
    found = asdict(import_queries.get_import(db, import_id))
    minors = import_queries.count_awaiting_guardian(db, import_id)
    return found | {verdict.value: rows for verdict, rows in counts.items()} | {"awaiting_guardian": minors}


def _card_id(card: Card) -> int:
    return card.card_id


def _given(line: queries.ConsentLine) -> str:
    return f"{line.given_at.isoformat()} {line.kind}"
