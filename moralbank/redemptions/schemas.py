"""What the counter's form and the API say about charges and payment codes."""

from __future__ import annotations

import unicodedata
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_
from moralbank.redemptions.errors import OfferAndPoints, PinMissing, PointsMissing
from moralbank.redemptions.numbers import POINTS_DIGITS_MAX, Means, plain, read_number, read_points
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
