"""API operations of what a resident agrees to on the phone: asked by code or shown as a sale, looked at, withdrawn.

Agreeing itself is the phone's own page: no program says yes for a resident.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.errors import Refused
from moralbank.merchants import errors as merchant_errors
from moralbank.proofs.views import public_url
from moralbank.redemptions import errors, phone_orders, schemas, service
from moralbank.redemptions.api import TERMINAL
from moralbank.redemptions.orders import Till
from moralbank.redemptions.pay_tokens import SaleToken
from moralbank.redemptions.phone_orders import PhoneOrder
from moralbank.redemptions.schemas import OrderIn, PhoneOrderOut, SaleIn, SaleOut
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow, current, within_merchant

blueprint = ApiBlueprint("phone_orders", __name__, description="Charges that a resident agrees to on the phone.")

_OFFERING = [
    errors.KeyReused,
    merchant_errors.UnknownMerchant,
    merchant_errors.MerchantNotActive,
    merchant_errors.UnknownOffer,
    merchant_errors.OfferNotActive,
    merchant_errors.OfferEnded,
    merchant_errors.OfferNotYet,
    errors.PointsMissing,
    errors.OfferAndPoints,
]
_ASKING = [*_OFFERING, errors.Misread, errors.TillLocked, errors.UnknownCode, errors.CodeUsed, errors.CodeExpired]


def _keep_refusal(db: Connection, refusal: Refused, *, body: dict[str, Any], key: str) -> None:
    """Keep a refused order, so that unknown codes add up to the operator's lock here as they do at the counter."""
    order = schemas.read_api_order(body)
    service.remember_refusal(db, _till(body["merchant_id"]), key, order.fingerprint, refusal)


@blueprint.writes("/phone-orders", PhoneOrderOut, body=OrderIn, refusals=_ASKING, on_refused=_keep_refusal)
@allow("operator", scope="merchant", token="charges:write")
def ask_on_phone(db: Connection, *, body: dict[str, Any], key: str) -> PhoneOrder:
    """Have a payment code's holder asked on the phone; the code is used up, and nothing moves before they agree."""
    within_merchant(body["merchant_id"])
    till = _till(body["merchant_id"])
    found = phone_orders.ask_phone(db, till, schemas.read_api_order(body), key)
    if isinstance(found, Refused):
        raise found
    # What the key has already led to a charge of is told as the order that it was.
    order = found if isinstance(found, PhoneOrder) else phone_orders.find_by_key(db, till, key)
    if order is None:
        raise errors.KeyReused
    return order


@blueprint.writes("/phone-orders/sales", SaleOut, body=SaleIn, refusals=_OFFERING)
@allow("operator", scope="merchant", token="charges:write")
def show_sale(db: Connection, *, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Make an order whose address the shop shows as a code: the first resident who opens it may agree."""
    within_merchant(body["merchant_id"])
    if (body["offer_id"] is None) == (body["points"] is None):
        raise errors.PointsMissing if body["offer_id"] is None else errors.OfferAndPoints
    order = phone_orders.show_sale(db, _till(body["merchant_id"]), body["offer_id"], body["points"], key)
    token = phone_orders.sign(db, SaleToken(int(order.number)))
    shown = {name: getattr(order, name) for name in PhoneOrderOut().fields if name != "state"}
    return shown | {"shown_state": order.shown_state, "address": f"{public_url().rstrip('/')}/p/{token}"}


@blueprint.reads("/phone-orders/<int:order_id>", PhoneOrderOut, refusals=[errors.UnknownPhoneOrder])
@allow("operator", scope="merchant", token="charges:read")
def get_phone_order(db: Connection, order_id: int) -> PhoneOrder:
    """Tell what became of an order of the token's own shops."""
    return _own(db, order_id)


@blueprint.writes(
    "/phone-orders/<int:order_id>/withdraw", PhoneOrderOut, status=200, refusals=[errors.UnknownPhoneOrder]
)
@allow("operator", scope="merchant", token="charges:write")
def withdraw_phone_order(db: Connection, order_id: int, *, key: str) -> PhoneOrder:
    """Wait no longer: from now on the resident can't agree. What is over already stays as it is."""
    order = _own(db, order_id)
    phone_orders.give_up(db, order_id, merchant_id=order.merchant_id)
    return phone_orders.get_order(db, order_id)


def _own(db: Connection, order_id: int) -> PhoneOrder:
    order = phone_orders.get_order(db, order_id)
    if order.merchant_id not in current().merchant_ids():
        raise errors.UnknownPhoneOrder
    return order


def _till(merchant_id: int) -> Till:
    principal = current()
    return Till(merchant_id, principal.login_id, TERMINAL, principal.resident_id)
