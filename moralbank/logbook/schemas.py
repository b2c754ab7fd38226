"""What the forms about witnesses say. A witness's own particulars are judged by service.add_witness."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_

_WITNESSES_MAX = 64


class WitnessForm(ma.Schema):
    """An office or a committee that is to sign checkpoints."""

    title = fields.String(load_default="")
    verifier_key = fields.String(load_default="")
    url = fields.String(
        load_default=None,
        validate=validate.Regexp(r"\A(?!local:)", error=N_("请填 http:// 或 https:// 开头的地址，或者留空。")),
    )


class PolicyForm(ma.Schema):
    """How many of the witnesses must have signed."""

    needed = fields.Integer(
        required=True, validate=validate.Range(0, _WITNESSES_MAX, error=N_("请选需要几家见证人签名。"))
    )
