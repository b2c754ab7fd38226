"""The form in which one types what hangs on the board."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_

TYPED_MAX = 400


class CheckForm(ma.Schema):
    """Which book, which day or size, and the characters."""

    book = fields.String(required=True, validate=validate.Length(max=32))
    day = fields.Date()
    size = fields.Integer(
        validate=validate.Range(min=1, max=2**53 - 1, error=N_("叶数是公示单上“共几张”的那个数，从 1 起。"))
    )
    typed = fields.String(
        required=True,
        validate=validate.Length(max=TYPED_MAX, error=N_("太长了：24 个字，或者 64 位十六进制数字。")),
    )

    @ma.validates_schema
    def _one_of_both(self, data: dict[str, Any], **_more: Any) -> None:
        if "day" not in data and "size" not in data:
            raise ma.ValidationError(N_("请填公示单上的日期，或者“共几张”的数。"), "day")
