"""Pages of late entries: what staff asks for, what waits and for how long, each branch's share; a resident's own."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.queries import actor_names
from moralbank.activities import late, late_queries, queries, wording
from moralbank.activities.errors import BadInterval, UnknownLateEntry
from moralbank.activities.late import Late
from moralbank.activities.late_queries import LateEntry, LateState
from moralbank.activities.schemas import LateForm, ObjectionIn
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Session
from moralbank.approvals.service import Hand, hand_of
from moralbank.branches.queries import Branch, get_branch, list_branches_under
from moralbank.errors import N_, MoralBankError
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import find_by_number, get_resident, residents_by_id
from moralbank.web import problems
from moralbank.web.auth import acting_roles, actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("late", __name__)

PAGE = 50
Answer = str | Response | tuple[str, int]


@blueprint.app_template_global("late_entry_of")
def late_entry_of(request_id: int) -> dict[str, Any] | None:
    """Return what activities/_late.html shows of the late entry that a request is about."""
    with database().reading() as db:
        found = late_queries.find_of_request(db, request_id)
        return None if found is None else {"late": found, "session": queries.get_session(db, found.session_id)}


@blueprint.get("/staff/late-entries")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List what waits, or everything, below each branch's quota and share of this month."""
    open_only = request.args.get("all") != "1"
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        found = late_queries.list_late_entries(db, scope_paths(), open_only=open_only, before_id=before, limit=PAGE + 1)
        page = found[:PAGE]
        people = residents_by_id(db, {one.resident_id for one in page})
        sessions = queries.sessions_by_id(db, {one.session_id for one in page})
        branches = [branch for branch in list_branches_under(db, scope_paths()) if branch.book_id is not None]
        month = late_queries.month_of(clock.today())
        shares = _shares(db, branches, month)
    more = url_for(".show_all", all=None if open_only else 1, before=page[-1].late_id) if len(found) > PAGE else None
    return render_template(
        "activities/late_list.html", found=page, people=people, sessions=sessions, shares=shares, month=month,
        open_only=open_only, next_url=more,
    )  # fmt: skip


@blueprint.route("/staff/sessions/<int:session_id>/late-entries", methods=["GET", "POST"])
@allow("staff", scope="branch")
def ask(session_id: int) -> Answer:
    """Ask that somebody be credited late for a session."""
    session = session_in_scope(session_id)
    if request.method == "GET":
        start, end = clock.local(session.starts_at), clock.local(session.ends_at)
        return _form(session, {"came": f"{start:%H:%M}", "left": f"{end:%H:%M}"})
    try:
        made = database().transact(late.ask_late_entry, _hand(), _asked(session, read_form(LateForm)))
    except MoralBankError as refusal:
        return _form(session, request.form.to_dict(), _errors(refusal, "number")), refusal.status
    flash(_("补录已提交，72 小时内由另一位工作人员复核，同意后再公示 3 个工作日才入账。"), "ok")
    return redirect(url_for(".show", late_id=made.late_id), 303)


@blueprint.get("/staff/late-entries/<int:late_id>")
@allow("staff", "auditor", scope="branch")
def show(late_id: int) -> str:
    """Show one late entry: who asked, who agreed, until when it can be objected to."""
    return _page(_reachable(late_id))


@blueprint.post("/staff/late-entries/<int:late_id>/withdraw")
@allow("staff", scope="branch")
def withdraw(late_id: int) -> Answer:
    """Take one's own late entry back."""
    found = _reachable(late_id)
    try:
        database().transact(late.withdraw, _hand(), late_id)
    except MoralBankError as refusal:
        return _page(found, {"late": [problems.sentence(refusal)]}), refusal.status
    flash(_("已撤回，不会入账。"), "ok")
    return redirect(url_for(".show", late_id=late_id), 303)


@blueprint.post("/staff/late-entries/<int:late_id>/object")
@allow("staff", scope="branch")
def object_to(late_id: int) -> Answer:
    """Say that a late entry is wrong, before it posts."""
    found = _reachable(late_id)
    try:
        database().transact(late.object_to, late_id, read_form(ObjectionIn)["reason"], actor=actor())
    except MoralBankError as refusal:
        return _page(found, _errors(refusal, "late")), refusal.status
    flash(_("异议已记下，这笔补录不会入账。"), "ok")
    return redirect(url_for(".show", late_id=late_id), 303)


@blueprint.get("/me/late-entries")
@allow("resident", scope="self")
def mine() -> str:
    """Show a resident what was entered late for them, and until when they can object."""
    return _mine()


@blueprint.post("/me/late-entries/<int:late_id>/object")
@allow("resident", scope="self")
def object_to_mine(late_id: int) -> Answer:
    """Let a resident say that they were not there, or not so long."""
    with database().reading() as db:
        if late_queries.get_late_entry(db, late_id).resident_id != current().resident_id:
            raise UnknownLateEntry()
    try:
        database().transact(late.object_to, late_id, read_form(ObjectionIn)["reason"], actor=actor())
    except MoralBankError as refusal:
        return _mine(_errors(refusal, "late")), refusal.status
    flash(_("异议已记下，这笔补录不会入账。驿站会和您联系。"), "ok")
    return redirect(url_for(".mine"), 303)


def _mine(errors: dict[str, list[str]] | None = None) -> str:
    resident_id = current().resident_id
    assert resident_id is not None, "the resident role belongs to residents' logins"
    with database().reading() as db:
        found = late_queries.list_of_resident(db, resident_id)
        sessions = queries.sessions_by_id(db, {one.session_id for one in found})
    return render_template("activities/late_mine.html", found=found, sessions=sessions, errors=errors or {})


def _form(session: Session, given: dict[str, Any], errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        branch = get_branch(db, session.activity.branch_id)
        month = late_queries.month_of(clock.local(session.starts_at).date())
        quota = late_queries.quota_of(db, branch.branch_id, month)
    return render_template(
        "activities/late_form.html", session=session, branch=branch, quota=quota, given=given, errors=errors or {}
    )


def _asked(session: Session, given: dict[str, Any]) -> Late:
    """Return what the form asks for. Raises: UnknownResident, BadInterval."""
    with database().reading() as db:
        book_id = get_branch(db, session.activity.branch_id).book_id
        resident = find_by_number(db, book_id, given["number"]) if book_id is not None else None
    if resident is None:
        raise UnknownResident()
    if given["left"] <= given["came"]:
        raise BadInterval({"left": [N_("离开要晚于到场。")]})
    day = clock.local(session.starts_at).date()
    came, left = (datetime.combine(day, given[name], clock.TIMEZONE) for name in ("came", "left"))
    return Late(session.session_id, resident.resident_id, came, left, given["reason"], given["evidence"])


def _page(found: LateEntry, errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        found = late_queries.get_late_entry(db, found.late_id)
        session = queries.get_session(db, found.session_id)
        resident = get_resident(db, found.resident_id)
        branch = get_branch(db, found.branch_id)
        who = (found.request.maker, found.request.checker, found.ended_by)
        actors = actor_names(db, {one for one in who if one})
    is_mine = found.request.maker_login_id == current().login_id
    is_staff = current().has("staff")
    return render_template(
        "activities/late_show.html", late=found, session=session, resident=resident, branch=branch, actors=actors,
        errors=errors or {}, is_mine=is_mine, may_act=is_staff, wording=wording,
        may_decide=is_staff and not is_mine and found.state is LateState.ASKED,
    )  # fmt: skip


def _shares(db: Any, branches: list[Branch], month: date) -> list[dict[str, Any]]:
    """Return every branch that credited or entered somebody this month, with its quota and its grades."""
    ids = [branch.branch_id for branch in branches]
    graded = late_queries.grades_of(db, ids, month, late_queries.month_end(month))
    grades = {one.branch_id: one for one in graded}
    found = [
        {
            "branch": branch,
            "quota": quota,
            "grades": grades.get(branch.branch_id) or late_queries.Grades(branch.branch_id, {}),
        }
        for branch, quota in zip(branches, late_queries.quotas_of(db, ids, month, graded), strict=True)
    ]
    return [one for one in found if one["grades"].total or one["quota"].used]


def _reachable(late_id: int) -> LateEntry:
    with database().reading() as db:
        found = late_queries.get_late_entry(db, late_id)
    within(found.branch_id)
    return found


def _hand() -> Hand:
    return hand_of(current(), acting_roles()[0])


def _errors(refusal: MoralBankError, field: str) -> dict[str, list[str]]:
    return in_words(refusal) or {field: [problems.sentence(refusal)]}
