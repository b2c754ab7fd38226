"""Pages on which points are given back after the time for undoing: at the shop's till, and at its station."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock, ids
from moralbank.access.queries import actor_names
from moralbank.approvals.service import Hand, hand_of
from moralbank.errors import Invalid, MoralBankError
from moralbank.merchants.queries import get_merchant
from moralbank.redemptions import queries, refunds
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.refunds import Wish
from moralbank.redemptions.schemas import RefundForm
from moralbank.web import problems
from moralbank.web.auth import acting_roles, allow, current, within, within_merchant
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("refunds", __name__)

Answer = str | Response | tuple[str, int]


@blueprint.get("/counter/receipts/<int:charge_id>/refund")
@allow("operator", scope="merchant")
def show(charge_id: int) -> str:
    """Show what can still be given back of a charge of one's shop, and what was."""
    return _page(_of_shop(charge_id), is_till=True)


@blueprint.post("/counter/receipts/<int:charge_id>/refund")
@allow("operator", scope="merchant")
def give(charge_id: int) -> Answer:
    """Give points back at the till, or ask the station to agree."""
    return _refund(_of_shop(charge_id), is_till=True)


@blueprint.get("/staff/redemptions/<int:charge_id>")
@allow("staff", "auditor", scope="branch")
def show_to_staff(charge_id: int) -> str:
    """Show a charge of a shop of one's branches, and what was given back of it."""
    return _page(_of_branch(charge_id), is_till=False)


@blueprint.post("/staff/redemptions/<int:charge_id>/refund")
@allow("staff", scope="branch")
def ask(charge_id: int) -> Answer:
    """Ask that points be given back; somebody else of the station checks."""
    return _refund(_of_branch(charge_id), is_till=False)


def _refund(receipt: Receipt, *, is_till: bool) -> Answer:
    try:
        given = read_form(RefundForm)
        wish = Wish(given["points"], given["returned"], given["reason"])
        done = database().transact(
            refunds.refund,
            _hand(is_till),
            receipt.charge_id,
            wish,
            given["key"],
            operator_resident_id=current().resident_id,
        )
    except MoralBankError as refusal:
        errors = in_words(refusal) if isinstance(refusal, Invalid) and refusal.errors else _said(refusal)
        return _page(receipt, is_till=is_till, errors=errors, given=request.form), refusal.status
    name = receipt.masked_name
    if done.state == "posted":
        flash(_("已退给%(name)s %(points)s 分，储户马上能看到。", name=name, points=done.points), "ok")
    else:
        flash(_("已交驿站复核：退给%(name)s %(points)s 分，72 小时内办。", name=name, points=done.points), "ok")
    there = ".show" if is_till else ".show_to_staff"
    return redirect(url_for(there, charge_id=receipt.charge_id), 303)


def _said(refusal: MoralBankError) -> dict[str, list[str]]:
    return {getattr(refusal, "field", "refund"): [problems.sentence(refusal)]}


def _page(receipt: Receipt, *, is_till: bool, **more: Any) -> str:
    with database().reading() as db:
        receipt = queries.get_receipt(db, receipt.charge_id)
        made = [one for one, _key in refunds.list_refunds(db, receipt.charge_id)]
        actors = actor_names(db, {one.asked_by for one in made})
    return render_template(
        "redemptions/refund.html",
        receipt=receipt,
        refunds=made,
        actors=actors,
        is_till=is_till,
        is_today=clock.local(receipt.charged_at).date() == clock.today(),
        may_ask=is_till or current().has("staff"),
        key=ids.token(16),
        **more,
    )


def _hand(is_till: bool) -> Hand:
    return hand_of(current(), "operator" if is_till else acting_roles()[0])


def _of_shop(charge_id: int) -> Receipt:
    """Return a charge at a till of the reader's. Raises: UnknownCharge, OutOfScope."""
    with database().reading() as db:
        receipt = queries.get_receipt(db, charge_id)
    within_merchant(receipt.merchant_id)
    return receipt


def _of_branch(charge_id: int) -> Receipt:
    """Return a charge at a shop of the reader's branches. Raises: UnknownCharge, OutOfScope."""
    with database().reading() as db:
        receipt = queries.get_receipt(db, charge_id)
        branch_id = get_merchant(db, receipt.merchant_id).branch_id
    within(branch_id)
    return receipt
