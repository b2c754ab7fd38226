"""API operations of public notices and objections."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.disclosure import queries
from moralbank.disclosure.errors import UnknownNotice
from moralbank.disclosure.queries import Notice
from moralbank.disclosure.schemas import AnswerIn, NoticeOut, NoticeQuery, ObjectionOut, ObjectionQuery
from moralbank.disclosure.values import State
from moralbank.objections import queries as objections
from moralbank.objections import service
from moralbank.objections.errors import AnsweringOwnAct, ObjectionAnswered, UnknownObjection
from moralbank.objections.queries import Objection
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import actor, allow, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("notices", __name__, description="Public notices, and what people object to.")


@blueprint.reads("/notices", NoticeOut, query=NoticeQuery, paged=True)
@allow("staff", "auditor", scope="branch", token="notices:read")
def list_notices(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the notices of the branches in reach, newest first."""
    state = State(query["state"]) if query["state"] else None
    found = queries.list_notices(db, scope_paths(), state=state, before_id=page.after, limit=page.limit + 1)
    return page.of(found, key=lambda notice: notice.notice_id)


@blueprint.reads("/notices/<int:notice_id>", NoticeOut, refusals=[UnknownNotice])
@allow("staff", "auditor", scope="branch", token="notices:read")
def get_notice(db: Connection, notice_id: int) -> Notice:
    """Show one notice, also one that is no longer up."""
    notice = queries.get_notice(db, notice_id)
    within(notice.branch_id)
    return notice


@blueprint.reads("/objections", ObjectionOut, query=ObjectionQuery, paged=True)
@allow("staff", "auditor", scope="branch", token="objections:read")
def list_objections(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the objections of the branches in reach, newest first; never who can be reached where."""
    found = objections.list_objections(
        db, scope_paths(), state=query["state"], before_id=page.after, limit=page.limit + 1
    )
    return page.of(found, key=lambda objection: objection.objection_id)


@blueprint.writes(
    "/objections/<int:objection_id>/answer",
    ObjectionOut,
    body=AnswerIn,
    status=200,
    refusals=[UnknownObjection, ObjectionAnswered, AnsweringOwnAct],
)
@allow("staff", scope="branch", token="objections:write")
def answer(db: Connection, objection_id: int, *, body: dict[str, Any], key: str) -> Objection:
    """Answer an objection."""
    within(objections.get_objection(db, objection_id).branch_id)
    is_right = body["outcome"] == "upheld"
    return service.answer(db, objection_id, is_right=is_right, words=body["words"], actor=actor())
