"""A merchant's own pages of its settlements: look, ask about a line, say that it is right."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.errors import Invalid, MoralBankError
from moralbank.merchants.queries import list_merchants_by_id
from moralbank.settlements import queries, service
from moralbank.settlements.errors import DisputeStillOpen, DisputeTooLate, LineDisputed, SettlementConfirmed
from moralbank.settlements.queries import Settlement
from moralbank.settlements.schemas import DisputeForm
from moralbank.settlements.views import PAGE, Answer, before_line, page, paper_of, rows, said
from moralbank.web import problems
from moralbank.web.auth import actor, allow, current, within_merchant
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id
from moralbank.web.sheets import csv_response, xlsx_response

blueprint = Blueprint("till_settlements", __name__, url_prefix="/counter/settlements")


@blueprint.get("")
@allow("operator", scope="merchant")
def show_all() -> str:
    """List one's shop's settlements."""
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        mine = current().merchant_ids()
        found = queries.list_settlements(db, merchant_ids=mine, before_id=before, limit=PAGE + 1)
        shops = list_merchants_by_id(db, mine)
    following = found[PAGE - 1].settlement_id if len(found) > PAGE else None
    return render_template("settlements/mine.html", settlements=found[:PAGE], shops=shops, following=following)


@blueprint.get("/<int:settlement_id>")
@allow("operator", scope="merchant")
def show(settlement_id: int) -> str:
    """Show one settlement of one's shop."""
    return page(_own(settlement_id), is_till=True)


@blueprint.get("/<int:settlement_id>.csv")
@allow("operator", scope="merchant")
def csv(settlement_id: int) -> Response:
    """Give a settlement as a file."""
    settlement = _own(settlement_id)
    return csv_response(rows(settlement), f"{settlement.number}.csv")


@blueprint.get("/<int:settlement_id>.xlsx")
@allow("operator", scope="merchant")
def xlsx(settlement_id: int) -> Response:
    """Give a settlement as a workbook."""
    settlement = _own(settlement_id)
    return xlsx_response(rows(settlement), f"{settlement.number}.xlsx", settlement.number)


@blueprint.get("/<int:settlement_id>.pdf")
@allow("operator", scope="merchant")
def pdf(settlement_id: int) -> Response:
    """Give a settlement as paper."""
    return paper_of(_own(settlement_id))


@blueprint.post("/<int:settlement_id>/disputes")
@allow("operator", scope="merchant")
def dispute(settlement_id: int) -> Answer:
    """Ask the station about a line."""
    settlement = _own(settlement_id)
    try:
        given = read_form(DisputeForm)
        database().transact(service.raise_dispute, settlement_id, given["number"], given["reason"], actor=actor())
    except Invalid as refusal:
        number = request.form.get("number", 0, type=row_id)
        shown = page(settlement, is_till=True, about=number, errors=in_words(refusal), given=request.form)
        return shown, refusal.status
    except (SettlementConfirmed, DisputeTooLate, LineDisputed) as refusal:
        return _back(settlement_id, refusal)
    flash(_("第 %(n)s 行的疑问已交给驿站，答复会显示在这里。", n=given["number"]), "ok")
    after = before_line(given["number"])
    return redirect(url_for(".show", settlement_id=settlement_id, after=after or None), 303)


@blueprint.post("/<int:settlement_id>/confirmation")
@allow("operator", scope="merchant")
def confirm(settlement_id: int) -> Answer:
    """Say that a settlement is right."""
    settlement = _own(settlement_id)
    try:
        database().transact(service.confirm, settlement_id, actor=actor())
    except DisputeStillOpen as refusal:
        return page(settlement, is_till=True, errors=said(refusal, "reason")), refusal.status
    flash(_("已确认 %(number)s，谢谢核对。", number=settlement.number), "ok")
    return redirect(url_for(".show", settlement_id=settlement_id), 303)


def _back(settlement_id: int, refusal: MoralBankError) -> Response:
    flash(problems.sentence(refusal), "warn")
    return redirect(url_for(".show", settlement_id=settlement_id), 303)


def _own(settlement_id: int) -> Settlement:
    """Return a settlement of a merchant at whose till the reader works. Raises: UnknownSettlement, OutOfScope."""
    with database().reading() as db:
        settlement = queries.get_settlement(db, settlement_id)
    within_merchant(settlement.merchant_id)
    return settlement
