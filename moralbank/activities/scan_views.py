"""The code on the wall and what happens when a phone scans it: display, poster, landing, one tap in, one tap out."""

from __future__ import annotations

from typing import Any

import segno
from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from moralbank import clock, ids
from moralbank.access.queries import Principal
from moralbank.activities import answers, queries, receipts, service, spots, together, tokens, verdicts, wording
from moralbank.activities.answers import Answer
from moralbank.activities.presence import Next, next_scan
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Direction, Mode, Receipt, Session
from moralbank.branches.queries import get_branch
from moralbank.config import Config
from moralbank.earning import Claim, Totals, award, get_rule
from moralbank.residents.queries import residents_by_id
from moralbank.web.auth import acting_link, actor, allow, principal_or_none, public
from moralbank.web.db import database

blueprint = Blueprint("scan", __name__)

#: How a form names the phone's owner among those who come; the others stand in it by their links.
ME, LINK_DIGITS = "me", 15
RECEIPT_COOKIE = "receipt"
DEVICE_COOKIE = "device"
DEVICE_SECONDS = 180 * 24 * 3600
#: How long a code that was just made is good for at least.
CODE_SECONDS = tokens.STEP_SECONDS * tokens.STEPS_BACK


@blueprint.get("/a/<token>")
@public
def scan(token: str) -> Response:
    """Take a scanned code for a receipt and go on to the page with the button. Books nothing, however often."""
    with database().reading() as db:
        opened = receipts.open_token(db, token, clock.now())
    if isinstance(opened, Answer):
        return make_response(_result(opened), opened.verdict.status)
    cookie = database().join(receipts.keep_receipts, opened)
    response = redirect(url_for("scan.landing"), 303)
    _set_cookie(response, RECEIPT_COOKIE, cookie, int(receipts.RECEIPT_LIFE.total_seconds()))
    if not request.cookies.get(DEVICE_COOKIE):
        _set_cookie(response, DEVICE_COOKIE, ids.token(16), DEVICE_SECONDS)
    return response


@blueprint.get("/a/check")
@public
def landing() -> str | tuple[str, int]:
    """Show the activity behind the receipt and the one button."""
    with database().reading() as db:
        receipt = queries.find_receipt(db, receipts.hash_of(request.cookies.get(RECEIPT_COOKIE, "")))
        if receipt is None or receipt.expires_at <= clock.now():
            return _result(Answer(verdicts.EXPIRED)), verdicts.EXPIRED.status
        session = queries.get_session(db, receipt.session_id)
        branch = get_branch(db, session.activity.branch_id)
        step = _step(db, session, receipt)
        principal = principal_or_none()
        people = together.whom(db, principal.login_id) if principal else []
    if isinstance(step, Answer) and not (people and step.verdict.is_good):
        return _result(step), step.verdict.status
    return render_template(
        "activities/landing.html",
        session=session,
        branch=branch,
        direction=None if isinstance(step, Answer) else step,
        # Whoever has scanned already may still scan for the others.
        is_done=isinstance(step, Answer),
        people=people,
        now_for=acting_link(),
        receipt=receipt,
    )


@blueprint.post("/a/check")
@public
def check() -> Response | tuple[str, int]:
    """Count the receipt's scan for the one who is signed in, or for those of theirs who were chosen."""
    principal = principal_or_none()
    chosen = request.form.getlist("who")
    if principal is None or (principal.resident_id is None and not chosen):
        return redirect(url_for("scan.landing"), 303)
    if chosen:
        return _check_together(principal, chosen)
    assert principal.resident_id is not None, "whoever is no resident has chosen for whom"
    device = request.cookies.get(DEVICE_COOKIE)
    claim = receipts.Claim(
        cookie=request.cookies.get(RECEIPT_COOKIE, ""),
        resident_id=principal.resident_id,
        actor=principal.actor("resident"),
        device=receipts.hash_of(device) if device else None,
    )
    answer = database().join(receipts.use_receipts, claim)
    return _result(answer), answer.verdict.status


def _check_together(principal: Principal, chosen: list[str]) -> Response | tuple[str, int]:
    """Count the receipt's scan for each who was chosen: "me", and links by which one acts for others."""
    device = request.cookies.get(DEVICE_COOKIE)
    is_resident = principal.resident_id is not None
    party = together.Party(
        cookie=request.cookies.get(RECEIPT_COOKIE, ""),
        login_id=principal.login_id,
        owner_id=principal.resident_id,
        owner_comes=is_resident and ME in chosen,
        link_ids=[int(one) for one in chosen if one.isascii() and one.isdigit() and len(one) <= LINK_DIGITS],
        actor=principal.actor("resident" if is_resident else "helper"),
        device=receipts.hash_of(device) if device else None,
    )
    if not party.owner_comes and not party.link_ids:
        return redirect(url_for("scan.landing"), 303)
    came = database().transact(together.check_in_together, party)
    said = [(one, wording.say(one.answer)) for one in came]
    status = next((one.answer.verdict.status for one in came if not one.answer.verdict.is_good), 200)
    return render_template("activities/together.html", came=said, session=came[0].answer.session), status


@blueprint.get("/display/<int:session_id>")
@allow("staff", scope="branch")
def display(session_id: int) -> str:
    """Show the rotating code on a big screen, renewed every ten seconds with or without JavaScript."""
    session = session_in_scope(session_id)
    database().transact(service.ensure_qr_key)
    return render_template("activities/display.html", **_screen(session))


@blueprint.get("/display/<int:session_id>/code")
@allow("staff", scope="branch")
def display_code(session_id: int) -> str:
    """Give the display its present code, count and names."""
    return render_template("activities/_screen.html", **_screen(session_in_scope(session_id)))


@blueprint.post("/staff/sessions/<int:session_id>/posters")
@allow("staff", scope="branch")
def print_poster(session_id: int) -> Response:
    """Make a poster with a serial of its own."""
    session_in_scope(session_id)
    poster = database().transact(service.print_poster, session_id, actor=actor())
    return redirect(url_for("scan.poster", session_id=session_id, serial=poster.serial), 303)


@blueprint.get("/staff/sessions/<int:session_id>/posters/<int:serial>")
@allow("staff", scope="branch")
def poster(session_id: int, serial: int) -> str:
    """Show a poster as it is printed."""
    session = session_in_scope(session_id)
    key = database().transact(service.ensure_qr_key)
    with database().reading() as db:
        found = service.get_poster(db, session_id, serial)
        branch = get_branch(db, session.activity.branch_id)
    url = _url(tokens.poster(key, session_id, serial))
    return render_template(
        "activities/poster.html", session=session, branch=branch, poster=found, picture=picture(url, "q"), url=url
    )


@blueprint.post("/staff/sessions/<int:session_id>/posters/<int:serial>/revoke")
@allow("staff", scope="branch")
def revoke_poster(session_id: int, serial: int) -> Response:
    """Make a poster worthless."""
    session_in_scope(session_id)
    database().transact(service.revoke_poster, session_id, serial, actor=actor())
    return redirect(url_for("staff_activities.session", session_id=session_id), 303)


def picture(text: str, error: str, border: int = 4) -> Markup:
    """Return a QR code as SVG that scales with its place on the page."""
    code = segno.make(text, error=error, boost_error=False)
    return Markup(code.svg_inline(border=border, omitsize=True))  # noqa: S704


def _screen(session: Session) -> dict[str, Any]:
    """Return what the display shows at this moment."""
    now = clock.now()
    with database().reading() as db:
        branch = get_branch(db, session.activity.branch_id)
        count = queries.count_present(db, session.session_id)
        spot = next((one for one in spots.list_spot_checks(db, session.session_id) if one.is_open), None)
        last = queries.list_last_arrivals(db, session.session_id)
        people = residents_by_id(db, last)
        key = next(key for key in queries.qr_keys_by_kid(db).values() if key.retired_at is None)
    can_scan = (
        session.takes_scans and session.activity.mode in (Mode.ROTATING, Mode.POSTER) and now <= session.out_until
    )
    code = tokens.rotating(key, session.session_id, 0, now) if can_scan else None
    return {
        "session": session,
        "branch": branch,
        "count": count,
        "spot": spot,
        "names": [people[who].masked_name for who in last],
        "now": now,
        # The white box around it is the rest of the quiet zone, so that the code fills the screen.
        "picture": picture(_url(code), "m", border=1) if code else None,
        "step_seconds": tokens.STEP_SECONDS,
        "code_seconds": CODE_SECONDS,
    }


def _step(db: Any, session: Session, receipt: Receipt) -> Direction | Answer | None:
    """Return whether the button will check in or out (None: not known before the login), or why there is none."""
    principal = principal_or_none()
    if principal is None or principal.resident_id is None:
        return receipt.direction
    scans = queries.list_scans(db, session.session_id, principal.resident_id)
    if not session.takes_scans:
        return answers.answer(verdicts.CLOSED, session, receipt.scanned_at)
    step = next_scan(session, scans, receipt.scanned_at, receipt.direction)
    if isinstance(step, Next):
        return step.direction
    return answers.standing(session, principal.resident_id, step, receipt.scanned_at, scans)


def _result(answer: Answer) -> str:
    """Return the whole-screen answer to a scan."""
    return render_template(
        "activities/result.html",
        said=wording.say(answer),
        answer=answer,
        expected=_expected_points(answer),
        is_out=answer.scan is not None and answer.scan.direction is Direction.OUT,
    )


def _expected_points(answer: Answer) -> int | None:
    """Return the points that a check-out will bring if nothing caps them, or None when there is nothing to expect."""
    session, scan = answer.session, answer.scan
    if session is None or scan is None or scan.direction is Direction.IN or "minutes" not in answer.facts:
        return None
    with database().reading() as db:
        rule = get_rule(db, session.activity.rule_code, clock.local(session.starts_at).date())
    claim = Claim(minutes=answer.facts["minutes"], planned_minutes=session.planned_minutes)
    return award(rule, claim, Totals()).points or None


def _url(token: str) -> str:
    config: Config = current_app.config["MORALBANK"]
    return f"{config.public_url}/a/{token}"


def _set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    config: Config = current_app.config["MORALBANK"]
    response.set_cookie(name, value, max_age=seconds, path="/a", secure=config.secure, httponly=True, samesite="Lax")
