"""The service with one more operation: a redemption that is nothing but token, key, balance and entry."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from marshmallow import fields, validate
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.app import create_app
from moralbank.config import Config
from moralbank.ledger import Draft, Leg, Posted, Unit
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import actor, allow

_ID = validate.Range(1, 2**53 - 1)
blueprint = ApiBlueprint("bench", __name__, description="What the bench asks besides.")


class RedemptionIn(ma.Schema):
    """Points to move from a resident's account to a merchant's."""

    book = fields.Integer(required=True, validate=_ID)
    resident = fields.Integer(required=True, validate=_ID)
    merchant = fields.Integer(required=True, validate=_ID)
    points = fields.Integer(required=True, validate=validate.Range(1, 10_000))


class RedemptionOut(ma.Schema):
    """The entry, and what is left."""

    entry_id = fields.UUID(required=True)
    balance = fields.Integer(required=True)


@blueprint.writes("/ledger-redemptions", RedemptionOut, body=RedemptionIn)
@allow("operator", scope="merchant", token="charges:write")
def redeem(db: Connection, *, body: dict[str, Any], key: str) -> dict[str, UUID | int | None]:
    """Redeem points in the book alone."""
    payer, payee, points = body["resident"], body["merchant"], body["points"]
    legs = (Leg(payer, Unit.POINTS, -points), Leg(payee, Unit.POINTS, points))
    posted = ledger.post(db, Draft(body["book"], "redemption", legs, key, actor()))
    return {"entry_id": posted.entry_id, "balance": posted.leg(payer, Unit.POINTS).balance_after}


class RedemptionsIn(ma.Schema):
    """A point each from many residents' accounts to a merchant's."""

    book = fields.Integer(required=True, validate=_ID)
    residents = fields.List(fields.Integer(validate=_ID), required=True, validate=validate.Length(1, 100))
    merchant = fields.Integer(required=True, validate=_ID)


class VerdictsOut(ma.Schema):
    """How many were posted."""

    posted = fields.Integer(required=True)


@blueprint.writes("/ledger-redemptions/bulk", VerdictsOut, body=RedemptionsIn)
@allow("operator", scope="merchant", token="charges:write")
def redeem_many(db: Connection, *, body: dict[str, Any], key: str) -> dict[str, int]:
    """Redeem a point of each in the book alone."""
    drafts = [
        Draft(
            body["book"],
            "redemption",
            (Leg(payer, Unit.POINTS, -1), Leg(body["merchant"], Unit.POINTS, 1)),
            f"{key}:{place}",
            actor(),
        )
        for place, payer in enumerate(body["residents"])
    ]
    return {"posted": sum(isinstance(verdict, Posted) for verdict in ledger.post_many(db, drafts))}


app = create_app(Config.from_env())
app.register_blueprint(blueprint)
