"""The door's other pages: three fields for whoever comes for the first time, and a station's standing code."""

from __future__ import annotations

import segno
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access import service as access
from moralbank.activities import newcomers, queries, receipts
from moralbank.activities.errors import ReceiptOver
from moralbank.activities.newcomers import Newcomer
from moralbank.activities.queries import AROUND
from moralbank.activities.scan_views import RECEIPT_COOKIE
from moralbank.activities.schemas import NewcomerForm
from moralbank.branches.errors import UnknownBranch
from moralbank.branches.queries import find_branch, get_branch
from moralbank.config import Config
from moralbank.errors import MoralBankError
from moralbank.web import auth, problems
from moralbank.web.auth import allow, public, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form

blueprint = Blueprint("newcomer", __name__)

Answer = str | Response | tuple[str, int]


@blueprint.get("/a/register")
@public
def show() -> Answer:
    """Ask whoever scanned for the first time who they are."""
    if auth.principal_or_none() is not None:
        return redirect(url_for("scan.landing"), 303)
    return _page()


@blueprint.post("/a/register")
@public
def register() -> Answer:
    """Make a depositor of whoever scanned, and go back to the one button. The time that counts is the scan's."""
    if auth.principal_or_none() is not None:
        return redirect(url_for("scan.landing"), 303)
    cookie = request.cookies.get(RECEIPT_COOKIE, "")
    tried, address = f"register:{receipts.hash_of(cookie)[:32]}", request.remote_addr or "unknown"
    try:
        given = Newcomer(**read_form(NewcomerForm))
        # Names and phones can't be tried out one after the other: five tries a scan.
        database().transact(access.begin_try, tried, address)
        login_id = database().transact(newcomers.register, cookie, given)
    except MoralBankError as refusal:
        return _page(in_words(refusal) or {"name": [problems.sentence(refusal)]}), refusal.status
    database().transact(access.end_try, tried, address)
    auth.sign_in(login_id)
    return redirect(url_for("scan.landing"), 303)


@blueprint.get("/at/<branch_code>")
@public
def station(branch_code: str) -> str:
    """Show what is on at a station today, and how to check in there. Books nothing and gives no receipt."""
    now = clock.now()
    with database().reading() as db:
        branch = find_branch(db, branch_code)
        if branch is None or branch.book_id is None:
            raise UnknownBranch(branch=branch_code)
        coming = queries.list_coming(db, now - AROUND, [branch.branch_id], limit=50)
    until = clock.end_of(clock.today())
    today = [count for count in coming if count.session.starts_at < until]
    return render_template("activities/station.html", branch=branch, today=today, now=now)


@blueprint.get("/staff/branches/<int:branch_id>/standing-code")
@allow("staff", scope="branch")
def standing_code(branch_id: int) -> str:
    """Show the standing code of a station as it is printed."""
    within(branch_id)
    with database().reading() as db:
        branch = get_branch(db, branch_id)
    config: Config = current_app.config["MORALBANK"]
    url = f"{config.public_url}{url_for('.station', branch_code=branch.code)}"
    code = segno.make(url, error="q", boost_error=False).svg_inline(border=4, omitsize=True)
    return render_template("activities/standing_code.html", branch=branch, picture=Markup(code), url=url)  # noqa: S704


def _page(errors: dict[str, list[str]] | None = None) -> str:
    """Return the three fields; without a scan that is still good there is nothing to register for.

    Raises: ReceiptOver.
    """
    with database().reading() as db:
        receipt = queries.find_receipt(db, receipts.hash_of(request.cookies.get(RECEIPT_COOKIE, "")))
        if receipt is None or receipt.expires_at <= clock.now() or receipt.used_by is not None:
            raise ReceiptOver()
        session = queries.get_session(db, receipt.session_id)
    given = request.form if errors else {}
    return render_template(
        "activities/register.html", session=session, receipt=receipt, errors=errors or {}, given=given
    )
