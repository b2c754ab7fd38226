"""API operations on late entries. Who agrees does it with the operations on approvals."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.activities import late, late_queries, queries
from moralbank.activities.errors import (
    AlreadyEntered,
    LateElsewhere,
    LateEntryOver,
    OtherBank,
    QuotaUsedUp,
    ScansOnRecord,
    SessionNotSigned,
    UnknownLateEntry,
)
from moralbank.activities.late import Late
from moralbank.activities.late_queries import LateEntry
from moralbank.activities.schemas import LateOut, LateQuery, NewLate, ObjectionIn
from moralbank.approvals.errors import NotYours, OwnAffair
from moralbank.approvals.service import Hand, hand_of
from moralbank.branches.queries import get_branch
from moralbank.residents.errors import ResidentLeft, UnknownResident
from moralbank.residents.queries import find_by_number
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import acting_roles, actor, allow, current, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("late-entries", __name__, description="Who was there and was never scanned.")


@blueprint.reads("/late-entries", LateOut, query=LateQuery, paged=True)
@allow("staff", "auditor", scope="branch", token="approvals:read")
def list_late_entries(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the late entries of the branches in reach, newest first."""
    found = late_queries.list_late_entries(
        db, scope_paths(), open_only=query["open"], before_id=page.after, limit=page.limit + 1
    )
    return page.of(found, key=lambda one: one.late_id)


@blueprint.reads("/late-entries/<int:late_id>", LateOut, refusals=[UnknownLateEntry])
@allow("staff", "auditor", scope="branch", token="approvals:read")
def get_late_entry(db: Connection, late_id: int) -> LateEntry:
    """Show one late entry."""
    return _reachable(db, late_id)


@blueprint.writes(
    "/sessions/<int:session_id>/late-entries",
    LateOut,
    body=NewLate,
    refusals=[
        SessionNotSigned,
        UnknownResident,
        ResidentLeft,
        OtherBank,
        AlreadyEntered,
        ScansOnRecord,
        LateElsewhere,
        QuotaUsedUp,
        OwnAffair,
    ],
)
@allow("staff", scope="branch", token="approvals:write")
def ask_late_entry(db: Connection, session_id: int, *, body: dict[str, Any], key: str) -> LateEntry:
    """Ask that a resident be credited late; somebody else must approve the request within 72 hours."""
    session = queries.get_session(db, session_id)
    within(session.activity.branch_id)
    book_id = get_branch(db, session.activity.branch_id).book_id
    resident = find_by_number(db, book_id, body.pop("resident_number")) if book_id is not None else None
    if resident is None:
        raise UnknownResident()
    return late.ask_late_entry(db, _hand(), Late(session_id, resident.resident_id, **body))


@blueprint.writes(
    "/late-entries/<int:late_id>/withdraw", LateOut, status=200, refusals=[UnknownLateEntry, NotYours, LateEntryOver]
)
@allow("staff", scope="branch", token="approvals:write")
def withdraw_late_entry(db: Connection, late_id: int, *, key: str) -> LateEntry:
    """Take one's own late entry back before it posts."""
    _reachable(db, late_id)
    return late.withdraw(db, _hand(), late_id)


@blueprint.writes(
    "/late-entries/<int:late_id>/object",
    LateOut,
    body=ObjectionIn,
    status=200,
    refusals=[UnknownLateEntry, LateEntryOver],
)
@allow("staff", scope="branch", token="approvals:write")
def object_to_late_entry(db: Connection, late_id: int, *, body: dict[str, Any], key: str) -> LateEntry:
    """Say, before it posts, that a late entry is wrong."""
    _reachable(db, late_id)
    return late.object_to(db, late_id, body["reason"], actor=actor())


def _hand() -> Hand:
    return hand_of(current(), acting_roles()[0])


def _reachable(db: Connection, late_id: int) -> LateEntry:
    found = late_queries.get_late_entry(db, late_id)
    within(found.branch_id)
    return found
