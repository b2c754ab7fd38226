"""What the forms of family and helpers send."""

from __future__ import annotations

import unicodedata
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.behalf.values import NOTE_MAX
from moralbank.errors import N_
from moralbank.web.bodies import LARGEST_WHOLE

_POINTS = validate.Range(1, 100, error=N_("请填 1 到 100 的整数。"))


class Digits(fields.String):
    """Digits as keyboards give them: full width, with spaces or hyphens."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = unicodedata.normalize("NFKC", str(super()._deserialize(value, attr, data, **kwargs)))
        return "".join(c for c in text if not c.isspace() and c != "-")


_NUMBER = validate.Regexp(r"[0-9]{8}\Z", error=N_("请填 8 位居民编号。"))


class FamilyForm(ma.Schema):
    """Whom to act for, and by what they agree; a guardian needs no word of the child."""

    number = Digits(required=True, validate=_NUMBER)
    secret = Digits(load_default="", validate=validate.Length(max=64))


class SwitchForm(ma.Schema):
    """As whom the phone goes on; without a link as its owner."""

    link_id = fields.Integer(load_default=None, validate=validate.Range(1, LARGEST_WHOLE))


class PaperForm(ma.Schema):
    """A consent on paper to somebody of the family."""

    number = Digits(required=True, validate=_NUMBER)
    agreed_on = fields.Date(required=True)
    agreed_note = fields.String(
        required=True, validate=validate.Length(2, NOTE_MAX, error=N_("请写明同意书放在哪里，最多 200 字。"))
    )


class AppointForm(ma.Schema):
    """What somebody agreed to on paper with a helper."""

    helper = fields.String(required=True, validate=validate.Length(2, 32, error=N_("请填 2 到 32 个字。")))
    display_name = fields.String(load_default="", validate=validate.Length(max=50, error=N_("最多 50 个字。")))
    may_check_in = fields.Boolean(load_default=False)
    may_pay = fields.Boolean(load_default=False)
    may_read = fields.Boolean(load_default=False)
    points_per_charge_max = fields.Integer(load_default=50, validate=_POINTS)
    points_per_day_max = fields.Integer(load_default=50, validate=_POINTS)
    points_per_month_max = fields.Integer(load_default=100, validate=_POINTS)
    agreed_on = fields.Date(required=True)
    agreed_note = fields.String(required=True, validate=validate.Length(max=NOTE_MAX, error=N_("最多 200 字。")))
    until_on = fields.Date(required=True)
