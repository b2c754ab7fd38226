"""What is asked, answered and shown about requests."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.approvals.models import REASON_MAX
from moralbank.approvals.queries import STATES
from moralbank.approvals.service import ADJUSTMENT_POINTS_MAX
from moralbank.errors import N_


def _reason(**more: Any) -> fields.String:
    return fields.String(
        required=True, validate=validate.Length(2, REASON_MAX, error=N_("请用一句话写明原因，最多 200 字。")), **more
    )


class ReasonIn(ma.Schema):
    """Why."""

    reason = _reason()


class ReversalIn(ma.Schema):
    """An award that is to be taken back."""

    book = fields.String(required=True, validate=validate.Length(1, 32), metadata={"description": "Code of the book."})
    entry_id = fields.UUID(required=True)
    reason = _reason()


class AdjustmentIn(ma.Schema):
    """Points that are to be given by hand."""

    resident_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))
    points = fields.Integer(
        required=True,
        validate=validate.Range(1, ADJUSTMENT_POINTS_MAX, error=N_("请填 1 到 400 之间的整数；多记的请申请冲正。")),
    )
    reason = _reason()


class RequestQuery(ma.Schema):
    """Which requests to list."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class RequestOut(ma.Schema):
    """What somebody asked, and what became of it."""

    request_id = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("reversal", "adjustment", "refund", "late-entry")))
    branch_id = fields.Integer(required=True)
    resident_id = fields.Integer(required=True)
    entry_id = fields.UUID(required=True, allow_none=True)
    points = fields.Integer(required=True, allow_none=True)
    reason = fields.String(required=True)
    maker = fields.String(required=True, metadata={"description": "role:login, for example staff:12."})
    created_at = fields.AwareDateTime(required=True, format="iso")
    expires_at = fields.AwareDateTime(required=True, format="iso")
    state = fields.String(required=True, attribute="shown_state", validate=validate.OneOf(STATES))
    checker = fields.String(required=True, allow_none=True, metadata={"description": "Never the maker's login."})
    decided_at = fields.AwareDateTime(required=True, allow_none=True, format="iso")
    answer = fields.String(required=True, allow_none=True)
    posted_entry_id = fields.UUID(required=True, allow_none=True)
