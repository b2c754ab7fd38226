"""API operations of what waits for a second person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank import ledger
from moralbank.approvals import queries, service
from moralbank.approvals.errors import (
    AlreadyAsked,
    AlreadyDecided,
    NeedsOutside,
    NotAskable,
    NotYours,
    OwnAffair,
    OwnRequest,
    RequestLapsed,
    SamePerson,
    UnknownRequest,
)
from moralbank.approvals.queries import Request
from moralbank.approvals.schemas import AdjustmentIn, ReasonIn, RequestOut, RequestQuery, ReversalIn
from moralbank.approvals.service import Hand, hand_of
from moralbank.errors import MoralBankError
from moralbank.residents.errors import ResidentForgotten
from moralbank.residents.queries import get_resident
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import acting_roles, allow, current, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("approvals", __name__, description="What one person asks and another checks.")

_DECIDING: list[type[MoralBankError]] = [
    UnknownRequest,
    OwnRequest,
    AlreadyDecided,
    RequestLapsed,
    SamePerson,
    OwnAffair,
    NeedsOutside,
]


@blueprint.reads("/approvals", RequestOut, query=RequestQuery, paged=True)
@allow("staff", "auditor", scope="branch", token="approvals:read")
def list_requests(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the requests of the branches in reach, newest first."""
    found = queries.list_requests(db, scope_paths(), state=query["state"], before_id=page.after, limit=page.limit + 1)
    return page.of(found, key=lambda request: request.request_id)


@blueprint.reads("/approvals/<int:request_id>", RequestOut, refusals=[UnknownRequest])
@allow("staff", "auditor", scope="branch", token="approvals:read")
def get_request(db: Connection, request_id: int) -> Request:
    """Show one request."""
    return _reachable(db, request_id)


@blueprint.writes(
    "/approvals/reversals",
    RequestOut,
    body=ReversalIn,
    refusals=[ledger.UnknownEntry, NotAskable, ledger.AlreadyReversed, OwnAffair, AlreadyAsked],
)
@allow("staff", scope="branch", token="approvals:write")
def ask_reversal(db: Connection, *, body: dict[str, Any], key: str) -> Request:
    """Ask that an award be taken back; somebody else must approve it within 72 hours."""
    book = next((book.book_id for book in ledger.list_books(db) if book.code == body["book"]), None)
    if book is None:
        raise ledger.UnknownEntry()
    within(service.askable(db, book, body["entry_id"]).branch_id)
    return service.ask_reversal(db, _hand(), book, body["entry_id"], body["reason"])


@blueprint.writes("/approvals/adjustments", RequestOut, body=AdjustmentIn, refusals=[ResidentForgotten, OwnAffair])
@allow("staff", scope="branch", token="approvals:write")
def ask_adjustment(db: Connection, *, body: dict[str, Any], key: str) -> Request:
    """Ask that points be given by hand; somebody else must approve it within 72 hours."""
    within(get_resident(db, body["resident_id"]).branch_id)
    return service.ask_adjustment(db, _hand(), body["resident_id"], body["points"], body["reason"])


@blueprint.writes("/approvals/<int:request_id>/approve", RequestOut, status=200, refusals=_DECIDING)
@allow("staff", scope="branch", token="approvals:write")
def approve(db: Connection, request_id: int, *, key: str) -> Request:
    """Check a request of somebody else and do what it asks."""
    _reachable(db, request_id)
    return service.approve(db, _hand(), request_id)


@blueprint.writes("/approvals/<int:request_id>/refuse", RequestOut, body=ReasonIn, status=200, refusals=_DECIDING)
@allow("staff", scope="branch", token="approvals:write")
def refuse(db: Connection, request_id: int, *, body: dict[str, Any], key: str) -> Request:
    """Say no to a request of somebody else, and why."""
    _reachable(db, request_id)
    return service.refuse(db, _hand(), request_id, body["reason"])


@blueprint.writes(
    "/approvals/<int:request_id>/withdraw", RequestOut, status=200, refusals=[UnknownRequest, NotYours, AlreadyDecided]
)
@allow("staff", scope="branch", token="approvals:write")
def withdraw(db: Connection, request_id: int, *, key: str) -> Request:
    """Take one's own request back."""
    _reachable(db, request_id)
    return service.withdraw(db, _hand(), request_id)


def _hand() -> Hand:
    return hand_of(current(), acting_roles()[0])


def _reachable(db: Connection, request_id: int) -> Request:
    request = queries.get_request(db, request_id)
    within(request.branch_id)
    return request
