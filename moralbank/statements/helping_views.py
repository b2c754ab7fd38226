"""A helper's pages: for whom they act, and what of each they may read."""

from __future__ import annotations

import marshmallow as ma
from flask import Blueprint, render_template, request, url_for

from moralbank.access.deeds import Reason
from moralbank.behalf import queries as behalf
from moralbank.behalf import service
from moralbank.behalf.errors import BeyondScope
from moralbank.behalf.values import Kind
from moralbank.errors import Invalid
from moralbank.redemptions.mandates import left_by
from moralbank.residents.queries import get_resident
from moralbank.statements import queries, wording
from moralbank.statements.schemas import UNITS, PassbookQuery
from moralbank.web import looking
from moralbank.web.auth import allow, current
from moralbank.web.db import database

blueprint = Blueprint("helping", __name__, url_prefix="/helping")


@blueprint.get("")
@allow("resident", "helper", scope="self")
def show_all() -> str:
    """List for whom one acts as their helper, with what may still be spent for each."""
    with database().reading() as db:
        links = behalf.list_held(db, current().login_id, Kind.HELPER)
        people = behalf.people_of(db, links)
        left = left_by(db, [link for link in links if link.scope.may_pay])
    return render_template("statements/helping.html", links=links, people=people, left=left)


@blueprint.get("/<int:helping_id>")
@allow("resident", "helper", scope="self")
def passbook(helping_id: int) -> str:
    """Show balance and lines of somebody, to a helper who may read them; that they looked is written down."""
    try:
        asked = PassbookQuery(unknown=ma.EXCLUDE).load(request.args.to_dict())
    except ma.ValidationError:
        raise Invalid() from None
    unit = UNITS[asked["unit"]]
    with database().reading() as db:
        link = service.usable(db, current().login_id, helping_id, Kind.HELPER)
        person = get_resident(db, link.resident_id)
        if not link.scope.may_read:
            raise BeyondScope()
        page = queries.passbook(db, queries.owner_of_resident(db, person), unit, asked["before"])
    looking.look_at(person, Reason.ACT, about=link.about)
    here = {"helping_id": helping_id, "unit": asked["unit"]}
    return render_template(
        "statements/helping_passbook.html",
        link=link,
        person=person,
        page=page,
        unit=asked["unit"],
        lines=[wording.shown_line(line) for line in page.lines],
        older=url_for(".passbook", **here, before=page.older_before) if page.older_before else None,
        newest=url_for(".passbook", **here) if asked["before"] else None,
    )
