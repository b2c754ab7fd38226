"""A resident's own page: what is written down about them, their card, and what they agree to."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import ledger
from moralbank.access import deed_queries
from moralbank.access.wording import DEED_KINDS, REASONS
from moralbank.branches import queries as branches
from moralbank.residents import queries, service
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import Resident
from moralbank.residents.schemas import ConsentIn
from moralbank.residents.values import Consent
from moralbank.residents.views import CONSENTS, PAGE_ROWS, SEXES, actor_names, row_id, standing_consents
from moralbank.web.auth import actor, allow, current
from moralbank.web.db import database
from moralbank.web.forms import read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.pictures import qr_svg

blueprint = Blueprint("profile", __name__, url_prefix="/me/profile")

#: Lists show many people at once and name none of them in the record: how often they were shown lately is told.
LISTS_DAYS = 30


@blueprint.get("")
@allow("resident", scope="self")
def show() -> str:
    """Show the resident what the bank knows about them."""
    with database().reading() as db:
        resident = _oneself(db)
        card = queries.find_card(db, resident.resident_id)
        return render_template(
            "residents/profile.html",
            resident=resident,
            branch=branches.get_branch(db, resident.branch_id),
            card=card,
            qr=qr_svg(card.number) if card else None,
            standing=standing_consents(db, resident.resident_id),
            consents=CONSENTS,
            sexes=SEXES,
        )


@blueprint.get("/lookers")
@allow("resident", scope="self")
def lookers() -> str:
    """Show the resident who looked at their data: role and office, when and why."""
    before_id = request.args.get("before", type=row_id)
    with database().reading() as db:
        resident = _oneself(db)
        found = deed_queries.list_lookers(db, resident.resident_id, before_id=before_id, limit=PAGE_ROWS + 1)
        page = found[:PAGE_ROWS]
        places = {place.branch_id: place for place in branches.list_branches(db)}
        names = actor_names(db, {line.actor for line in page}, resident.resident_id)
        lists = deed_queries.count_lists(db, resident.book_id, LISTS_DAYS)
        codes = {book.book_id: book.code for book in ledger.list_books(db)}
    return render_template(
        "residents/lookers.html",
        lines=page,
        places=places,
        names=names,
        lists=lists,
        codes=codes,
        days=LISTS_DAYS,
        kinds=DEED_KINDS,
        reasons=REASONS,
        next_url=url_for(".lookers", before=page[-1].deed_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".lookers") if before_id else None,
    )


@blueprint.post("/consents")
@allow("resident", scope="self")
def set_consent() -> Response:
    """Agree to something, or no longer."""
    given = read_form(ConsentIn)
    kind = Consent(given["kind"])

    def act(db: Connection) -> None:
        verb = service.give_consent if given["given"] else service.withdraw_consent
        verb(db, _oneself(db).resident_id, kind, actor=actor())

    database().transact(act)
    name = _(CONSENTS[kind][0])
    flash(_("已记下同意：%(what)s。", what=name) if given["given"] else _("已撤回：%(what)s。", what=name))
    return redirect(url_for(".show", _anchor="consents"), 303)


def _oneself(db: Connection) -> Resident:
    resident_id = current().resident_id
    if resident_id is None:
        raise UnknownResident()
    return queries.get_resident(db, resident_id)
