"""Coming in and going out, for everybody: by phone, card or name, with PIN or password.

It stands here because a phone and a card lead to residents, whom the access package doesn't know.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from flask import Blueprint, redirect, render_template, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access import queries as access
from moralbank.access import service
from moralbank.access.errors import Locked, WrongSecret
from moralbank.residents import queries
from moralbank.residents.queries import Resident
from moralbank.residents.values import CARD_DIGITS, Status
from moralbank.web import auth, problems
from moralbank.web.auth import public
from moralbank.web.db import database
from moralbank.web.paging import row_id
from moralbank.web.preferences import own_path

blueprint = Blueprint("login", __name__)

PHONE_DIGITS = 11
IDENTIFIER_MAX, SECRET_MAX = 64, 128
#: How long a phone that several people share may be thought about.
CHOOSE_WITHIN = timedelta(minutes=5)
_CHOOSING = "choosing"


@blueprint.get("/login")
@public
def show() -> str | Response:
    """Ask who comes."""
    if auth.principal_or_none() is not None:
        return redirect(own_path(request.args.get("next")), 303)
    return _page(next_path=request.args.get("next", ""))


@blueprint.post("/login")
@public
def enter() -> Response | tuple[str, int]:
    """Let in whoever proves it; members of a household who chose the same PIN are asked which of them comes."""
    identifier = _normal(request.form.get("identifier", ""))[:IDENTIFIER_MAX]
    next_path = request.form.get("next", "")
    try:
        with database().reading() as db:
            candidates = _candidates(db, identifier)
        matching = auth.prove(identifier, candidates, request.form.get("secret", "").strip()[:SECRET_MAX])
    except (WrongSecret, Locked) as refusal:
        with database().reading() as db:
            named = access.find_login(db, identifier)
        if named is not None and isinstance(refusal, WrongSecret):  # A locked one was noted five times.
            database().transact(service.note_refused, named.login_id)
        return _page(identifier, next_path, problems.sentence(refusal)), refusal.status
    if len(matching) == 1:
        return _let_in(matching[0], next_path)
    session[_CHOOSING] = {"logins": matching, "at": clock.now().isoformat(), "next": next_path}
    return redirect(url_for("login.choose"), 303)


@blueprint.get("/login/choose")
@public
def choose() -> str | Response:
    """Ask which member of the household comes, by masked names."""
    logins = _chosen_from()
    if not logins:
        return redirect(url_for("login.show"), 303)
    with database().reading() as db:
        found = [access.get_login(db, login_id) for login_id in logins]
        holders = {login.resident_id: login.login_id for login in found if login.resident_id is not None}
        people = queries.residents_by_id(db, list(holders))
    choices = [(holders[resident_id], people[resident_id]) for resident_id in holders if resident_id in people]
    named = [(login.login_id, login.display_name) for login in found if login.resident_id is None]
    return render_template("residents/choose.html", choices=choices, named=named)


@blueprint.post("/login/choose")
@public
def continue_as() -> Response:
    """Go on as the chosen member of the household, who was among those that proved it."""
    chosen = request.form.get("login_id", type=row_id)
    if chosen is None or chosen not in _chosen_from():
        return redirect(url_for("login.show"), 303)
    return _let_in(chosen, session[_CHOOSING]["next"])


@blueprint.post("/logout")
@public
def leave() -> Response:
    """End this browser's session."""
    auth.sign_out()
    return redirect(url_for("login.show"), 303)


def _let_in(login_id: int, next_path: str) -> Response:
    auth.sign_in(login_id)
    return redirect(own_path(next_path), 303)


def _chosen_from() -> list[int]:
    """Return the logins that were proven just now in this browser."""
    choosing = session.get(_CHOOSING)
    if not choosing or clock.now() - datetime.fromisoformat(choosing["at"]) > CHOOSE_WITHIN:
        return []
    logins: list[int] = choosing["logins"]
    return logins


def _normal(typed: str) -> str:
    """Return what was typed without what keyboards add to numbers: full width, spaces, hyphens."""
    text = unicodedata.normalize("NFKC", typed).strip()
    digits = "".join(c for c in text if not c.isspace() and c != "-")
    return digits if digits.isdigit() and digits.isascii() else text


def _candidates(db: Connection, identifier: str) -> list[int]:
    """Return the logins that may be meant: of the name, or of the residents with this card, phone or name."""
    named = access.find_login(db, identifier)
    residents = [person.resident_id for person in _residents(db, identifier) if person.status is not Status.LEFT]
    logins = access.list_resident_logins(db, residents) if residents else []
    return sorted({login.login_id for login in (*logins, *([named] if named else []))})


def _residents(db: Connection, identifier: str) -> list[Resident]:
    if not identifier.isdigit():
        return queries.list_by_name(db, identifier)
    if len(identifier) == PHONE_DIGITS:
        return queries.list_by_phone(db, identifier)
    if len(identifier) == CARD_DIGITS:
        found = queries.find_by_card(db, identifier)
        return [found[0]] if found and found[1].is_active else []
    return []


def _page(identifier: str = "", next_path: str = "", refused: str = "") -> str:
    return render_template("residents/login.html", identifier=identifier, next_path=next_path, refused=refused)
