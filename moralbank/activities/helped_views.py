"""Pages of sessions in somebody's home: staff names who is helped, and they confirm on a page or card of their own."""

from __future__ import annotations

from typing import Any

import segno
from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.deeds import Kind
from moralbank.activities import helped, queries, service, tokens
from moralbank.activities.errors import HelpedRevoked, UnknownHelped
from moralbank.activities.helped import Helped
from moralbank.activities.schemas import HelpedForm
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Session
from moralbank.branches.queries import get_branch
from moralbank.config import Config
from moralbank.errors import N_, Invalid, MoralBankError
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import find_by_number, find_residents, residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import allow, public
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("helped", __name__)

#: The rating of each button, best first, with its words.
RATINGS = ((3, N_("很满意")), (2, N_("还可以")), (1, N_("不满意")))
Answer = str | Response | tuple[str, int]


@blueprint.get("/staff/sessions/<int:session_id>/helped")
@allow("staff", scope="branch")
def show(session_id: int) -> str:
    """Show who is helped in a session."""
    return _staff_page(session_in_scope(session_id))


@blueprint.post("/staff/sessions/<int:session_id>/helped")
@allow("staff", scope="branch")
def add(session_id: int) -> Answer:
    """Write down who is helped, and show the address of their page once."""
    session = session_in_scope(session_id)
    try:
        given = read_form(HelpedForm)
        resident_id = _resident(session, given["number"])
        one, secret = database().transact(
            helped.add_helped, session_id, resident_id=resident_id, label="" if resident_id else given["label"]
        )
    except MoralBankError as refusal:
        return _staff_page(session, in_words(refusal) or {"number": [problems.sentence(refusal)]}), refusal.status
    return _staff_page(session, shown=(one, secret))


@blueprint.post("/staff/sessions/<int:session_id>/helped/<int:helped_id>/renew")
@allow("staff", scope="branch")
def renew(session_id: int, helped_id: int) -> Answer:
    """Give the page of the helped person a new address, and show it once."""
    session = session_in_scope(session_id)
    try:
        secret = database().transact(helped.renew_secret, session_id, helped_id)
    except HelpedRevoked as refusal:
        return _staff_page(session, {"number": [problems.sentence(refusal)]}), refusal.status
    with database().reading() as db:
        one = helped.get_helped(db, session_id, helped_id)
    return _staff_page(session, shown=(one, secret))


@blueprint.post("/staff/sessions/<int:session_id>/helped/<int:helped_id>/revoke")
@allow("staff", scope="branch")
def revoke(session_id: int, helped_id: int) -> Response:
    """Make page and card worthless."""
    session_in_scope(session_id)
    database().transact(helped.revoke, session_id, helped_id)
    flash(_("已作废，这个人的页面和卡片不能再用。"), "ok")
    return redirect(url_for(".show", session_id=session_id), 303)


@blueprint.get("/staff/sessions/<int:session_id>/helped/<int:helped_id>/card")
@allow("staff", scope="branch")
def card(session_id: int, helped_id: int) -> str:
    """Show the card to print for somebody without a phone. It names nobody."""
    session = session_in_scope(session_id)
    key = database().transact(service.ensure_qr_key)
    with database().reading() as db:
        one = helped.get_helped(db, session_id, helped_id)
        branch = get_branch(db, session.activity.branch_id)
    url = _scan_url(tokens.helped_card(key, session_id, one.number, one.helped_id))
    return render_template(
        "activities/helped_card.html", session=session, branch=branch, one=one, picture=_picture(url)
    )


@blueprint.get("/h/<page_secret>")
@public
def own(page_secret: str) -> str:
    """Show the helped person their code and who scanned it, renewed by itself."""
    return render_template("activities/helped_own.html", **_own(_holder(page_secret), page_secret))


@blueprint.get("/h/<page_secret>/code")
@public
def own_code(page_secret: str) -> str:
    """Give the page its present code and the scans that wait."""
    return render_template("activities/_helped.html", **_own(_holder(page_secret), page_secret))


@blueprint.post("/h/<page_secret>/confirm")
@public
def confirm(page_secret: str) -> Answer:
    """Let the helped person say that somebody came or went, and how it was."""
    one = _holder(page_secret)
    try:
        checkin_id, rating = (_number(request.form.get(name, "")) for name in ("checkin_id", "rating"))
        database().transact(helped.confirm, one, checkin_id, rating or None)
    except MoralBankError as refusal:
        page = render_template(
            "activities/helped_own.html", **(_own(one, page_secret) | {"refused": problems.sentence(refusal)})
        )
        return page, refusal.status
    flash(_("记下了，谢谢您。"), "ok")
    return redirect(url_for(".own", page_secret=page_secret), 303)


def _holder(secret: str) -> Helped:
    """Return whose page this is. Raises: UnknownHelped."""
    with database().reading() as db:
        one = helped.find_by_secret(db, secret)
    if one is None:
        raise UnknownHelped()
    return one


def _own(one: Helped, secret: str) -> dict[str, Any]:
    """Return what the helped person's page shows at this moment."""
    now = clock.now()
    key = database().transact(service.ensure_qr_key)
    with database().reading() as db:
        session = queries.get_session(db, one.session_id)
        branch = get_branch(db, session.activity.branch_id)
        visits = helped.list_visits(db, one)
        people = residents_by_id(db, {visit.scan.resident_id for visit in visits})
    is_time = session.takes_scans and session.in_from <= now <= session.out_until
    url = _scan_url(tokens.rotating(key, session.session_id, one.number, now)) if is_time else ""
    return {
        "session": session,
        "branch": branch,
        "visits": visits,
        "people": people,
        "picture": _picture(url) if url else None,
        "secret": secret,
        "seconds": tokens.STEP_SECONDS,
        "ratings": RATINGS,
        "refused": "",
    }


def _staff_page(
    session: Session, errors: dict[str, list[str]] | None = None, shown: tuple[Helped, str] | None = None
) -> str:
    with database().reading() as db:
        everybody = helped.list_helped(db, session.session_id)
        people = find_residents(db, {one.resident_id for one in everybody if one.resident_id is not None})
        rated = helped.ratings_of(db, session.activity.activity_id)
    if everybody:
        place = session.activity.branch_id
        looking.note_many(Kind.LIST, len(everybody), f"session:{session.session_id}", branch_id=place)
    config: Config = current_app.config["MORALBANK"]
    address = f"{config.public_url}/h/{shown[1]}" if shown else ""
    return render_template(
        "activities/helped.html", session=session, everybody=everybody, people=people, rated=rated, ratings=RATINGS,
        errors=errors or {}, given=request.form if errors else {}, address=address, new=shown[0] if shown else None,
        picture=_picture(address) if address else None,
    )  # fmt: skip


def _resident(session: Session, number: str | None) -> int | None:
    """Return the resident of a number that was given. Raises: UnknownResident."""
    if not number:
        return None
    with database().reading() as db:
        book_id = get_branch(db, session.activity.branch_id).book_id
        found = find_by_number(db, book_id, number) if book_id is not None else None
    if found is None:
        raise UnknownResident()
    return found.resident_id


def _number(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Invalid()
    return int(text)


def _scan_url(token: str) -> str:
    config: Config = current_app.config["MORALBANK"]
    return f"{config.public_url}/a/{token}"


def _picture(text: str) -> Markup:
    return Markup(segno.make(text, error="m", boost_error=False).svg_inline(border=4, omitsize=True))  # noqa: S704
