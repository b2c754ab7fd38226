"""Staff's pages of cards and PINs: issue, revoke, replace, and print sheets of cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank.access.deeds import Kind, Reason
from moralbank.branches import queries as branches
from moralbank.branches.queries import Branch
from moralbank.errors import Invalid, MoralBankError
from moralbank.residents import import_queries, queries, service
from moralbank.residents.import_queries import Verdict
from moralbank.residents.queries import Card, Resident
from moralbank.residents.schemas import ReasonIn
from moralbank.residents.values import in_fours
from moralbank.residents.views import opened, row_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.pictures import bars_svg, qr_svg

blueprint = Blueprint("cards", __name__, url_prefix="/staff/residents")
blueprint.add_app_template_filter(in_fours, "in_fours")

CARDS_PER_SHEET = 8
CARDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Face:
    """What stands on one card."""

    resident: Resident
    card: Card
    branch: Branch
    qr: str
    bars: str


@blueprint.get("/cards")
@allow("staff", scope="branch")
def print_sheet() -> str:
    """Lay out the cards of the chosen residents, or of a roster's, for printing, eight to a sheet of A4."""
    chosen = list(dict.fromkeys(request.args.getlist("id", type=row_id)))[:CARDS_MAX]
    roster, next_url = request.args.get("roster", type=row_id), None
    with database().reading() as db:
        if roster is not None:
            chosen, next_url = _taken(db, roster, request.args.get("after", 0, type=row_id))
        residents = queries.residents_by_id(db, chosen)
        cards = queries.cards_in_force(db, chosen)
        places = {place.branch_id: place for place in branches.list_branches(db)}
    for branch_id in {resident.branch_id for resident in residents.values()}:
        within(branch_id)
    faces = [
        Face(
            residents[one],
            cards[one],
            places[residents[one].branch_id],
            qr_svg(cards[one].number),
            bars_svg(cards[one].number),
        )
        for one in chosen
        if one in residents and one in cards
    ]
    sheets = [faces[at : at + CARDS_PER_SHEET] for at in range(0, len(faces), CARDS_PER_SHEET)]
    if residents:
        branch_id = min(resident.branch_id for resident in residents.values())
        looking.note_many(Kind.EXPORT, len(residents), "cards", branch_id=branch_id)
    without = [resident for one, resident in residents.items() if one not in cards]
    return render_template("residents/cards.html", sheets=sheets, count=len(faces), without=without, next_url=next_url)


def _taken(db: Connection, import_id: int, after_row: int) -> tuple[list[int], str | None]:
    """Return residents that a roster brought, and where to go on when there are more than one print holds."""
    rows = import_queries.list_rows(db, import_id, verdict=Verdict.TAKE, after_row=after_row, limit=CARDS_MAX + 1)
    page = rows[:CARDS_MAX]
    more = len(rows) > CARDS_MAX
    next_url = url_for(".print_sheet", roster=import_id, after=page[-1].sheet_row) if more else None
    return [row.resident_id for row in page if row.resident_id is not None], next_url


@blueprint.post("/<int:resident_id>/card")
@allow("staff", scope="branch")
def issue(resident_id: int) -> Response:
    """Give a resident without a card in force a new one."""

    def act() -> str:
        card = database().transact(service.issue_card, resident_id, actor=actor())
        return _("新卡已发（尾号 %(tail)s），可以打印。", tail=card.tail)

    return _on_card(resident_id, act)


@blueprint.post("/<int:resident_id>/card/revoke")
@allow("staff", scope="branch")
def revoke(resident_id: int) -> Response:
    """Put a lost card out of force."""

    def act() -> str:
        database().transact(service.revoke_card, resident_id, read_form(ReasonIn)["reason"], actor=actor())
        return _("卡已挂失，立即失效。")

    return _on_card(resident_id, act)


@blueprint.post("/<int:resident_id>/card/reissue")
@allow("staff", scope="branch")
def reissue(resident_id: int) -> Response:
    """Put the card out of force and give a new one."""

    def act() -> str:
        reason = read_form(ReasonIn)["reason"]
        card = database().transact(service.reissue_card, resident_id, reason, actor=actor())
        return _("旧卡已失效，新卡尾号 %(tail)s，可以打印。", tail=card.tail)

    return _on_card(resident_id, act)


@blueprint.post("/<int:resident_id>/pin")
@allow("staff", scope="branch")
def set_pin(resident_id: int) -> str:
    """Open a resident's login, or give it a new PIN, and show it this once."""
    resident = opened(resident_id, Reason.ACT)
    pin = database().transact(service.set_pin, resident_id, by=current(), actor=actor())
    return render_template("residents/pin.html", resident=resident, pin=pin)


def _on_card(resident_id: int, act: Callable[[], str]) -> Response:
    """Do one act on a card of a resident within reach and say on their page what came of it."""
    opened(resident_id, Reason.ACT)
    try:
        flash(act(), "ok")
    except Invalid as refusal:
        flash(" ".join(text for texts in in_words(refusal).values() for text in texts), "bad")
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "bad")
    return redirect(url_for("residents.show", resident_id=resident_id, _anchor="card"), 303)
