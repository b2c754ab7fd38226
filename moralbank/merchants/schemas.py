"""What forms and the API say about merchants and offers."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_
from moralbank.merchants.queries import SETTLEMENT_MODES, STATUSES

_CODE = validate.Regexp(r"\A[A-Z0-9][A-Z0-9-]{0,15}\Z", error=N_("编号用大写字母、数字和短横，最多 16 位，例如 M015。"))
_POINTS_MAX = 999_999
_COUNT_MAX = 1_000_000
_FEN_MAX = 100_000_000


def _text(longest: int, **given: object) -> fields.String:
    words = N_("请填写，不要太长。")
    return fields.String(required=True, validate=validate.Length(1, longest, error=words), **given)  # type: ignore[arg-type]


def _count(least: int, most: int, words: str) -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(least, most, error=words))


class MerchantText(ma.Schema):
    """The particulars of a merchant that may change."""

    name = _text(100)
    kind = _text(32)
    contact = _text(100)
    phone = fields.String(
        required=True,
        validate=validate.Regexp(r"\A[0-9+][0-9 -]{4,30}\Z", error=N_("请填电话号码，只用数字、空格和短横。")),
    )
    settlement_mode = fields.String(
        required=True, validate=validate.OneOf(SETTLEMENT_MODES, error=N_("请选择结算方式。"))
    )


class NewMerchant(MerchantText):
    """A merchant that applies at a branch."""

    code = fields.String(required=True, validate=_CODE)
    branch_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))


class MerchantMove(ma.Schema):
    """A merchant's next status."""

    status = fields.String(required=True, validate=validate.OneOf(STATUSES))


class MerchantOut(ma.Schema):
    """A merchant as the API shows it; points only ever arrive here."""

    merchant_id = fields.Integer(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    branch_id = fields.Integer(required=True)
    settlement_mode = fields.String(required=True, validate=validate.OneOf(SETTLEMENT_MODES))
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))


class OfferText(ma.Schema):
    """The particulars of an offer that may change. Shape: settlement_fen is hundredths of a yuan."""

    title = _text(100)
    points = _count(0, _POINTS_MAX, N_("请填 0 到 999999 的整数。"))
    monthly_quota = _count(1, _COUNT_MAX, N_("请填 1 到 1000000 的整数。"))
    per_resident_per_month = _count(1, _COUNT_MAX, N_("请填 1 到 1000000 的整数。"))
    settlement_fen = _count(0, _FEN_MAX, N_("请填 0 到 100000000 分之间的金额。"))


class NewOffer(OfferText):
    """An offer to be added to a merchant."""

    code = fields.String(required=True, validate=_CODE)
    merchant_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))


class Yuan(fields.Integer):
    """An amount written in yuan on a form, "3.50", and held in hundredths."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,2}))?", unicodedata.normalize("NFKC", str(value)), re.ASCII)
        if found is None:
            raise ma.ValidationError(N_("请填金额，例如 3 或 3.50。"))
        return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


class OfferForm(OfferText):
    """An offer's particulars as staff type them."""

    settlement_fen = Yuan(required=True, data_key="settlement_yuan")


class NewOfferForm(NewOffer):
    """A new offer as staff type it."""

    settlement_fen = Yuan(required=True, data_key="settlement_yuan")


class OfferOut(ma.Schema):
    """An offer with what is left of it this month."""

    offer_id = fields.Integer(required=True, attribute="offer.offer_id")
    merchant_id = fields.Integer(required=True, attribute="offer.merchant_id")
    code = fields.String(required=True, attribute="offer.code")
    title = fields.String(required=True, attribute="offer.title")
    points = fields.Integer(required=True, attribute="offer.points")
    monthly_quota = fields.Integer(required=True, attribute="offer.monthly_quota")
    per_resident_per_month = fields.Integer(required=True, attribute="offer.per_resident_per_month")
    settlement_fen = fields.Integer(required=True, attribute="offer.settlement_fen")
    status = fields.String(required=True, attribute="offer.status", validate=validate.OneOf(("active", "suspended")))
    left = fields.Integer(required=True)
