"""What the counter's form and the API say about charges and payment codes."""

from __future__ import annotations

import unicodedata
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_
from moralbank.redemptions.errors import OfferAndPoints, PinMissing, PointsMissing
from moralbank.redemptions.numbers import POINTS_DIGITS_MAX, Means, is_voucher, plain, read_number, read_points
from moralbank.redemptions.orders import Order

PIN_DIGITS = 6
_ID = validate.Range(1, 2**53 - 1)
POINTS_MAX = 10**POINTS_DIGITS_MAX - 1
_POINTS = validate.Range(1, POINTS_MAX)


class OrderForm(ma.Schema):
    """A charge as the counter's form sends it: every field is text, typed or scanned.

    A number in the wrong field is refused for what it is (moralbank.redemptions.numbers), not as a bad field.
    """

    offer_id = fields.Integer(load_default=None, allow_none=True, validate=_ID)
    points = fields.String(load_default="", validate=validate.Length(max=200, error=N_("太长了，请清空重填。")))
    code = fields.String(load_default="", validate=validate.Length(max=200, error=N_("太长了，请清空再扫一次。")))
    pin = fields.String(load_default="", validate=validate.Length(max=50))
    confirmed = fields.Boolean(load_default=False)


class OrderIn(ma.Schema):
    """A charge as the API takes it: an offer or points, and the payment code on the resident's phone."""

    merchant_id = fields.Integer(required=True, validate=_ID)
    offer_id = fields.Integer(load_default=None, allow_none=True, validate=_ID)
    points = fields.Integer(load_default=None, allow_none=True, validate=_POINTS)
    code = fields.String(
        required=True,
        validate=validate.Regexp(r"\A71[0-9]{16}\Z"),
        metadata={"description": "The 18 digits of a live payment code."},
    )
    confirmed = fields.Boolean(
        load_default=False,
        metadata={"description": "Charge although the same was charged less than a minute ago."},
    )


class ReceiptOut(ma.Schema):
    """A charge: who is masked, and no balance is told."""

    charge_id = fields.Integer(required=True)
    number = fields.String(required=True, metadata={"description": "As printed on the receipt."})
    merchant_id = fields.Integer(required=True)
    offer_id = fields.Integer(required=True, allow_none=True)
    title = fields.String(required=True)
    points = fields.Integer(required=True)
    means = fields.Enum(Means, by_value=True, required=True)
    masked_name = fields.String(required=True)
    entry_id = fields.UUID(required=True, allow_none=True)
    charged_at = fields.AwareDateTime(required=True)
    undone_at = fields.AwareDateTime(required=True, allow_none=True)
    refunded_points = fields.Integer(required=True, metadata={"description": "Given back after two minutes."})
    acted_by = fields.String(
        required=True,
        metadata={
            "description": "Masked name of the family member or helper who showed the code; empty: the resident."
        },
    )


_REASON = validate.Length(2, 200, error=N_("请用一句话写明原因，最多 200 字。"))
_BACK = validate.Range(1, POINTS_MAX, error=N_("请填 1 以上的整数。"))


class RefundIn(ma.Schema):
    """What is to be given back of a charge, and why."""

    points = fields.Integer(required=True, validate=_BACK)
    returned = fields.Boolean(load_default=False, metadata={"description": "What was bought came back."})
    reason = fields.String(required=True, validate=_REASON)


class RefundForm(RefundIn):
    """A refund as the page sends it, with the key that it was made with."""

    key = fields.String(required=True, validate=validate.Length(8, 128))


class RefundOut(ma.Schema):
    """What was given back of a charge, or waits for a second person."""

    refund_id = fields.Integer(required=True)
    charge_id = fields.Integer(required=True)
    points = fields.Integer(required=True)
    returned = fields.Boolean(required=True, attribute="is_returned")
    reason = fields.String(required=True)
    state = fields.String(
        required=True,
        validate=validate.OneOf(("posted", "waiting", "approved", "refused", "withdrawn", "lapsed")),
        metadata={"description": "posted: the points are back; after the day of the charge somebody checks first."},
    )
    approval_id = fields.Integer(required=True, allow_none=True, attribute="request_id")
    entry_id = fields.UUID(required=True, allow_none=True)
    asked_at = fields.AwareDateTime(required=True)
    refunded_at = fields.AwareDateTime(required=True, allow_none=True)


class VoucherIn(ma.Schema):
    """Which offer to reserve."""

    offer_id = fields.Integer(required=True, validate=_ID)


class VoucherForm(VoucherIn):
    """What the page of offers sends, with the key that it was made with."""

    key = fields.String(required=True, validate=validate.Length(8, 128))


class StickerForm(ma.Schema):
    """What somebody pays by a sticker, with the key that the page was made with."""

    points = fields.Integer(required=True, validate=_BACK)
    key = fields.String(required=True, validate=validate.Length(8, 80))
    confirmed = fields.Boolean(load_default=False)


class SaleIn(ma.Schema):
    """What a shop shows as a code: an offer or points."""

    merchant_id = fields.Integer(required=True, validate=_ID)
    offer_id = fields.Integer(load_default=None, allow_none=True, validate=_ID)
    points = fields.Integer(load_default=None, allow_none=True, validate=_POINTS)


class PhoneOrderOut(ma.Schema):
    """A charge that waits for a resident's phone, or what became of it. Who it is stands on the receipt alone."""

    order_id = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("large", "sale", "sticker")))
    merchant_id = fields.Integer(required=True)
    offer_id = fields.Integer(required=True, allow_none=True)
    title = fields.String(required=True)
    points = fields.Integer(required=True)
    made_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    state = fields.String(
        required=True,
        attribute="shown_state",
        validate=validate.OneOf(("waiting", "paid", "refused", "declined", "cancelled", "expired")),
    )
    refusal = fields.String(
        required=True, allow_none=True, metadata={"description": "The code of what the charge was refused for."}
    )
    charge_id = fields.Integer(required=True, allow_none=True, metadata={"description": "The charge, once paid."})


class SaleOut(PhoneOrderOut):
    """An order with the address that its resident opens, to be shown as a code."""

    address = fields.String(required=True)


class CollectIn(ma.Schema):
    """Where something reserved is handed over, and its code."""

    merchant_id = fields.Integer(required=True, validate=_ID)
    code = fields.String(
        required=True,
        validate=validate.Regexp(r"\A72[0-9]{16}\Z"),
        metadata={"description": "The 18 digits on the resident's phone."},
    )


class VoucherOut(ma.Schema):
    """Something reserved; the number is what the shop scans."""

    voucher_id = fields.Integer(required=True)
    number = fields.String(required=True)
    merchant_id = fields.Integer(required=True)
    offer_id = fields.Integer(required=True)
    title = fields.String(required=True)
    points = fields.Integer(required=True)
    reserved_at = fields.AwareDateTime(required=True)
    until_on = fields.Date(required=True)
    state = fields.String(
        required=True,
        attribute="shown_state",
        validate=validate.OneOf(("waiting", "collected", "cancelled", "lapsed")),
    )


class CloseIn(ma.Schema):
    """Which shop closes its day."""

    merchant_id = fields.Integer(required=True, validate=_ID)


class ZReportOut(ma.Schema):
    """A shop's closed day. The document is canonical JSON; its SHA-256 is told beside it."""

    zreport_id = fields.Integer(required=True)
    merchant_id = fields.Integer(required=True)
    number = fields.Integer(required=True)
    day_on = fields.Date(required=True)
    since_at = fields.AwareDateTime(required=True)
    closed_at = fields.AwareDateTime(required=True)
    document = fields.String(required=True)
    sha256 = fields.String(required=True)


class PaymentCodeOut(ma.Schema):
    """A one-time payment code, told once to its resident."""

    code = fields.String(required=True, attribute="number")
    issued_at = fields.AwareDateTime(required=True)
    shown_until_at = fields.AwareDateTime(required=True)


def read_order(given: dict[str, Any]) -> tuple[Order, str]:
    """Return the order that a counter's form means, and the PIN that came with a card.

    Raises (in the order checked): what read_points and OfferAndPoints say of the amount, what read_number says of
        the scan field, PinMissing.
    """
    offer_id: int | None = given["offer_id"]
    if is_voucher(given["code"]):
        # What was reserved says itself what it is.
        return Order(None, None, *read_number(given["code"])), ""
    typed = plain(given["points"])
    if offer_id is not None and typed:
        read_points(typed)
        raise OfferAndPoints
    points = read_points(typed) if offer_id is None else None
    means, number = read_number(given["code"])
    pin = unicodedata.normalize("NFKC", given["pin"]).strip()
    if means is Means.CARD_PIN and not (len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit()):
        raise PinMissing
    return Order(offer_id, points, means, number, is_confirmed=given["confirmed"]), pin


def read_api_order(body: dict[str, Any]) -> Order:
    """Return the order that a body means. Raises (in the order checked): PointsMissing, OfferAndPoints, Misread."""
    if body["offer_id"] is None and body["points"] is None:
        raise PointsMissing
    if body["offer_id"] is not None and body["points"] is not None:
        raise OfferAndPoints
    means, number = read_number(body["code"])
    return Order(body["offer_id"], body["points"], means, number, is_confirmed=body["confirmed"])
