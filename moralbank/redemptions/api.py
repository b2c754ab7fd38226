"""API operations of spending: a resident's payment code, charges by code, their undoing and lists.

A card's PIN is typed at the counter page alone: no other program is to handle it.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate
from sqlalchemy import Connection

from moralbank.approvals.errors import OwnAffair
from moralbank.approvals.service import hand_of
from moralbank.branches.queries import list_branches_under
from moralbank.errors import Refused
from moralbank.merchants import errors as merchant_errors
from moralbank.merchants.queries import all_merchants
from moralbank.redemptions import codes, errors, queries, refunds, schemas, service, zreports
from moralbank.redemptions.codes import IssuedCode
from moralbank.redemptions.limits import TILL_LIMITS
from moralbank.redemptions.orders import Till
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.refunds import Refund, Wish
from moralbank.redemptions.schemas import (
    CloseIn,
    OrderIn,
    PaymentCodeOut,
    ReceiptOut,
    RefundIn,
    RefundOut,
    ZReportOut,
)
from moralbank.redemptions.zreports import ZReport
from moralbank.residents.errors import ResidentForgotten
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import acting_roles, actor, allow, current, scope_paths, within_merchant
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("redemptions", __name__, description="Points spent at partner merchants.")

#: All programs of an operator are one till: what one of them charged, another may undo.
TERMINAL = "api"
_CHARGE_REFUSALS = [
    merchant_errors.UnknownMerchant,
    merchant_errors.MerchantNotActive,
    merchant_errors.UnknownOffer,
    merchant_errors.OfferNotActive,
    merchant_errors.OfferEnded,
    merchant_errors.OfferNotYet,
    merchant_errors.OfferUsedUp,
    errors.PointsMissing,
    errors.OfferAndPoints,
    errors.Misread,
    errors.TillLocked,
    errors.UnknownCode,
    errors.CodeUsed,
    errors.CodeExpired,
    errors.ResidentNotActive,
    errors.OtherBank,
    errors.OwnHousehold,
    errors.MonthLimitReached,
    errors.OfferLimitReached,
    errors.DayLimitReached,
    errors.PhoneNeeded,
    errors.ChargedJustNow,
    errors.NotEnoughPoints,
]


class RedemptionQuery(ma.Schema):
    """Which charges to list."""

    merchant_id = fields.Integer(load_default=None, validate=validate.Range(1, 2**53 - 1))


class UndoIn(ma.Schema):
    """Nothing more needs to be said: the charge is in the path."""


@blueprint.writes("/payment-codes", PaymentCodeOut, refusals=[errors.ResidentNotActive])
@allow("resident", scope="self", token="codes:write")
def issue_payment_code(db: Connection, *, key: str) -> IssuedCode:
    """Issue a payment code to the token's own resident; the same key again tells the same code, spent or not."""
    resident_id = current().resident_id
    assert resident_id is not None, "a resident's role is held by a resident's login only"
    return codes.issue_code(db, resident_id)


@blueprint.reads("/redemptions", ReceiptOut, query=RedemptionQuery, paged=True)
@allow("operator", "staff", "auditor", scope="branch", token="charges:read")
def list_redemptions(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List charges at the merchants that the token reaches, in the order they were made."""
    reached = _merchant_ids(db)
    chosen = [query["merchant_id"]] if query["merchant_id"] in reached else [] if query["merchant_id"] else reached
    found = queries.list_receipts_after(db, chosen, page.after or 0, page.limit + 1)
    return page.of(found, key=lambda receipt: receipt.charge_id)


@blueprint.reads("/redemptions/<int:charge_id>", ReceiptOut, refusals=[errors.UnknownCharge])
@allow("operator", "staff", "auditor", scope="branch", token="charges:read")
def get_redemption(db: Connection, charge_id: int) -> Receipt:
    """Show one charge."""
    receipt = queries.get_receipt(db, charge_id)
    if receipt.merchant_id not in _merchant_ids(db):
        raise errors.UnknownCharge
    return receipt


def _keep_refusal(db: Connection, refusal: Refused, *, body: dict[str, Any], key: str) -> None:
    """Keep a refused charge, so that unknown codes add up to the operator's lock here as they do at the counter."""
    order = schemas.read_api_order(body)
    service.remember_refusal(db, _till(body["merchant_id"]), key, order.fingerprint, refusal)


@blueprint.writes("/redemptions", ReceiptOut, body=OrderIn, refusals=_CHARGE_REFUSALS, on_refused=_keep_refusal)
@allow("operator", scope="merchant", token="charges:write")
def charge_payment_code(db: Connection, *, body: dict[str, Any], key: str) -> Receipt:
    """Charge a resident's payment code once."""
    within_merchant(body["merchant_id"])
    return service.charge(db, _till(body["merchant_id"]), schemas.read_api_order(body), key, TILL_LIMITS)


@blueprint.writes(
    "/redemptions/<int:charge_id>/undo",
    ReceiptOut,
    status=200,
    body=UndoIn,
    refusals=[errors.UnknownCharge, errors.UndoByOther, errors.UndoTooLate],
)
@allow("operator", scope="merchant", token="charges:write")
def undo_redemption(db: Connection, charge_id: int, *, body: dict[str, Any], key: str) -> Receipt:
    """Undo a charge of the same operator's programs within two minutes."""
    receipt = queries.get_receipt(db, charge_id)
    if receipt.merchant_id not in current().merchant_ids():
        raise errors.UnknownCharge
    return service.undo(db, _till(receipt.merchant_id), charge_id)


@blueprint.writes(
    "/redemptions/<int:charge_id>/refunds",
    RefundOut,
    body=RefundIn,
    refusals=[
        errors.UnknownCharge,
        errors.NothingToRefund,
        errors.RefundTooEarly,
        errors.RefundTooMuch,
        ResidentForgotten,
        errors.SupervisorNeeded,
        errors.OwnHousehold,
        OwnAffair,
    ],
)
@allow("operator", scope="merchant", token="charges:write")
def refund_redemption(db: Connection, charge_id: int, *, body: dict[str, Any], key: str) -> Refund:
    """Give points of a charge back: on its day as the shop's supervisor, later once the station agrees."""
    principal = current()
    if queries.get_receipt(db, charge_id).merchant_id not in principal.merchant_ids():
        raise errors.UnknownCharge
    wish = Wish(body["points"], body["returned"], body["reason"])
    hand = hand_of(principal, "operator")
    return refunds.refund(db, hand, charge_id, wish, key, operator_resident_id=principal.resident_id)


@blueprint.reads("/redemptions/<int:charge_id>/refunds", RefundOut, paged=True, refusals=[errors.UnknownCharge])
@allow("operator", "staff", "auditor", scope="branch", token="charges:read")
def list_redemption_refunds(db: Connection, charge_id: int, *, page: Paging) -> Page:
    """List what was given back of a charge, or asked to be."""
    if queries.get_receipt(db, charge_id).merchant_id not in _merchant_ids(db):
        raise errors.UnknownCharge
    found = [one for one, _key in refunds.list_refunds(db, charge_id) if one.refund_id > (page.after or 0)]
    return page.of(found[: page.limit + 1], key=lambda refund: refund.refund_id)


class ZReportQuery(ma.Schema):
    """Whose closed days to list."""

    merchant_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))


@blueprint.writes("/zreports", ZReportOut, body=CloseIn, refusals=[merchant_errors.UnknownMerchant])
@allow("operator", scope="merchant", token="charges:write")
def close_day(db: Connection, *, body: dict[str, Any], key: str) -> ZReport:
    """Close a shop's day at its tills; a day that was closed is given as it was."""
    within_merchant(body["merchant_id"])
    return zreports.close_day(db, body["merchant_id"], actor=actor())


@blueprint.reads("/zreports", ZReportOut, query=ZReportQuery, paged=True)
@allow("operator", "staff", "auditor", scope="branch", token="charges:read")
def list_zreports(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List a shop's closed days, the latest first."""
    if query["merchant_id"] not in _merchant_ids(db):
        return page.of([], key=lambda one: one.number)
    found = zreports.list_zreports(db, query["merchant_id"], before_number=page.after, limit=page.limit + 1)
    return page.of(found, key=lambda one: one.number)


def _till(merchant_id: int) -> Till:
    principal = current()
    return Till(merchant_id, principal.login_id, TERMINAL, principal.resident_id)


def _merchant_ids(db: Connection) -> list[int]:
    """Return the merchants that the token reaches: an operator's own, staff's and auditors' by branch."""
    own = set(current().merchant_ids())
    if set(acting_roles()) - {"operator"}:
        branch_ids = [branch.branch_id for branch in list_branches_under(db, scope_paths())]
        own |= {merchant.merchant_id for merchant in all_merchants(db, branch_ids)}
    return sorted(own)
