"""Agreeing on the phone: the till waits for it or shows a code, the resident sees what is asked and says yes or no."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import ids
from moralbank.activities.service import ensure_qr_key
from moralbank.branches.queries import get_branch
from moralbank.errors import Invalid, MoralBankError
from moralbank.merchants.queries import get_merchant
from moralbank.proofs.views import public_url
from moralbank.redemptions import phone_orders, queries
from moralbank.redemptions.errors import KeyReused, PaidJustNow, UnknownPhoneOrder
from moralbank.redemptions.pay_tokens import SaleToken, StickerToken
from moralbank.redemptions.phone_orders import PhoneOrder
from moralbank.redemptions.schemas import StickerForm
from moralbank.web import pictures, problems
from moralbank.web.auth import allow, current, within_merchant
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("phone", __name__)

Answer = str | Response | tuple[str, int]


@blueprint.get("/p/<pay_token>")
@allow("resident", scope="self")
def open_token(pay_token: str) -> Answer:
    """Open what a shop's code names: the sale, which one has from now on, or the sticker's page. Pays nothing."""
    with database().reading() as db:
        named = phone_orders.read_token(db, pay_token)
    if isinstance(named, SaleToken):
        order = database().transact(phone_orders.claim, str(named.number), _me_id())
        return redirect(url_for(".show", order_id=order.order_id), 303)
    return _sticker(pay_token, named)


@blueprint.post("/p/<pay_token>")
@allow("resident", scope="self")
def pay_sticker(pay_token: str) -> Answer:
    """Pay what one typed to the shop whose sticker one scanned."""
    with database().reading() as db:
        named = phone_orders.read_token(db, pay_token)
    if not isinstance(named, StickerToken):
        raise UnknownPhoneOrder
    try:
        given = read_form(StickerForm)
        order = database().transact(
            phone_orders.pay_sticker,
            named,
            _me_id(),
            given["points"],
            given["key"],
            is_confirmed=given["confirmed"],
        )
    except UnknownPhoneOrder:
        raise
    except MoralBankError as refusal:
        return _sticker(pay_token, named, refusal), refusal.status
    return redirect(url_for(".show", order_id=order.order_id), 303)


def _sticker(token: str, named: StickerToken, refusal: MoralBankError | None = None) -> str:
    errors = None
    if refusal is not None:
        is_invalid = isinstance(refusal, Invalid) and bool(refusal.errors)
        errors = in_words(refusal) if is_invalid else {"points": [problems.sentence(refusal)]}
    # A page that pays nothing with its key any more gets another one.
    key = ids.token(16) if isinstance(refusal, KeyReused) else request.form.get("key") or ids.token(16)
    with database().reading() as db:
        if phone_orders.find_sticker(db, named) is None:
            raise UnknownPhoneOrder
        merchant = get_merchant(db, named.merchant_id)
        branch = get_branch(db, merchant.branch_id)
    return render_template(
        "redemptions/pay_sticker.html",
        token=token,
        merchant=merchant,
        branch=branch,
        errors=errors,
        given=request.form,
        most=phone_orders.STICKER_POINTS_PER_DAY_MAX,
        key=key,
        is_question=isinstance(refusal, PaidJustNow),
    )


@blueprint.get("/me/orders/<int:order_id>")
@allow("resident", scope="self")
def show(order_id: int) -> str:
    """Show what one is to agree to, or what became of it."""
    with database().reading() as db:
        order = phone_orders.get_order(db, order_id, _me_id())
        merchant = get_merchant(db, order.merchant_id)
        branch = get_branch(db, merchant.branch_id)
        receipt = queries.find_receipt(db, order.charge_id) if order.charge_id else None
        digits = phone_orders.confirmations(db, [receipt]) if receipt else {}
    return render_template(
        "redemptions/phone_order.html",
        order=order,
        merchant=merchant,
        branch=branch,
        receipt=receipt,
        digits=digits.get(order.charge_id or 0, ""),
    )


@blueprint.post("/me/orders/<int:order_id>/agree")
@allow("resident", scope="self")
def agree(order_id: int) -> Response:
    """Pay what was asked; pressed again it leads to the same."""
    try:
        database().transact(phone_orders.agree, order_id, _me_id())
    except UnknownPhoneOrder:
        raise
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "warn")
    return redirect(url_for(".show", order_id=order_id), 303)


@blueprint.post("/me/orders/<int:order_id>/decline")
@allow("resident", scope="self")
def decline(order_id: int) -> Response:
    """Say no; nothing moves."""
    database().transact(phone_orders.give_up, order_id, resident_id=_me_id())
    return redirect(url_for(".show", order_id=order_id), 303)


@blueprint.get("/counter/stickers")
@allow("operator", scope="merchant")
def stickers() -> str:
    """Show the shop's stickers, made to be printed."""
    merchant_id = _shop_id()
    database().transact(ensure_qr_key)  # What is only read can't make the first one.
    with database().reading() as db:
        merchant = get_merchant(db, merchant_id)
        branch = get_branch(db, merchant.branch_id)
        found = phone_orders.list_stickers(db, merchant_id)
        pictured = [(one, pictures.link_svg(_address(phone_orders.sign(db, one)))) for one in found]
    return render_template(
        "redemptions/stickers.html",
        merchant=merchant,
        branch=branch,
        stickers=pictured,
        most=phone_orders.STICKER_POINTS_PER_DAY_MAX,
    )


@blueprint.post("/counter/stickers")
@allow("operator", scope="merchant")
def change_stickers() -> Response:
    """Make one more sticker, or take one out of force."""
    merchant_id, serial = _shop_id(), request.form.get("serial", type=row_id)
    if serial is None:
        database().transact(phone_orders.add_sticker, merchant_id, current().login_id)
        flash(_("新的收款贴已生成，请打印后贴在收银台。"), "ok")
    else:
        database().transact(phone_orders.revoke_sticker, StickerToken(merchant_id, serial))
        flash(_("第 %(n)s 号收款贴已作废，请从墙上撕下。", n=serial), "ok")
    return redirect(url_for(".stickers", merchant=merchant_id), 303)


def sale_picture(order: PhoneOrder) -> str:
    """Return the code that a shop shows for a sale."""
    token = database().transact(phone_orders.sign, SaleToken(int(order.number)))
    return pictures.link_svg(_address(token))


def _address(token: str) -> str:
    return f"{public_url().rstrip('/')}/p/{token}"


def _shop_id() -> int:
    """Return the operator's merchant: the one asked for, or the only or first one. Raises: OutOfScope."""
    merchant_id = request.values.get("merchant", type=row_id) or current().merchant_ids()[0]
    within_merchant(merchant_id)
    return merchant_id


def _me_id() -> int:
    resident_id = current().resident_id
    assert resident_id is not None, "a resident's role is held by a resident's login only"
    return resident_id
