"""Calendars that a phone subscribes to, and where a resident makes, changes or ends the address of their own."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from moralbank import clock
from moralbank.activities import calendars
from moralbank.activities.values import Session
from moralbank.branches.errors import UnknownBranch
from moralbank.branches.queries import find_branch, list_branches
from moralbank.config import Config
from moralbank.errors import NotFound
from moralbank.residents.errors import UnknownResident
from moralbank.web.auth import allow, current, public
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language

blueprint = Blueprint("calendars", __name__)


@blueprint.get("/calendar/<branch_code>.ics")
@public
def of_branch(branch_code: str) -> Response:
    """Give what is announced at a branch and below it."""
    with database().reading() as db:
        branch = find_branch(db, branch_code)
        if branch is None:
            raise UnknownBranch(branch=branch_code)
        branch_ids = [one.branch_id for one in list_branches(db, branch.branch_id)]
        sessions = calendars.of_branches(db, branch_ids, clock.now())
    return _file(branch.name_en if language() == "en" else branch.name_zh, sessions)


@blueprint.get("/calendar/mine/<secret>.ics")
@public
def of_resident(secret: str) -> Response:
    """Give what the owner of the address signed up for. A wrong address is no calendar, and says nothing more."""
    with database().reading() as db:
        owner = calendars.find_owner(db, secret)
        if owner is None:
            raise NotFound
        sessions = calendars.of_resident(db, owner, clock.now())
    answer = _file(_("我的活动"), sessions)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@blueprint.get("/me/calendar")
@allow("resident", scope="self")
def show() -> str:
    """Say how to have one's activities in the phone's own calendar."""
    return _page()


@blueprint.post("/me/calendar")
@allow("resident", scope="self")
def make() -> str:
    """Make a new address; the one before is void. It is shown now and never again."""
    secret = database().transact(calendars.make_address, _resident_id())
    return _page(address=_base() + url_for(".of_resident", secret=secret))


@blueprint.post("/me/calendar/end")
@allow("resident", scope="self")
def end() -> AnyResponse:
    """End the address."""
    database().transact(calendars.drop_address, _resident_id())
    flash(_("日历地址已停用，手机里订阅的会停止更新。"), "ok")
    return redirect(url_for(".show"), 303)


def _page(address: str | None = None) -> str:
    with database().reading() as db:
        since = calendars.address_since(db, _resident_id())
    return render_template("activities/calendar.html", since=since, address=address)


def _resident_id() -> int:
    resident_id = current().resident_id
    if resident_id is None:
        raise UnknownResident
    return resident_id


def _file(name: str, sessions: Sequence[Session]) -> Response:
    pages = {
        session.activity.activity_id: _base() + url_for("activities.show", activity_id=session.activity.activity_id)
        for session in sessions
    }
    written = calendars.spell(name, urlsplit(_base()).hostname or request.host, sessions, pages)
    return Response(written, content_type="text/calendar; charset=utf-8")


def _base() -> str:
    config: Config = current_app.config["MORALBANK"]
    return config.public_url.rstrip("/")
