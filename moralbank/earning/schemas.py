"""The form with which a new version of a rule is adopted."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class NewVersion(Schema):
    """What may change from one version of a rule to the next, and who was asked about it."""

    points = fields.Integer(required=True, validate=validate.Range(0, 1000))
    cap_value = fields.Integer(load_default=None, validate=validate.Range(1, 100_000))
    effective_from = fields.Date(required=True)
    consultation = fields.String(required=True, validate=validate.Length(1, 2000))
