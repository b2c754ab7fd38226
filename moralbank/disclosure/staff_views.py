"""The staff's pages of public notices: look at a draft, publish it, take it down, end it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.queries import actor_names
from moralbank.branches.queries import get_branch, list_branches, list_branches_under
from moralbank.disclosure import queries, service
from moralbank.disclosure.errors import NoticeChanged
from moralbank.disclosure.queries import Notice
from moralbank.disclosure.schemas import DraftIn, PublishIn, ReasonIn
from moralbank.disclosure.values import Kind, Period, State, period_before, period_of
from moralbank.errors import MoralBankError
from moralbank.web import problems
from moralbank.web.auth import actor, allow, principal_or_none, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("staff_notices", __name__, url_prefix="/staff/notices")

PAGE_ROWS = 40
Answer = str | Response | tuple[str, int]


def count_drafts() -> int:
    """Return how many drafts wait to be published at the reader's branches; 0 for whoever publishes none."""
    principal = principal_or_none()
    if principal is None or not principal.has("staff"):
        return 0
    return database().look(queries.count_drafts, principal.paths("staff"))


@blueprint.get("")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List notices, the latest first."""
    return _list()


def _list(errors: dict[str, list[str]] | None = None) -> str:
    state = request.args.get("state", "")
    before_id = request.args.get("before", type=row_id)
    wanted = State(state) if state in set(State) else None
    with database().reading() as db:
        found = queries.list_notices(db, scope_paths(), state=wanted, before_id=before_id, limit=PAGE_ROWS + 1)
        places = {branch.branch_id: branch for branch in list_branches(db)}
        mine = [one for one in list_branches_under(db, scope_paths()) if one.book_id is not None]
    page = found[:PAGE_ROWS]
    return render_template(
        "disclosure/staff_list.html",
        notices=page,
        places=places,
        mine=mine,
        state=state,
        states=list(State),
        kinds=list(Kind),
        given=request.form,
        last_month=period_before(Kind.TOTALS, clock.today()).since_on,
        errors=errors,
        next_url=url_for(".show_all", state=state, before=page[-1].notice_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".show_all", state=state) if before_id else None,
    )


@blueprint.post("")
@allow("staff", scope="branch")
def draft() -> Answer:
    """Draft a notice by hand, where the job has not been there or something was taken down."""
    try:
        given = read_form(DraftIn)
        within(given["branch_id"])
        kind = Kind(given["kind"])
        period: Period = period_of(kind, given["day"])
        made = database().transact(service.draft, given["branch_id"], kind, period, actor=actor())
    except MoralBankError as refusal:
        errors = in_words(refusal) if refusal.errors else {"day": [problems.sentence(refusal)]}
        return _list(errors), refusal.status
    return redirect(url_for(".show", notice_id=made.notice_id), 303)


@blueprint.get("/<int:notice_id>")
@allow("staff", "auditor", scope="branch")
def show(notice_id: int) -> str:
    """Show a notice as it will be seen, or was."""
    return _page(notice_id)


def _page(notice_id: int, errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        notice = _reachable(db, notice_id)
        rows = queries.list_rows(db, notice_id)
        seen = {row.number for row in queries.list_shown(db, notice_id)}
        actors = {one for one in (notice.drafted_by, notice.published_by, notice.ended_by) if one}
        return render_template(
            "disclosure/staff_show.html",
            notice=notice,
            told=notice.told,
            rows=[row for row in rows if row.number in seen],
            hidden=len(rows) - len(seen),
            branch=get_branch(db, notice.branch_id),
            names=actor_names(db, actors),
            open_objections=service.count_open(db, notice) if notice.published_at else 0,
            days=service.DAYS_UP,
            given=request.form,
            errors=errors,
        )


@blueprint.post("/<int:notice_id>/publish")
@allow("staff", scope="branch")
def publish(notice_id: int) -> Answer:
    """Let anybody see it."""
    with database().reading() as db:
        notice = _reachable(db, notice_id)
    try:
        given = read_form(PublishIn)
        database().transact(service.publish, notice_id, actor=actor(), days=given["days"])
    except NoticeChanged as refusal:
        period = Period(notice.since_on, notice.until_on)
        database().transact(service.draft, notice.branch_id, notice.kind, period, actor=notice.drafted_by)
        flash(problems.sentence(refusal), "warn")
        return redirect(url_for(".show", notice_id=notice_id), 303)
    except MoralBankError as refusal:
        return _refused(notice_id, refusal, "days")
    flash(_("已经发布，居民现在可以看到。"), "ok")
    return redirect(url_for(".show", notice_id=notice_id), 303)


@blueprint.post("/<int:notice_id>/take-down")
@allow("staff", scope="branch")
def take_down(notice_id: int) -> Answer:
    """Let nobody see it any more."""
    with database().reading() as db:
        _reachable(db, notice_id)
    try:
        reason = read_form(ReasonIn)["reason"]
        database().transact(service.take_down, notice_id, reason, actor=actor())
    except MoralBankError as refusal:
        return _refused(notice_id, refusal, "reason")
    flash(_("已经撤下。"), "ok")
    return redirect(url_for(".show", notice_id=notice_id), 303)


@blueprint.post("/<int:notice_id>/close")
@allow("staff", scope="branch")
def close(notice_id: int) -> Answer:
    """End it, once its time is over and everybody was answered."""
    with database().reading() as db:
        _reachable(db, notice_id)
    try:
        database().transact(service.close, notice_id, actor=actor())
    except MoralBankError as refusal:
        return _refused(notice_id, refusal, "close")
    flash(_("公示已经结束。"), "ok")
    return redirect(url_for(".show", notice_id=notice_id), 303)


def _refused(notice_id: int, refusal: MoralBankError, field: str) -> Answer:
    errors = in_words(refusal) if refusal.errors else {field: [problems.sentence(refusal)]}
    return _page(notice_id, errors), refusal.status


def _reachable(db: Connection, notice_id: int) -> Notice:
    notice = queries.get_notice(db, notice_id)
    within(notice.branch_id)
    return notice
