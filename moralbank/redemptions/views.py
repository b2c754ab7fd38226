"""The counter: charge, undo, what became of a key, the day's list and the printed receipt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock, ids
from moralbank.access.queries import names_of
from moralbank.branches.queries import get_branch
from moralbank.errors import Invalid, MoralBankError, Refused
from moralbank.ledger import Unit
from moralbank.merchants.queries import Merchant, get_merchant, list_merchants_by_id, list_offers
from moralbank.proofs.queries import find_slip
from moralbank.proofs.values import Slip
from moralbank.proofs.views import public_url
from moralbank.redemptions import attempts, phone_orders, queries, service
from moralbank.redemptions.errors import (
    ChargedJustNow,
    KeyMissing,
    NotAgreed,
    PhoneNeeded,
    UnknownCharge,
    UnknownPhoneOrder,
    WrongPin,
)
from moralbank.redemptions.numbers import read_points
from moralbank.redemptions.orders import Till
from moralbank.redemptions.phone_orders import PhoneOrder
from moralbank.redemptions.phone_views import sale_picture
from moralbank.redemptions.queries import UNDO_SECONDS, Receipt
from moralbank.redemptions.schemas import OrderForm, read_order
from moralbank.residents.queries import get_resident
from moralbank.web import pictures, problems
from moralbank.web.auth import allow, current, within_merchant
from moralbank.web.db import database
from moralbank.web.forms import read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("counter", __name__, url_prefix="/counter")

#: Names the device, so that a charge is undone where it was made.
TILL_COOKIE = "till"
TILL_DAYS = 400
RECENT = 8
_FIRST_DAY = date(2000, 1, 1)
_TILL = re.compile(r"[A-Za-z0-9_-]{16,64}")
_KEY = re.compile(r"[!-~]{8,128}")

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands on the right side of the counter: a receipt, a refusal, or nothing yet."""

    receipt: Receipt | None = None
    #: The resident is to agree on the phone, or to scan what the till shows.
    order: PhoneOrder | None = None
    refusal: MoralBankError | None = None
    title: str = ""
    sentence: str = ""

    @property
    def is_question(self) -> bool:
        return isinstance(self.refusal, ChargedJustNow)

    @property
    def keeps_number(self) -> bool:
        """Whether the card in the scan field is still the right one."""
        return isinstance(self.refusal, WrongPin) or getattr(self.refusal, "field", "") == "pin"


@blueprint.get("")
@allow("operator", scope="merchant", for_hands=True)
def show() -> Answer:
    """Show the counter, with the receipt that the last act led to."""
    till = _till()
    done = request.args.get("done", type=row_id)
    if done is None:
        return _page(till, Shown())
    with database().reading() as db:
        receipt = queries.get_receipt(db, done, till.merchant_id)
    _refuse_others(receipt.operator_id, UnknownCharge)
    return _page(till, Shown(receipt=receipt))


@blueprint.post("/charges")
@allow("operator", scope="merchant", for_hands=True)
def charge() -> Answer:
    """Charge a resident; the answer is the counter with the receipt, or with the refusal and what was typed."""
    till = _till()
    try:
        key = _key()
        order, pin = read_order(read_form(OrderForm))
        try:
            receipt = attempts.charge(till, order, pin, key)
        except PhoneNeeded:
            return _waiting(till, database().transact(phone_orders.ask_phone, till, order, key))
    except MoralBankError as refusal:
        return _page(till, _refused(refusal)), refusal.status
    return redirect(_counter_url(till, done=receipt.charge_id), 303)


def _waiting(till: Till, found: PhoneOrder | Receipt | Refused) -> Answer:
    if not isinstance(found, PhoneOrder):
        return _told(till, found)
    return redirect(url_for("counter.phone_order", order_id=found.order_id, merchant=till.merchant_id), 303)


@blueprint.post("/sales")
@allow("operator", scope="merchant", for_hands=True)
def show_sale() -> Answer:
    """Show a code for one sale, which the resident scans; pressed again it is the same."""
    till = _till()
    try:
        key = _key()
        given = read_form(OrderForm)
        points = None if given["offer_id"] else read_points(given["points"])
        made = database().transact(phone_orders.show_sale, till, given["offer_id"], points, key)
    except MoralBankError as refusal:
        return _page(till, _refused(refusal)), refusal.status
    return _waiting(till, made)


@blueprint.get("/phone-orders/<int:order_id>")
@allow("operator", scope="merchant", for_hands=True)
def phone_order(order_id: int) -> Answer:
    """Show the counter while the resident is to agree, and what came of it."""
    till = _till()
    return _page(till, _shown_order(till, order_id))


@blueprint.get("/phone-orders/<int:order_id>/state")
@allow("operator", scope="merchant", for_hands=True)
def phone_order_state(order_id: int) -> Answer:
    """Tell the waiting till what came of it; 204 while it waits."""
    till = _till()
    shown = _shown_order(till, order_id)
    if shown.order is not None:
        return Response(status=204)
    return render_template("redemptions/_settled.html", **_facts(till, shown))


@blueprint.post("/phone-orders/<int:order_id>/cancel")
@allow("operator", scope="merchant", for_hands=True)
def cancel_phone_order(order_id: int) -> Answer:
    """Wait no longer; from now on the resident can't agree."""
    till = _till()
    with database().reading() as db:
        _refuse_others(phone_orders.get_order(db, order_id).operator_id, UnknownPhoneOrder)
    database().transact(phone_orders.give_up, order_id, merchant_id=till.merchant_id)
    return _page(till, _shown_order(till, order_id))


def _shown_order(till: Till, order_id: int) -> Shown:
    with database().reading() as db:
        order = phone_orders.get_order(db, order_id, merchant_id=till.merchant_id)
        _refuse_others(order.operator_id, UnknownPhoneOrder)
        found = service.find_outcome(db, till, order.key) if order.operator_id == till.operator_id else None
        if order.charge_id is not None:
            return Shown(receipt=queries.get_receipt(db, order.charge_id, till.merchant_id))
    if order.is_waiting:
        return Shown(order=order)
    return _refused(found if isinstance(found, Refused) else NotAgreed())


@blueprint.get("/arrivals")
@allow("operator", scope="merchant")
def arrivals() -> Answer:
    """Tell the till what was paid by its stickers since it last heard; 204 when nothing was."""
    till = _till()
    after = request.args.get("after", 0, type=row_id)
    with database().reading() as db:
        came = queries.list_by_sticker(db, till.merchant_id, after)
        digits = phone_orders.confirmations(db, came)
    if not came:
        return Response(status=204)
    return render_template("redemptions/_arrivals.html", came=came, digits=digits, merchant_id=till.merchant_id)


@blueprint.post("/charges/<int:charge_id>/undo")
@allow("operator", scope="merchant", for_hands=True)
def undo(charge_id: int) -> Answer:
    """Undo a charge of a moment ago."""
    till = _till()
    try:
        receipt = database().transact(service.undo, till, charge_id)
    except MoralBankError as refusal:
        return _page(till, _refused(refusal)), refusal.status
    return redirect(_counter_url(till, done=receipt.charge_id), 303)


@blueprint.get("/outcome")
@allow("operator", scope="merchant", for_hands=True)
def outcome() -> Answer:
    """Tell what became of a key whose answer was lost; 404 while nothing has come with it."""
    till = _till()
    key = _key()
    with database().reading() as db:
        found = service.find_outcome(db, till, key)
        order = None if found is not None else phone_orders.find_by_key(db, till, key)
    if order is not None:
        return _page(till, _shown_order(till, order.order_id))
    if found is None:
        return render_template("redemptions/unknown.html", key=key, merchant_id=till.merchant_id), 404
    return _told(till, found)


@blueprint.post("/outcome")
@allow("operator", scope="merchant", for_hands=True)
def close_key() -> Answer:
    """Say for good what became of a key; from now on one that never came can't come."""
    till = _till()
    return _told(till, database().transact(service.close_key, till, _key()))


@blueprint.get("/day")
@allow("operator", scope="merchant")
def day() -> str:
    """List a day's charges at this merchant with their totals."""
    till = _till()
    on = _asked_day()
    before_id = request.args.get("before", type=row_id)
    with database().reading() as db:
        merchant = get_merchant(db, till.merchant_id)
        totals = queries.day_totals(db, [till.merchant_id], on)
        receipts = queries.list_receipts(db, [till.merchant_id], on, before_id=before_id, limit=100)
        names = names_of(db, {receipt.operator_id for receipt in receipts})
    return render_template(
        "redemptions/day.html",
        merchant=merchant,
        on=on,
        today=clock.today(),
        totals=totals,
        receipts=receipts,
        names=names,
        next_before=receipts[-1].charge_id if len(receipts) == 100 else None,
    )


@blueprint.get("/receipts/<int:charge_id>")
@allow("operator", scope="merchant", for_hands=True)
def receipt(charge_id: int) -> str:
    """Show one receipt, made to be printed 80 mm wide."""
    till = _till()
    with database().reading() as db:
        found = queries.get_receipt(db, charge_id, till.merchant_id)
        _refuse_others(found.operator_id, UnknownCharge)
        branch = get_branch(db, get_merchant(db, found.merchant_id).branch_id)
        operator = names_of(db, [found.operator_id]).get(found.operator_id, "")
        slip = _slip(db, found)
    picture = pictures.link_svg(slip.seal.url) if slip else None
    return render_template(
        "redemptions/receipt.html", receipt=found, branch=branch, operator=operator, slip=slip, picture=picture
    )


def _slip(db: Connection, receipt: Receipt) -> Slip | None:
    """Return the resident's line that a charge made, with its seal; None when no points moved."""
    if receipt.entry_id is None:
        return None
    account = get_resident(db, receipt.resident_id).account_id
    return find_slip(db, receipt.book_id, receipt.entry_id, account, Unit.POINTS, public_url())


@blueprint.after_request
def _remember_till(response: Response) -> Response:
    """Name the device by a cookie, the first time it shows the counter."""
    if "new_till" in g:
        response.set_cookie(
            TILL_COOKIE,
            g.new_till,
            max_age=TILL_DAYS * 86400,
            path="/counter",
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
        )
    return response


def _till() -> Till:
    """Return the operator's till: the merchant asked for, or the only or first one. Raises: OutOfScope."""
    principal = current()
    merchant_id = request.values.get("merchant", type=row_id) or principal.merchant_ids()[0]
    within_merchant(merchant_id)
    terminal = request.cookies.get(TILL_COOKIE, "")
    if not _TILL.fullmatch(terminal):
        terminal = g.new_till = ids.token(16)
    return Till(merchant_id, principal.login_id, terminal, principal.resident_id)


def _key() -> str:
    """Return the key of this act. Raises: KeyMissing."""
    key = request.values.get("key", "")
    if not _KEY.fullmatch(key):
        raise KeyMissing
    return key


def _counter_url(till: Till, **arguments: Any) -> str:
    if len(current().merchant_ids()) > 1:
        arguments["merchant"] = till.merchant_id
    return url_for("counter.show", **arguments)


def _told(till: Till, found: Receipt | Refused) -> str:
    """Show the true result of a key. It is an answer to a question, so a refusal told is no refused request."""
    return _page(till, Shown(receipt=found) if isinstance(found, Receipt) else _refused(found))


def _refused(refusal: MoralBankError) -> Shown:
    sentence = problems.sentence(refusal)
    if isinstance(refusal, Invalid) and refusal.errors:
        sentence = " ".join(text for texts in refusal.errors.values() for text in texts)
    return Shown(refusal=refusal, title=_(refusal.title), sentence=sentence)


def _page(till: Till, shown: Shown) -> str:
    return render_template("redemptions/counter.html", **_facts(till, shown))


def _facts(till: Till, shown: Shown) -> dict[str, Any]:
    today = clock.today()
    with database().reading() as db:
        shops = list_merchants_by_id(db, current().merchant_ids())
        listed = list_offers(db, merchant_id=till.merchant_id)
        offers = [one for one in listed if one.offer.is_active and one.opens_at is not None]
        # A hand of a fair's day sees what they charged themselves, and not what the shop takes.
        own = [till.operator_id] if current().is_hand else None
        totals = queries.day_totals(db, [till.merchant_id], today, operator_ids=own)
        recent = queries.list_receipts(db, [till.merchant_id], today, operator_ids=own, limit=RECENT)
        digits = phone_orders.confirmations(db, [shown.receipt, *recent] if shown.receipt else recent)
        newest = queries.newest_charge(db, till.merchant_id)
    return {
        "digits": digits,
        "newest": newest,
        "sale_picture": sale_picture(shown.order) if shown.order and shown.order.kind == "sale" else None,
        "merchant": shops[till.merchant_id],
        "shops": _others(shops, till),
        "offers": offers,
        "shown": shown,
        "given": request.form if shown.refusal is not None else {},
        "may_undo": _may_undo(till, shown.receipt),
        "undo_seconds": UNDO_SECONDS,
        "key": ids.token(16),
        "totals": totals,
        "recent": recent,
        "today": today,
    }


def _refuse_others(operator_id: int, unknown: type[MoralBankError]) -> None:
    """Know nothing of what others charged, where a hand of a fair's day asks."""
    if current().is_hand and operator_id != current().login_id:
        raise unknown()


def _others(shops: dict[int, Merchant], till: Till) -> list[Merchant]:
    return [shop for shop in shops.values() if shop.merchant_id != till.merchant_id]


def _may_undo(till: Till, receipt: Receipt | None) -> bool:
    if receipt is None or not receipt.undo_seconds:
        return False
    return (receipt.operator_id, receipt.terminal) == (till.operator_id, till.terminal)


def _asked_day() -> date:
    """Return the day asked for in the address, or today when it names none; no shop is older than the century."""
    try:
        return max(_FIRST_DAY, min(date.fromisoformat(request.args.get("on", "")), clock.today()))
    except ValueError:
        return clock.today()
