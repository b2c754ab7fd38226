"""What residents see of activities: what is coming, one of them, sign-up and its cancelling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.activities import queries, service, wording
from moralbank.activities.errors import UnknownActivity
from moralbank.activities.values import SessionCount, Status
from moralbank.behalf import acting
from moralbank.branches.queries import get_branch, list_branches
from moralbank.earning import list_adoptions
from moralbank.errors import N_
from moralbank.web.auth import allow, public
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language

blueprint = Blueprint("activities", __name__)


@blueprint.app_context_processor
def words() -> dict[str, Any]:
    """Give templates the names of states, doubts and means."""
    return {"wording": wording}


@blueprint.app_template_global("rule_name")
def rule_name(code: str) -> str:
    """Return what a rule is about, in the reader's language."""
    with database().reading() as db:
        adopted = list_adoptions(db, code)
    if not adopted:
        return code
    rule = adopted[-1].rule
    return rule.category_en if language() == "en" else rule.category_zh


@blueprint.get("/activities")
@public
def show_all() -> str:
    """Show what is coming, one's own sign-ups marked."""
    with database().reading() as db:
        branches = [branch for branch in list_branches(db) if branch.book_id is not None]
        chosen = next((b for b in branches if str(b.branch_id) == request.args.get("branch")), None)
        within = None if chosen is None else [chosen.branch_id]
        coming = queries.list_coming(db, clock.now(), within, limit=100)
        mine = _mine(db, coming)
    names = {branch.branch_id: branch for branch in branches}
    return render_template("activities/coming.html", coming=coming, mine=mine, branches=names, chosen=chosen)


@blueprint.get("/activities/<int:activity_id>")
@public
def show(activity_id: int) -> str:
    """Show one activity with the sessions that can still be signed up for."""
    with database().reading() as db:
        activity = queries.get_activity(db, activity_id)
        if activity.status is Status.DRAFT:
            raise UnknownActivity()
        now = clock.now()
        sessions = [count for count in queries.list_sessions(db, [activity_id]) if count.session.ends_at > now]
        mine = _mine(db, sessions)
        by_team = _signed_up_by_others(db, sessions)
        branch = get_branch(db, activity.branch_id)
    return render_template(
        "activities/show.html", activity=activity, sessions=sessions, mine=mine, by_team=by_team, branch=branch, now=now
    )


@blueprint.post("/activities/sessions/<int:session_id>/sign-up")
@allow("resident", scope="self", for_family=True)
def sign_up(session_id: int) -> Response:
    """Put oneself on the list of a session."""
    signup = database().transact(service.sign_up, session_id, acting.person_id())
    if signup.state == "going":
        flash(_("报上名了，到时请提前到现场扫码签到。"), "ok")
    else:
        flash(_("名额已满，您在候补名单上，有空位会自动补上。"), "warn")
    return _back(session_id)


@blueprint.post("/activities/sessions/<int:session_id>/team-sign-up")
@allow("resident", scope="self")
def team_sign_up(session_id: int) -> Response:
    """Put the members of one's team on the list of a session."""
    numbers = re.findall(r"[0-9]+", request.form.get("numbers", ""))
    states = database().transact(service.sign_up_team, session_id, acting.person_id(), numbers)
    for state, kind, words in (
        ("going", "ok", N_("已代 %(n)s 人报名：%(numbers)s。本人能看到，不去可以自己取消。")),
        ("waiting", "warn", N_("名额已满，%(n)s 人在候补：%(numbers)s。")),
        ("unknown", "warn", N_("%(n)s 个号码没有报上，请核对：%(numbers)s。")),
    ):
        theirs = [number for number, found in states.items() if found == state]
        if theirs:
            flash(_(words, n=len(theirs), numbers=_("、").join(theirs)), kind)
    return _back(session_id)


@blueprint.post("/activities/sessions/<int:session_id>/cancel-sign-up")
@allow("resident", scope="self", for_family=True)
def cancel_sign_up(session_id: int) -> Response:
    """Take oneself off the list of a session."""
    database().transact(service.cancel_sign_up, session_id, acting.person_id())
    flash(_("已取消报名。"), "ok")
    return _back(session_id)


def _mine(db: Any, counts: Sequence[SessionCount]) -> dict[int, str]:
    """Return the reader's own state in each of the sessions."""
    reader = acting.reader_id()
    if reader is None:
        return {}
    ids = [count.session.session_id for count in counts]
    return {which: mine.state for which, mine in queries.signups_of(db, reader, ids).items()}


def _signed_up_by_others(db: Any, counts: Sequence[SessionCount]) -> set[int]:
    """Return the sessions for which the leader of a team put the reader on the list."""
    reader = acting.reader_id()
    if reader is None:
        return set()
    ids = [count.session.session_id for count in counts]
    found = queries.signups_of(db, reader, ids)
    return {which for which, mine in found.items() if mine.signed_up_by is not None}


def _back(session_id: int) -> Response:
    with database().reading() as db:
        activity_id = queries.get_session(db, session_id).activity.activity_id
    return redirect(url_for("activities.show", activity_id=activity_id), 303)
