"""What the API says about statements, and what the passbook's URL may ask."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_
from moralbank.ledger import GRADES, KINDS, MAX_AMOUNT, Unit
from moralbank.statements.values import ROLE_WORDS

UNITS = {unit.name.lower(): unit for unit in Unit}


class UnitQuery(ma.Schema):
    """In which unit to read."""

    unit = fields.String(
        load_default="points", validate=validate.OneOf(list(UNITS), error=N_("单位是 points 或 minutes。"))
    )


class PassbookQuery(UnitQuery):
    """A page of the passbook, by its URL."""

    before = fields.Integer(load_default=None, validate=validate.Range(1, MAX_AMOUNT))


class StatementLineOut(ma.Schema):
    """A line of an account; number is gapless in the account and unit."""

    number = fields.Integer(required=True)
    entry_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(sorted(KINDS)))
    amount = fields.Integer(required=True)
    balance_after = fields.Integer(required=True)
    posted_at = fields.AwareDateTime(required=True, format="iso")
    occurred_on = fields.Date(required=True)
    about = fields.String(required=True, metadata={"description": "Activity or offer; empty when there is none."})
    place = fields.String(required=True)
    role = fields.String(required=True, metadata={"description": f"Who acted: {', '.join(ROLE_WORDS)}; never a name."})
    rule_code = fields.String(required=True, allow_none=True)
    rule_version = fields.Integer(required=True, allow_none=True)
    grade = fields.String(required=True, allow_none=True, validate=validate.OneOf([*sorted(GRADES), None]))
    reason = fields.String(required=True)
    reverses_number = fields.Integer(required=True, allow_none=True)
    reversed_by_number = fields.Integer(required=True, allow_none=True)


class SectionOut(ma.Schema):
    """A month in one unit: closing = opening + credit − debit."""

    opening = fields.Integer(required=True)
    credit = fields.Integer(required=True)
    debit = fields.Integer(required=True)
    closing = fields.Integer(required=True)
    first_number = fields.Integer(required=True, allow_none=True)
    last_number = fields.Integer(required=True, allow_none=True)


class ExpiryOut(ma.Schema):
    """Points that are gone once a day has begun."""

    expires_on = fields.Date(required=True)
    points = fields.Integer(required=True)
    noted_on = fields.Date(
        required=True, allow_none=True, metadata={"description": "Since when the holder could read of it."}
    )


class StatementOut(ma.Schema):
    """A month of an account; its lines are a list of their own."""

    month = fields.Function(lambda statement: f"{statement.month:%Y-%m}", required=True, metadata={"type": "string"})
    as_of = fields.AwareDateTime(required=True, format="iso")
    is_running = fields.Boolean(required=True)
    points = fields.Nested(SectionOut, required=True)
    minutes = fields.Nested(SectionOut, required=True)
    expiring = fields.List(fields.Nested(ExpiryOut), required=True)


class MonthOut(ma.Schema):
    """A month that has a statement."""

    month = fields.Function(lambda one: f"{one.month:%Y-%m}", required=True, metadata={"type": "string"})
    credit_points = fields.Integer(required=True, attribute="credit")
    debit_points = fields.Function(lambda one: -one.debit, required=True, metadata={"type": "integer"})
    service_minutes = fields.Integer(required=True, attribute="minutes")
