"""Staff's pages of activities: list, create, edit, publish, cancel, sessions, who signed up, and the sign-off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.deeds import Kind
from moralbank.access.queries import actor_names, names_of
from moralbank.activities import late_queries, queries, reviews, seconding, service, signoff, spots
from moralbank.activities.errors import (
    BadTimes,
    CheckOutOpen,
    CodeTaken,
    HeadCountDiffers,
    NotADraft,
    NotStarted,
    OwnAttendance,
    SessionTaken,
    SignOffHeld,
    StillInside,
)
from moralbank.activities.planning import plan_of
from moralbank.activities.schemas import ActivityText, HoursForm, NewActivityForm, ReturnForm, SessionForm
from moralbank.activities.signoff import Decision
from moralbank.activities.values import Activity, Mode, Session, State, Status, Windows
from moralbank.approvals.service import hand_of
from moralbank.branches.queries import get_branch, list_branches_under
from moralbank.errors import N_, Invalid, MoralBankError, fill
from moralbank.residents.queries import find_resident, residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import acting_roles, actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("staff_activities", __name__, url_prefix="/staff")

PAGE = 50


@blueprint.get("/activities")
@allow("staff", scope="branch")
def show_all() -> str:
    """Show what is to do today and all activities within reach."""
    status = request.args.get("status", "")
    search = request.args.get("q", "").strip()
    with database().reading() as db:
        branches = {branch.branch_id: branch for branch in list_branches_under(db, scope_paths())}
        found = queries.list_activities(
            db,
            list(branches),
            status=Status(status) if status in set(Status) else None,
            search=search,
            before_id=request.args.get("before", type=row_id),
            limit=PAGE + 1,
        )
        sessions = queries.list_sessions(db, [activity.activity_id for activity in found[:PAGE]])
        to_do = queries.list_to_do(db, clock.now(), list(branches), limit=20)
        held = seconding.held_sessions(db, [count.session.session_id for count in to_do])
    next_sessions: dict[int, Any] = {}
    for count in sessions:
        if count.session.state is State.OPEN:
            next_sessions.setdefault(count.session.activity.activity_id, count)
    return render_template(
        "activities/staff_list.html",
        found=found[:PAGE],
        next_before=found[PAGE - 1].activity_id if len(found) > PAGE else None,
        next_sessions=next_sessions,
        held=held,
        to_do=to_do,
        branches=branches,
        now=clock.now(),
    )


@blueprint.route("/activities/new", methods=["GET", "POST"])
@allow("staff", scope="branch")
def new() -> str | Response | tuple[str, int]:
    """Write down an activity with its first session."""
    if request.method == "GET":
        return _form(None, {"mode": Mode.ROTATING.value})
    return _saved(None, lambda: _create(read_form(NewActivityForm)))


@blueprint.route("/activities/<int:activity_id>/edit", methods=["GET", "POST"])
@allow("staff", scope="branch")
def edit(activity_id: int) -> str | Response | tuple[str, int]:
    """Change what an activity says."""
    activity = _activity_in_scope(activity_id)
    if request.method == "GET":
        return _form(activity, _given(activity))
    return _saved(activity, lambda: _edit(activity, read_form(ActivityText)))


@blueprint.get("/activities/<int:activity_id>")
@allow("staff", scope="branch")
def show(activity_id: int) -> str:
    """Show an activity with its sessions and what can be done with it."""
    return _activity_page(_activity_in_scope(activity_id))


@blueprint.post("/activities/<int:activity_id>/<any(publish, cancel, close):deed>")
@allow("staff", scope="branch")
def act(activity_id: int, deed: str) -> Response:
    """Publish an activity, call it off, or put it away."""
    _activity_in_scope(activity_id)
    verb, words = _DEEDS[deed]
    database().transact(verb, activity_id)
    flash(_(words), "ok")
    return redirect(url_for("staff_activities.show", activity_id=activity_id), 303)


@blueprint.post("/activities/<int:activity_id>/sessions")
@allow("staff", scope="branch")
def add_session(activity_id: int) -> Response | tuple[str, int]:
    """Add a sitting."""
    activity = _activity_in_scope(activity_id)
    try:
        database().transact(service.add_session, activity_id, *_hours(read_form(SessionForm)))
    except (Invalid, SessionTaken) as refusal:
        return _activity_page(activity, _errors(refusal, "starts"), request.form.to_dict()), refusal.status
    flash(_("已添加一场。"), "ok")
    return redirect(url_for("staff_activities.show", activity_id=activity_id), 303)


@blueprint.route("/sessions/<int:session_id>", methods=["GET", "POST"])
@allow("staff", scope="branch")
def session(session_id: int) -> str | Response | tuple[str, int]:
    """Show one sitting: who comes, its posters, its hours; and move the hours."""
    found = session_in_scope(session_id)
    if request.method == "GET":
        return _session_page(found)
    try:
        hours = read_form(HoursForm)
        windows = Windows(*(hours[name] for name in ("in_before", "in_after", "out_before", "out_after")))
        database().transact(service.edit_session, session_id, *_hours(hours), windows)
    except (Invalid, SessionTaken) as refusal:
        return _session_page(found, _errors(refusal, "starts"), request.form.to_dict()), refusal.status
    flash(_("时间已改好。"), "ok")
    return redirect(url_for("staff_activities.session", session_id=session_id), 303)


@blueprint.post("/sessions/<int:session_id>/cancel")
@allow("staff", scope="branch")
def cancel_session(session_id: int) -> Response:
    """Call one sitting off."""
    found = session_in_scope(session_id)
    database().transact(service.cancel_session, session_id)
    flash(_("这一场已取消。"), "ok")
    return redirect(url_for("staff_activities.show", activity_id=found.activity.activity_id), 303)


@blueprint.route("/sessions/<int:session_id>/sign-off", methods=["GET", "POST"])
@allow("staff", "auditor", scope="branch")
def sign_off(session_id: int) -> str | Response | tuple[str, int]:
    """Look through the roster, doubts first, and sign; afterwards show what came of it, to auditors too."""
    found = session_in_scope(session_id)
    if request.method == "GET" or found.state is not State.OPEN:
        return _sign_off_page(found)
    try:
        head_count, decisions = _decisions()
        result = database().transact(
            seconding.sign_off,
            hand_of(current(), acting_roles()[0]),
            session_id,
            decisions,
            head_count,
            resident_id=current().resident_id,
            closes_early="closes_early" in request.form,
        )
    except (Invalid, OwnAttendance, NotStarted, StillInside, CheckOutOpen, SignOffHeld) as refusal:
        field = "closes_early" if isinstance(refusal, CheckOutOpen) else "head_count"
        is_whole = isinstance(refusal, HeadCountDiffers) or not refusal.errors
        errors = {field: [problems.sentence(refusal)]} if is_whole else in_words(refusal)
        return _sign_off_page(found, errors), refusal.status
    if isinstance(result, seconding.Held):
        flash(_("已签字，等另一位工作人员复核；复核以后积分才到账。"), "warn")
        return redirect(url_for("staff_activities.sign_off", session_id=session_id), 303)
    credited = sum(1 for award in result.awards if award.entry_id is not None and award.kind == "attendance")
    flash(_("已签字，%(n)s 人的积分已到账。", n=credited), "ok")
    return redirect(url_for("staff_activities.sign_off", session_id=session_id), 303)


@blueprint.post("/sessions/<int:session_id>/sign-off/agree")
@allow("staff", scope="branch")
def agree_to_sign_off(session_id: int) -> str | Response | tuple[str, int]:
    """Sign as the second person: everybody is credited as the leader said."""
    found = session_in_scope(session_id)
    try:
        hand = hand_of(current(), acting_roles()[0])
        done = database().transact(seconding.agree, hand, session_id, resident_id=current().resident_id)
    except MoralBankError as refusal:
        return _sign_off_page(found, {"held": [problems.sentence(refusal)]}), refusal.status
    credited = sum(1 for award in done.awards if award.entry_id is not None and award.kind == "attendance")
    flash(_("已复核，%(n)s 人的积分已到账。", n=credited), "ok")
    return redirect(url_for("staff_activities.sign_off", session_id=session_id), 303)


@blueprint.post("/sessions/<int:session_id>/sign-off/return")
@allow("staff", scope="branch")
def return_sign_off(session_id: int) -> str | Response | tuple[str, int]:
    """Return what waits to its leader, with the reason; or take back what one signed oneself."""
    found = session_in_scope(session_id)
    hand = hand_of(current(), acting_roles()[0])
    try:
        if request.form.get("own") == "1":
            database().transact(seconding.withdraw, hand, session_id)
            flash(_("已撤回，可以改好再签字。"), "ok")
        else:
            database().transact(seconding.send_back, hand, session_id, read_form(ReturnForm)["reason"])
            flash(_("已退回，签字的人能看到原因。"), "ok")
    except MoralBankError as refusal:
        return _sign_off_page(found, in_words(refusal) or {"held": [problems.sentence(refusal)]}), refusal.status
    return redirect(url_for("staff_activities.sign_off", session_id=session_id), 303)


def count_held() -> int:
    """Return how many sign-offs wait for the reader to look at them."""
    principal = current()
    return database().look(seconding.count_waiting, principal.paths("staff"), principal.login_id)


_DEEDS: dict[str, tuple[Callable[[Connection, int], Activity], str]] = {
    "publish": (service.publish_activity, N_("活动已发布，居民现在能看到。")),
    "cancel": (service.cancel_activity, N_("活动已取消。")),
    "close": (service.close_activity, N_("活动已结束。")),
}


def _create(given: dict[str, Any]) -> Activity:
    within(given["branch_id"])
    starts_at, ends_at = _hours({name: given.pop(name) for name in ("on", "starts", "ends")})

    def announce(db: Connection) -> Activity:
        activity = service.create_activity(db, plan_of(db, given), actor=actor(), login_id=current().login_id)
        service.add_session(db, activity.activity_id, starts_at, ends_at)
        return activity

    return database().transact(announce)


def _edit(activity: Activity, given: dict[str, Any]) -> Activity:
    within(given["branch_id"])
    return database().transact(
        lambda db: service.edit_activity(db, activity.activity_id, plan_of(db, given | {"code": activity.code}))
    )


def _saved(activity: Activity | None, save: Callable[[], Activity]) -> Response | tuple[str, int]:
    """Save and go to the activity, or show the form again with what was typed."""
    try:
        saved = save()
    except (Invalid, CodeTaken, NotADraft, SessionTaken) as refusal:
        return _form(activity, request.form.to_dict(), _errors(refusal, "code")), refusal.status
    flash(_("已保存。"), "ok")
    return redirect(url_for("staff_activities.show", activity_id=saved.activity_id), 303)


def _form(activity: Activity | None, given: dict[str, Any], errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        branches = [branch for branch in list_branches_under(db, scope_paths()) if branch.book_id is not None]
        rules = service.session_rules(db)
    return render_template(
        "activities/form.html", activity=activity, given=given, errors=errors, branches=branches, rules=rules
    )


def _given(activity: Activity) -> dict[str, Any]:
    """Return an activity as its form shows it."""
    names = ("title", "rule_code", "branch_id", "place", "description", "capacity", "mode", "needs_signup")
    given = {name: getattr(activity, name) for name in names}
    if activity.leader_resident_id is not None:
        with database().reading() as db:
            leader = find_resident(db, activity.leader_resident_id)
        given["leader_number"] = leader.number if leader else ""
    return given


def _activity_page(
    activity: Activity, errors: dict[str, list[str]] | None = None, given: dict[str, Any] | None = None
) -> str:
    with database().reading() as db:
        sessions = queries.list_sessions(db, [activity.activity_id])
        branch = get_branch(db, activity.branch_id)
        leader = _leader(db, activity)
    return render_template(
        "activities/staff_show.html",
        activity=activity,
        sessions=sessions,
        branch=branch,
        leader=leader,
        errors=errors,
        given=given or {},
    )


def _session_page(
    found: Session, errors: dict[str, list[str]] | None = None, given: dict[str, Any] | None = None
) -> str:
    with database().reading() as db:
        signups = queries.list_signups(db, found.session_id)
        people = residents_by_id(db, [signup.resident_id for signup in signups])
        posters = queries.list_posters(db, found.session_id)
        count = queries.count_present(db, found.session_id)
        branch = get_branch(db, found.activity.branch_id)
    _note_list(found, len(people))
    start, end = clock.local(found.starts_at), clock.local(found.ends_at)
    hours = {"on": start.date(), "starts": f"{start:%H:%M}", "ends": f"{end:%H:%M}"}
    windows = {name: getattr(found.windows, name) for name in ("in_before", "in_after", "out_before", "out_after")}
    return render_template(
        "activities/session.html",
        session=found,
        signups=signups,
        people=people,
        posters=posters,
        count=count,
        branch=branch,
        errors=errors,
        given=given or hours | windows,
    )


def _sign_off_page(found: Session, errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        roster = signoff.roster(db, found)
        awards = queries.list_awards(db, found.session_id)
        people = residents_by_id(db, {award.resident_id for award in awards})
        branch = get_branch(db, found.activity.branch_id)
        signer = _signer(db, found)
        unjudged = reviews.count_reviews(db, [found.activity.branch_id], session_id=found.session_id)
        rounds = spots.list_rounds(db, found.session_id)
        late = late_queries.list_of_session(db, found.session_id)
        held = seconding.find_last(db, found.session_id)
        actors = actor_names(db, {who for who in (held.asked_by, held.decided_by) if who} if held else set())
    _note_list(found, len(roster) or len(people))
    refusal = signoff.too_early(found, roster, clock.now()) if found.takes_scans else None
    page = "activities/signed_off.html" if found.state is State.SIGNED_OFF else "activities/sign_off.html"
    if held is not None and held.state == "waiting" and found.state is State.OPEN:
        page = "activities/held.html"
    # After a refusal the leader's own ticks and figures stay; before, whoever is beyond doubt is ticked, or everybody
    # where the leader confirms a whole stall at once.
    wants_all = "all" in request.args
    ticked = (
        set(request.form.getlist("present", type=row_id))
        if errors
        else {row.resident.resident_id for row in roster if wants_all or not row.presence.needs_leader}
    )
    return render_template(
        page,
        session=found,
        roster=roster,
        awards=awards,
        people=people,
        branch=branch,
        signer=signer,
        errors=errors,
        ticked=ticked,
        late=late,
        rounds=rounds,
        given=request.form,
        too_early=fill(_(refusal.sentence), refusal.fields) if refusal else "",
        may_close=isinstance(refusal, CheckOutOpen),
        unjudged=unjudged,
        held=held,
        actors=actors,
        said={one.resident_id: one.minutes for one in held.confirmed} if held else {},
        is_own=held is not None and held.asked_login_id == current().login_id,
    )


def _note_list(found: Session, people: int) -> None:
    """Write down that the people of a session were shown by name."""
    if people:
        looking.note_many(Kind.LIST, people, f"session:{found.session_id}", branch_id=found.activity.branch_id)


def _decisions() -> tuple[int, list[Decision]]:
    """Return the head count and whom the form confirms, with the minutes given for them."""
    errors: dict[str, list[str]] = {}
    text = request.form.get("head_count", "").strip()
    if not _is_number(text, 6):
        errors["head_count"] = [N_("请填您点到的人数。")]
    decisions = []
    for value in request.form.getlist("present"):
        minutes = request.form.get(f"minutes_{value}", "").strip()
        if not _is_number(value, 18) or (minutes and not _is_number(minutes, 4)):
            errors[f"minutes_{value}"] = [N_("请填 0 到上限之间的整数。")]
            continue
        decisions.append(Decision(int(value), int(minutes) if minutes else None))
    if errors:
        raise Invalid(errors)
    return int(text), decisions


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


def _hours(given: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return the start and end of a sitting on one local day."""
    day, starts, ends = given["on"], given["starts"], given["ends"]
    if ends <= starts:
        raise BadTimes({"ends": [N_("结束要晚于开始。")]})
    start, end = (datetime.combine(day, time, clock.TIMEZONE) for time in (starts, ends))
    return start, end


def _errors(refusal: MoralBankError, field: str) -> dict[str, list[str]]:
    """Return a refusal's sentences by field; one that names no field stands at the one that caused it."""
    return in_words(refusal) or {field: [problems.sentence(refusal)]}


def _leader(db: Connection, activity: Activity) -> str:
    """Return who leads: the resident, else the colleague who announced it."""
    if activity.leader_resident_id is not None:
        leader = find_resident(db, activity.leader_resident_id)
        return leader.name if leader else ""
    if activity.leader_login_id is None:
        return ""
    return names_of(db, [activity.leader_login_id]).get(activity.leader_login_id, "")


def _signer(db: Connection, found: Session) -> str:
    if found.signed_off_by is None or ":" not in found.signed_off_by:
        return ""
    login_id = int(found.signed_off_by.split(":")[1])
    return names_of(db, [login_id]).get(login_id, "")


def _activity_in_scope(activity_id: int) -> Activity:
    with database().reading() as db:
        activity = queries.get_activity(db, activity_id)
    within(activity.branch_id)
    return activity


def session_in_scope(session_id: int) -> Session:
    """Return a session of the reader's branches. Raises: UnknownSession, OutOfScope."""
    with database().reading() as db:
        found = queries.get_session(db, session_id)
    within(found.activity.branch_id)
    return found
