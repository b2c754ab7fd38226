"""A resident's own page of family and helpers: for whom they act, who acts for them, and who is using the phone."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.access import queries as access
from moralbank.access import service as access_service
from moralbank.behalf import acting, queries, service, wording
from moralbank.behalf.errors import NotAgreed, UnknownLink
from moralbank.behalf.schemas import FamilyForm, SwitchForm
from moralbank.behalf.service import Word
from moralbank.behalf.values import FAMILY_MAX, Basis, Kind, Link
from moralbank.errors import Invalid, MoralBankError
from moralbank.residents.queries import Resident, find_by_number, get_resident
from moralbank.web import auth, problems
from moralbank.web.auth import actor, allow, current
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("family", __name__, url_prefix="/me/family")
blueprint.app_template_global("scope_words")(wording.scope_words)
blueprint.app_template_global("basis_word")(wording.basis_word)


@blueprint.app_template_global("acting_for")
def acting_for() -> Resident | None:
    """Return for whom the phone acts now, for the bar on every page; an ended link is told by the page itself."""
    if auth.acting_link() is None:
        return None
    try:
        found = acting.acting()
    except MoralBankError:
        return None
    return found[1] if found else None


blueprint.app_template_global("family_here")(acting.family)


@blueprint.get("")
@allow("resident", scope="self")
def show() -> str:
    """Show for whom one may act, who may act for oneself, and how to add somebody."""
    return _page()


@blueprint.post("/link")
@allow("resident", scope="self")
def link() -> Response | tuple[str, int]:
    """Take somebody of the family onto this phone, who agrees by PIN or one-time word."""
    try:
        given = read_form(FamilyForm)
        holder, own, person = _both(given["number"])
        basis = _agreed(own, person, given["number"], given["secret"])
        assert person is not None, "nobody agrees for a number that is nobody's"
        database().transact(service.link_family, holder, person.resident_id, basis, actor=actor())
    except Invalid as refusal:
        return _page(errors=in_words(refusal) or {"secret": [problems.sentence(refusal)]}), refusal.status
    except MoralBankError as refusal:
        return _page(errors={"number": [problems.sentence(refusal)]}), refusal.status
    flash(_("好了，现在可以在这部手机上替%(name)s办事。", name=person.masked_name), "ok")
    return redirect(url_for(".show"), 303)


@blueprint.post("/word")
@allow("resident", scope="self")
def word() -> str:
    """Show a one-time word, by which one agrees on the phone of somebody of the family."""
    me = current().resident_id
    assert me is not None, "a resident's role is held by a resident's login only"
    return _page(word=database().transact(service.make_word, me))


@blueprint.post("/<int:link_id>/end")
@allow("resident", scope="self")
def end(link_id: int) -> Response:
    """End a link from either side."""
    with database().reading() as db:
        found = queries.get_link(db, link_id)
    if current().login_id != found.login_id and current().resident_id != found.resident_id:
        raise UnknownLink()
    database().transact(service.end_link, link_id, actor=actor())
    flash(_("已结束，马上生效。"), "ok")
    return redirect(url_for(".show"), 303)


@blueprint.post("/switch")
@allow("resident", scope="self", for_family=True)
def switch() -> Response:
    """Go on for somebody of the family, or for oneself again."""
    chosen: int | None = read_form(SwitchForm)["link_id"]
    auth.act_by(None)
    if chosen is not None:
        with database().reading() as db:
            service.usable(db, current().login_id, chosen, Kind.FAMILY)
        auth.act_by(chosen)
    back = "/me/code" if request.form.get("to") == "code" else "/me"
    return redirect(back, 303)


def _both(number: str) -> tuple[access.Login, Resident, Resident | None]:
    """Return the phone's owner, by login and person, and whose number this is, if anybody's."""
    me = current()
    assert me.resident_id is not None, "a resident's role is held by a resident's login only"
    with database().reading() as db:
        own = get_resident(db, me.resident_id)
        return access.get_login(db, me.login_id), own, find_by_number(db, own.book_id, number)


def _agreed(own: Resident, person: Resident | None, number: str, secret: str) -> Basis:
    """Return by what the person agrees, counting the try before looking, as a login does.

    Raises (in the order checked): Locked, NotAgreed.
    """
    if person is not None and service.is_guardian(own, person):
        return Basis.GUARDIAN
    address = request.remote_addr or "unknown"
    database().transact(access_service.begin_try, number, address)
    basis = _basis(person, secret) if person is not None and secret else None
    if basis is None:
        raise NotAgreed()
    database().transact(access_service.end_try, number, address)
    return basis


def _basis(person: Resident, secret: str) -> Basis | None:
    with database().reading() as db:
        login = access.find_resident_login(db, person.resident_id)
        hashes = access.list_secrets(db, [login.login_id]) if login else {}
    if access_service.matching(hashes, secret):
        return Basis.PIN
    return Basis.WORD if database().transact(service.use_word, person.resident_id, secret) else None


def _page(*, errors: dict[str, list[str]] | None = None, word: Word | None = None) -> str:
    me = current()
    assert me.resident_id is not None, "a resident's role is held by a resident's login only"
    with database().reading() as db:
        own = get_resident(db, me.resident_id)
        held = queries.list_held(db, me.login_id)
        about = queries.list_about(db, me.resident_id, standing=False)
        people = queries.people_of(db, held)
        names = queries.parties(db, about)
    return render_template(
        "behalf/family.html",
        own=own,
        family=[(one, people[one.resident_id]) for one in held if one.kind is Kind.FAMILY],
        helps=[one for one in held if one.kind is Kind.HELPER],
        standing=_named(about, names, stands=True),
        former=_named(about, names, stands=False),
        most=FAMILY_MAX,
        given=request.form,
        errors=errors,
        word=word,
    )


def _named(about: list[Link], names: dict[int, queries.Party], *, stands: bool) -> list[tuple[Link, queries.Party]]:
    return [(one, names[one.link_id]) for one in about if one.stands is stands]
