"""What a phone sends after it was without a network, and what staff say to each scan that waits for them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.activities.offline import BATCH_MAX
from moralbank.activities.values import Direction
from moralbank.errors import N_

_UUID = validate.Regexp(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
_WAYS = ["", *(way.value for way in Direction)]


class KeptIn(ma.Schema):
    """One scan, as the phone kept it."""

    nonce = fields.String(required=True, validate=_UUID)
    session_id = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**53 - 1))
    code = fields.String(required=True, validate=validate.Length(1, 100))
    direction = fields.String(required=True, validate=validate.OneOf(_WAYS))
    device_time = fields.AwareDateTime(required=True, format="iso")
    seq = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**53 - 1))
    prev_hash = fields.String(required=True, validate=validate.Regexp(r"^[0-9a-f]{64}$"))


class BatchIn(ma.Schema):
    """A batch, as the phone signed it."""

    device_id = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**53 - 1))
    sent_at = fields.AwareDateTime(required=True, format="iso")
    scans = fields.List(fields.Nested(KeptIn), required=True, validate=validate.Length(1, BATCH_MAX))


class DeviceIn(ma.Schema):
    """A phone's public key, at the desk of a session."""

    key = fields.String(required=True, validate=validate.Length(1, 200))
    session_id = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**53 - 1))


class ReviewForm(ma.Schema):
    """What staff say to a scan that waits for them."""

    reason = fields.String(load_default="", validate=validate.Length(max=200, error=N_("原因最多 200 个字。")))
    number = fields.String(load_default="", validate=validate.Length(max=20))
    direction = fields.String(load_default="", validate=validate.OneOf(_WAYS))
