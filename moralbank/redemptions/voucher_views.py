"""A resident's own pages of what is reserved: reserve from the list, show the code at the shop, give it up."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from moralbank.behalf import acting
from moralbank.errors import MoralBankError
from moralbank.merchants.queries import get_merchant, get_offer
from moralbank.redemptions import vouchers
from moralbank.redemptions.errors import VoucherCollected
from moralbank.redemptions.schemas import VoucherForm
from moralbank.web import pictures, problems
from moralbank.web.auth import actor, allow
from moralbank.web.db import database
from moralbank.web.forms import read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("vouchers", __name__, url_prefix="/me/vouchers")


@blueprint.post("")
@allow("resident", scope="self", for_family=True)
def reserve() -> Response:
    """Reserve one of an offer and show its code; pressed again it leads to the same one."""
    given = read_form(VoucherForm)
    try:
        made = database().transact(vouchers.reserve, acting.person_id(), given["offer_id"], given["key"], actor=actor())
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "warn")
        return redirect(url_for("spending.offers"), 303)
    return redirect(url_for(".show", voucher_id=made.voucher_id), 303)


@blueprint.get("/<int:voucher_id>")
@allow("resident", scope="self", for_family=True)
def show(voucher_id: int) -> str:
    """Show what was reserved, with the code that the shop scans while it waits."""
    with database().reading() as db:
        voucher = vouchers.get_voucher(db, voucher_id, acting.person_id())
        merchant = get_merchant(db, voucher.merchant_id)
        schedule = get_offer(db, voucher.offer_id).schedule.hours
    return render_template(
        "redemptions/voucher.html",
        voucher=voucher,
        merchant=merchant,
        schedule=schedule,
        picture=pictures.qr_svg(voucher.number) if voucher.is_waiting else None,
        bars=pictures.bars_svg(voucher.number) if voucher.is_waiting else None,
    )


@blueprint.post("/<int:voucher_id>/cancel")
@allow("resident", scope="self", for_family=True)
def cancel(voucher_id: int) -> Response:
    """Give up what was reserved; the points are back at once."""
    try:
        done = database().transact(vouchers.cancel, acting.person_id(), voucher_id, actor=actor())
        flash(_("已取消，%(points)s 分退回您的账上。", points=done.points), "ok")
    except VoucherCollected as refusal:
        flash(problems.sentence(refusal), "warn")
    return redirect(url_for(".show", voucher_id=voucher_id), 303)
