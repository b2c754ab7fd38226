"""What the forms of certificates send."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.certificates.facts import KINDS
from moralbank.certificates.models import REASON_MAX
from moralbank.errors import N_

NAME_MAX, CONTACT_MAX = 50, 100


class IssueIn(ma.Schema):
    """Which days to certify, and who does."""

    first = fields.Date(required=True)
    last = fields.Date(required=True)
    handler = fields.String(required=True, validate=validate.Length(1, NAME_MAX, error=N_("经办人写 1 到 50 个字。")))
    contact = fields.String(
        load_default="", validate=validate.Length(max=CONTACT_MAX, error=N_("联系方式最多 100 个字。"))
    )


class CorrectIn(ma.Schema):
    """Why another takes its place, and who issues it."""

    reason = fields.String(required=True, validate=validate.Length(1, REASON_MAX, error=N_("原因写 1 到 200 个字。")))
    handler = fields.String(required=True, validate=validate.Length(1, NAME_MAX, error=N_("经办人写 1 到 50 个字。")))
    contact = fields.String(
        load_default="", validate=validate.Length(max=CONTACT_MAX, error=N_("联系方式最多 100 个字。"))
    )


class FactIn(ma.Schema):
    """What to note in a resident's record."""

    kind = fields.String(required=True, validate=validate.OneOf(list(KINDS), error=N_("请选择种类。")))
    on_day = fields.Date(required=True)
    words = fields.String(required=True, validate=validate.Length(1, REASON_MAX, error=N_("内容写 1 到 200 个字。")))


class RevokeIn(ma.Schema):
    """Why it is taken back."""

    reason = fields.String(required=True, validate=validate.Length(1, REASON_MAX, error=N_("原因写 1 到 200 个字。")))
