"""What the form of a request asks."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof

_CHOOSE = N_("请选一项。")


def _one_of(kind: type[Ground | AskedBy | Proof | Points]) -> fields.Enum:
    return fields.Enum(kind, by_value=True, required=True, error_messages={"unknown": _CHOOSE})


class RequestIn(ma.Schema):
    """A request to forget somebody, as it is entered."""

    ground = _one_of(Ground)
    asked_for_by = _one_of(AskedBy)
    proven_by = _one_of(Proof)
    points = _one_of(Points)
    #: The paper with the person's signature is in the bank's file.
    signed = fields.Boolean(required=True, validate=validate.Equal(True, error=N_("请先收好本人签字的申请书。")))
