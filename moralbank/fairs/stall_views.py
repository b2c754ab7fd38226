"""The stall's own desk, for its hands of the day: cards and numbers in, masked names out, and nothing else open."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from moralbank import ids
from moralbank.access.queries import Principal
from moralbank.activities import camera_views, checkin, queries, wording
from moralbank.activities.answers import Answer
from moralbank.activities.cards import NUMBER_DIGITS, read_code
from moralbank.activities.checkin import Scan
from moralbank.activities.schemas import DeskScan
from moralbank.activities.values import Direction, Means, Session
from moralbank.branches.queries import get_branch
from moralbank.errors import Invalid, Unauthenticated
from moralbank.fairs.errors import NoStall
from moralbank.fairs.queries import Fair, Stall, find_stall_of, find_table_of, get_fair
from moralbank.residents.queries import residents_by_id
from moralbank.web.auth import current, principal_or_none, public
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form

blueprint = Blueprint("stall", __name__)


@blueprint.get("/stall")
@public
def desk() -> str:
    """Show the desk of the stall that this login opens today."""
    return _page(*_own_stall(), None)


@blueprint.post("/stall")
@public
def scan() -> str | tuple[str, int]:
    """Count a card or a number at the stall."""
    fair, stall, session = _own_stall()
    try:
        given = read_form(DeskScan)
    except Invalid as refusal:
        return _page(fair, stall, session, None, in_words(refusal)), refusal.status
    code = "".join(given["code"].split())
    with database().reading() as db:
        found = read_code(db, code, get_branch(db, session.activity.branch_id).book_id)
    if isinstance(found, Answer):
        return _page(fair, stall, session, found)
    is_digits = given["typed"] == "hand" or len(code) == NUMBER_DIGITS
    means = Means.DESK_DIGITS if is_digits else Means.DESK_PHOTO if given["typed"] == "camera" else Means.DESK_CARD
    counted = Scan(
        session_id=session.session_id,
        resident_id=found,
        means=means,
        nonce=f"stall:{current().login_id}:{given['nonce'] or ids.token(16)}",
        actor=_actor(),
        direction=Direction(given["direction"]) if given["direction"] else None,
        station=stall.number,
    )
    return _page(fair, stall, session, database().join(checkin.check_in_many, counted))


@blueprint.post("/stall/frame")
@public
def frame() -> Response:
    """Answer with the code in a frame of the stall's camera."""
    _own_stall()
    return camera_views.decoded(current().session_id or 0)


def check_table(principal: Principal) -> None:
    """Refuse a hand whose merchant's table is not open now. Raises: NoStall."""
    with database().reading() as db:
        stall = find_table_of(db, principal.login_id)
    if stall is None or stall.merchant_id not in principal.merchant_ids():
        raise NoStall()


def _own_stall() -> tuple[Fair, Stall, Session]:
    """Return the stall of the one who is signed in. Raises (in the order checked): Unauthenticated, NoStall."""
    if principal_or_none() is None:
        raise Unauthenticated()
    with database().reading() as db:
        stall = find_stall_of(db, current().login_id)
        if stall is None or stall.session_id is None:
            raise NoStall()
        return get_fair(db, stall.fair_id), stall, queries.get_session(db, stall.session_id)


def _actor() -> str:
    return f"stall:{current().login_id}"


def _page(
    fair: Fair, stall: Stall, session: Session, answer: Answer | None, errors: dict[str, list[str]] | None = None
) -> str:
    with database().reading() as db:
        last = queries.list_last_scans(db, session.session_id)
        count = queries.count_present(db, session.session_id)
        shown = answer.resident_id if answer else None
        people = residents_by_id(db, {scan.resident_id for scan in last} | ({shown} if shown else set()))
    return render_template(
        "fairs/stall.html", fair=fair, stall=stall, session=session, last=last, count=count, people=people,
        answer=answer, said=wording.say(answer) if answer else None, person=people.get(shown) if shown else None,
        nonce=ids.token(16), errors=errors, given=request.form if errors else {},
    )  # fmt: skip
