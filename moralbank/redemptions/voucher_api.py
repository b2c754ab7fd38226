"""API operations of what is reserved: a resident reserves and gives up, a shop hands over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.merchants import errors as merchant_errors
from moralbank.redemptions import errors, vouchers
from moralbank.redemptions.api import TERMINAL
from moralbank.redemptions.numbers import read_number
from moralbank.redemptions.orders import Ask, Order, Till
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.schemas import CollectIn, ReceiptOut, VoucherIn, VoucherOut
from moralbank.redemptions.vouchers import Voucher
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import actor, allow, current, within_merchant
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("vouchers_api", __name__, description="Offers reserved and collected.")

_RESERVING = [
    merchant_errors.UnknownOffer,
    merchant_errors.MerchantNotActive,
    merchant_errors.OfferNotActive,
    merchant_errors.OfferEnded,
    merchant_errors.OfferNotYet,
    merchant_errors.OfferUsedUp,
    errors.ResidentNotActive,
    errors.OtherBank,
    errors.MonthLimitReached,
    errors.VouchersFull,
    errors.OfferLimitReached,
    errors.DayLimitReached,
    errors.NotEnoughPoints,
]
_COLLECTING = [
    errors.Misread,
    errors.KeyReused,
    errors.TillLocked,
    merchant_errors.UnknownMerchant,
    merchant_errors.MerchantNotActive,
    errors.UnknownCode,
    errors.VoucherElsewhere,
    errors.VoucherCollected,
    errors.VoucherEnded,
    errors.ResidentNotActive,
    errors.OwnHousehold,
    merchant_errors.OfferEnded,
    merchant_errors.OfferNotYet,
]


@blueprint.writes("/vouchers", VoucherOut, body=VoucherIn, refusals=_RESERVING)
@allow("resident", scope="self", token="codes:write")
def reserve_offer(db: Connection, *, body: dict[str, Any], key: str) -> Voucher:
    """Reserve one of an offer for the token's own resident; its points are held until it ends."""
    return vouchers.reserve(db, _me_id(), body["offer_id"], key, actor=actor())


@blueprint.reads("/vouchers", VoucherOut, paged=True)
@allow("resident", scope="self", token="codes:write")
def list_own_vouchers(db: Connection, *, page: Paging) -> Page:
    """List what the token's own resident has reserved."""
    found = vouchers.list_vouchers_after(db, _me_id(), page.after or 0, page.limit + 1)
    return page.of(found, key=lambda one: one.voucher_id)


@blueprint.writes(
    "/vouchers/<int:voucher_id>/cancel",
    VoucherOut,
    status=200,
    refusals=[errors.UnknownVoucher, errors.VoucherCollected],
)
@allow("resident", scope="self", token="codes:write")
def cancel_voucher(db: Connection, voucher_id: int, *, key: str) -> Voucher:
    """Give up what the token's own resident reserved."""
    return vouchers.cancel(db, _me_id(), voucher_id, actor=actor())


@blueprint.writes("/vouchers/collect", ReceiptOut, body=CollectIn, refusals=_COLLECTING)
@allow("operator", scope="merchant", token="charges:write")
def collect_voucher(db: Connection, *, body: dict[str, Any], key: str) -> Receipt:
    """Hand over what was reserved: the held points go to the merchant."""
    within_merchant(body["merchant_id"])
    principal = current()
    till = Till(body["merchant_id"], principal.login_id, TERMINAL, principal.resident_id)
    return vouchers.collect(db, Ask(till, Order(None, None, *read_number(body["code"])), key))


def _me_id() -> int:
    resident_id = current().resident_id
    assert resident_id is not None, "a resident's role is held by a resident's login only"
    return resident_id
