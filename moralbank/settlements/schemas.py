"""What the pages of settlements take."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank import clock
from moralbank.errors import N_
from moralbank.merchants.schemas import Yuan

_REASON = validate.Length(2, 500, error=N_("请写明原因，2 到 500 个字。"))


def _not_to_come(day: object) -> None:
    if day > clock.today():  # type: ignore[operator]
        raise ma.ValidationError(N_("请填今天或以前的日期。"))


class DisputeForm(ma.Schema):
    """What a merchant asks about a line."""

    number = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))
    reason = fields.String(required=True, validate=_REASON)


class AnswerForm(ma.Schema):
    """What the station answers; owed_fen only where the amount was wrong."""

    answer = fields.String(
        required=True,
        validate=validate.OneOf(("explained", "corrected"), error=N_("请选择说明还是更正。")),
    )
    note = fields.String(required=True, validate=_REASON)
    owed_fen = Yuan(data_key="owed_yuan", load_default=None)

    @ma.validates_schema
    def _amount_goes_with_a_correction(self, given: dict[str, object], **_: object) -> None:
        if given.get("answer") == "corrected" and given.get("owed_fen") is None:
            raise ma.ValidationError(N_("请填更正后的金额。"), "owed_yuan")


class PaymentForm(ma.Schema):
    """How a settlement was paid."""

    reference = fields.String(
        required=True, validate=validate.Length(2, 64, error=N_("请填付款凭证号，2 到 64 个字符。"))
    )
    paid_on = fields.Date(required=True, validate=_not_to_come)


class PledgeForm(ma.Schema):
    """What somebody gave or promised."""

    donor = fields.String(required=True, validate=validate.Length(1, 100, error=N_("请填写，不要太长。")))
    fen = Yuan(required=True, data_key="yuan", validate=validate.Range(min=1, error=N_("请填大于 0 的金额。")))
    pledged_on = fields.Date(required=True, validate=_not_to_come)
    is_taken_back = fields.Boolean(load_default=False)


class CostForm(ma.Schema):
    """What a hundred points are reckoned to cost."""

    fen_per_hundred = Yuan(required=True, data_key="yuan_per_hundred")
