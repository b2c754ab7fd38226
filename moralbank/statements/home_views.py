"""The site's first page, which leads everybody to where they begin, and the resident's home."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.activities import late_queries
from moralbank.activities import queries as activities
from moralbank.behalf import acting
from moralbank.behalf.queries import count_held
from moralbank.behalf.values import Kind as LinkKind
from moralbank.ledger import Unit
from moralbank.redemptions.phone_orders import find_waiting
from moralbank.redemptions.vouchers import held_points
from moralbank.residents.queries import get_resident
from moralbank.statements import queries
from moralbank.statements.views import own_line_url
from moralbank.statements.wording import shown_line
from moralbank.teams.queries import teams_of_contact
from moralbank.web.auth import allow, current, principal_or_none, public
from moralbank.web.db import database

blueprint = Blueprint("home", __name__)

LINES = 5
SESSIONS = 3
#: Where each role begins its day; the first that is held counts.
FIRST_PAGES = (
    ("operator", "/counter"),
    ("staff", "/staff/activities"),
    ("auditor", "/audit"),
    ("helper", "/helping"),
    ("resident", "/me"),
)


@blueprint.get("/")
@public
def first_page() -> Response:
    """Lead everybody to where they begin."""
    principal = principal_or_none()
    if principal is None:
        return redirect("/login", 303)
    # Whoever has no role has a stall for a day, or nothing.
    otherwise = "/sessions" if principal.grants else "/stall"
    return redirect(next((path for role, path in FIRST_PAGES if principal.has(role)), otherwise), 303)


@blueprint.get("/me")
@allow("resident", scope="self", for_family=True)
def home() -> str:
    """Show what a resident has, what to do next, and what moved last."""
    resident_id = acting.person_id()
    acting.look()
    with database().reading() as db:
        resident = get_resident(db, resident_id)
        book = queries.passbook(db, queries.owner_of_resident(db, resident), Unit.POINTS)
        held = held_points(db, resident_id)
        asked = find_waiting(db, resident_id)
        coming = activities.list_coming(db, clock.now(), limit=SESSIONS)
        teams = 0 if acting.acting() else len(teams_of_contact(db, resident_id))
        helps = 0 if acting.acting() else count_held(db, current().login_id, LinkKind.HELPER)
        late = late_queries.count_open(db, resident_id)
        signups = activities.signups_of(db, resident_id, [count.session.session_id for count in coming])
    return render_template(
        "statements/home.html",
        book=book,
        held=held,
        # What waits for a yes on the phone is asked of the person alone.
        asked=None if acting.acting() else asked,
        lines=[shown_line(line, url=own_line_url(line, "points")) for line in book.lines[:LINES]],
        coming=coming,
        late=late,
        helps=helps,
        teams=teams,
        mine={session_id: signup.state for session_id, signup in signups.items()},
    )


@blueprint.get("/me/scan")
@allow("resident", scope="self", for_family=True)
def how_to_scan() -> str:
    """Say how to check in at an activity: with the phone's own scanner, since no page here needs the camera."""
    return render_template("statements/how_to_scan.html")
