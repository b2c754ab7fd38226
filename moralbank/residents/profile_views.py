"""A resident's own page: what is written down about them, their card, and what they agree to."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank.branches import queries as branches
from moralbank.residents import queries, service
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import Resident
from moralbank.residents.schemas import ConsentIn
from moralbank.residents.values import Consent
from moralbank.residents.views import CONSENTS, SEXES, standing_consents
from moralbank.web.auth import actor, allow, current
from moralbank.web.db import database
from moralbank.web.forms import read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.pictures import qr_svg

blueprint = Blueprint("profile", __name__, url_prefix="/me/profile")


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
