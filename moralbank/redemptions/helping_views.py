"""A helper's pages of spending for somebody: their payment code, within what was agreed."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank.behalf import service as behalf
from moralbank.behalf.errors import BeyondScope
from moralbank.behalf.queries import parties
from moralbank.behalf.values import Kind, Link
from moralbank.redemptions import codes, queries
from moralbank.redemptions.mandates import left_by
from moralbank.redemptions.resident_views import code_page, moment_of, slip_of
from moralbank.residents.queries import get_resident
from moralbank.web.auth import allow, current
from moralbank.web.db import database

blueprint = Blueprint("helping_codes", __name__, url_prefix="/helping")


@blueprint.get("/<int:helping_id>/code")
@allow("resident", "helper", scope="self")
def hidden_code(helping_id: int) -> str:
    """Show what may still be spent for somebody, and the button that shows their code."""
    with database().reading() as db:
        link = _payer(db, helping_id)
        person = get_resident(db, link.resident_id)
        left = left_by(db, [link])[helping_id]
    return render_template(
        "redemptions/code.html", issued=None, at=_addresses(helping_id), helped=person, left=left, limits=link.limits
    )


@blueprint.post("/<int:helping_id>/code")
@allow("resident", "helper", scope="self")
def show_code(helping_id: int) -> str:
    """Issue a fresh payment code of the one who is helped, and show it once with both names."""

    def issue(db: Connection) -> codes.IssuedCode:
        return codes.issue_code(db, _payer(db, helping_id).resident_id, helping_id)

    issued = database().transact(issue)
    with database().reading() as db:
        link = _payer(db, helping_id)
        person = get_resident(db, link.resident_id)
        helper = parties(db, [link])[helping_id].name
    return code_page(issued, _addresses(helping_id, issued.issued_at), helped=person, helper=helper)


@blueprint.get("/<int:helping_id>/code/paid")
@allow("resident", "helper", scope="self")
def paid(helping_id: int) -> str | Response:
    """Tell the helper's phone that its code was paid with; 204 while it was not. It learns no balance."""
    since = moment_of(request.args.get("since", ""))
    with database().reading() as db:
        link = _payer(db, helping_id)
        receipt = queries.find_payment(db, link.resident_id, since - timedelta(seconds=codes.SHOWN_SECONDS))
        slip = slip_of(db, receipt) if receipt and link.scope.may_read else None
    if receipt is None or receipt.charged_at < since or receipt.link_id != helping_id:
        return Response(status=204)
    return render_template("redemptions/_paid.html", receipt=receipt, slip=slip, helping=True)


def _payer(db: Connection, helping_id: int) -> Link:
    """Return the link, by which the one who asks may pay. Raises: UnknownLink, LinkEnded, BeyondScope."""
    link = behalf.usable(db, current().login_id, helping_id, Kind.HELPER)
    if not link.scope.may_pay:
        raise BeyondScope()
    return link


def _addresses(helping_id: int, since: datetime | None = None) -> dict[str, str]:
    found = {
        "hidden": url_for(".hidden_code", helping_id=helping_id),
        "show": url_for(".show_code", helping_id=helping_id),
    }
    return found | ({"paid": url_for(".paid", helping_id=helping_id, since=since.isoformat())} if since else {})
