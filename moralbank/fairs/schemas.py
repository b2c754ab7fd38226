"""What the forms of fairs say."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_


class FairForm(ma.Schema):
    """A fair to be announced; names: one stall a line."""

    branch_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))
    title = fields.String(required=True, validate=validate.Length(1, 60, error=N_("名称要 1 到 60 个字。")))
    place = fields.String(required=True, validate=validate.Length(1, 100, error=N_("地点要 1 到 100 个字。")))
    rule_code = fields.String(required=True, validate=validate.Length(1, 16, error=N_("请从规则表里选一条。")))
    on = fields.Date(required=True)
    starts = fields.Time(required=True, format="%H:%M")
    ends = fields.Time(required=True, format="%H:%M")
    names = fields.String(load_default="", validate=validate.Length(max=4000))
    merchant_ids = fields.List(fields.Integer(validate=validate.Range(1, 2**53 - 1)), load_default=list)
