"""Pages of spot checks: the leader asks and ticks, whoever is there taps once on their phone."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.access.deeds import Kind
from moralbank.activities import queries, receipts, spots
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Session
from moralbank.branches.queries import get_branch
from moralbank.errors import MoralBankError
from moralbank.residents.queries import residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("spots", __name__)

#: As in scan_views: the pages under /a see it.
DEVICE_COOKIE = "device"
#: How often an open page asks whether there is a spot check, in seconds.
POLL_SECONDS = 15
Answer = str | Response | tuple[str, int]


@blueprint.get("/staff/sessions/<int:session_id>/spot-checks")
@allow("staff", scope="branch")
def show(session_id: int) -> str:
    """Show a session's spot checks, who is still to answer, and the button that asks."""
    return _page(session_in_scope(session_id))


@blueprint.post("/staff/sessions/<int:session_id>/spot-checks")
@allow("staff", scope="branch")
def begin(session_id: int) -> Answer:
    """Ask who is there."""
    session = session_in_scope(session_id)
    try:
        database().transact(spots.open_spot_check, session_id, actor=actor())
    except MoralBankError as refusal:
        return _page(session, problems.sentence(refusal)), refusal.status
    flash(_("已开始抽点：请大家 2 分钟内在手机上点“我在”，没有手机的由您打勾。"), "ok")
    return redirect(url_for(".show", session_id=session_id), 303)


@blueprint.post("/staff/sessions/<int:session_id>/spot-checks/<int:spot_id>/ticks")
@allow("staff", scope="branch")
def tick(session_id: int, spot_id: int) -> Answer:
    """Write down whom staff sees."""
    session = session_in_scope(session_id)
    seen = [int(value) for value in request.form.getlist("seen") if value.isascii() and value.isdigit()]
    try:
        with database().reading() as db:
            if spots.get_spot_check(db, spot_id).session_id != session_id:
                raise spots.UnknownSpotCheck()
        counted = database().transact(spots.tick, spot_id, seen, actor=actor())
    except MoralBankError as refusal:
        return _page(session, problems.sentence(refusal)), refusal.status
    flash(_("已记下 %(n)s 人在场。", n=counted), "ok")
    return redirect(url_for(".show", session_id=session_id), 303)


@blueprint.get("/a/here")
@allow("resident", scope="self")
def here() -> str:
    """Show a resident the spot checks that wait for them, renewed by itself."""
    return render_template("activities/here.html", checks=_open(), seconds=POLL_SECONDS, refused="")


@blueprint.get("/a/here/open")
@allow("resident", scope="self")
def here_open() -> str:
    """Give the part of a page that asks whether somebody is there."""
    return render_template("activities/_here.html", checks=_open())


@blueprint.post("/a/here/<int:spot_id>")
@allow("resident", scope="self")
def answer(spot_id: int) -> Answer:
    """Say that one is there."""
    resident_id = current().resident_id
    assert resident_id is not None, "the resident role belongs to residents' logins"
    device = request.cookies.get(DEVICE_COOKIE)
    try:
        database().transact(
            spots.answer, spot_id, resident_id, actor=actor(), device=receipts.hash_of(device) if device else None
        )
    except MoralBankError as refusal:
        page = render_template(
            "activities/here.html", checks=_open(), seconds=POLL_SECONDS, refused=problems.sentence(refusal)
        )
        return page, refusal.status
    flash(_("记下了，您在现场。"), "ok")
    return redirect(url_for(".here"), 303)


def _open() -> list[tuple[spots.SpotCheck, Session]]:
    resident_id = current().resident_id
    assert resident_id is not None, "the resident role belongs to residents' logins"
    with database().reading() as db:
        checks = spots.list_open_for(db, resident_id)
        sessions = queries.sessions_by_id(db, {one.session_id for one in checks})
    return [(one, sessions[one.session_id]) for one in checks]


def _page(session: Session, refused: str = "") -> str:
    with database().reading() as db:
        rounds = spots.list_rounds(db, session.session_id)
        people = residents_by_id(db, {who for one in rounds for who in one.expected | one.borrowed})
        branch = get_branch(db, session.activity.branch_id)
        secrets = queries.qr_keys_by_kid(db)
    if people:
        looking.note_many(Kind.LIST, len(people), f"session:{session.session_id}", branch_id=branch.branch_id)
    first = min(secrets) if secrets else None
    return render_template(
        "activities/spot_checks.html", session=session, branch=branch, rounds=rounds[::-1], people=people,
        refused=refused, suggested=spots.suggested_at(session, secrets[first].secret) if first is not None else None,
    )  # fmt: skip
