"""The service with two more operations: redemptions that are nothing but token, key, balance and entry."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.app import create_app
from moralbank.config import Config
from moralbank.ledger import Draft, Leg, Posted, Unit
from moralbank.web.api import PREFIX, ApiBlueprint
from moralbank.web.auth import actor, allow
from moralbank.web.front import Call, Operation

_ID = validate.Range(1, 2**53 - 1)
_FIELDS = {"book", "resident", "merchant", "points"}
blueprint = ApiBlueprint("bench", __name__, description="What the bench asks besides.")


def _read(_match: re.Match[str], body: Any) -> dict[str, int] | None:
    is_plain = isinstance(body, dict) and body.keys() == _FIELDS and all(type(value) is int for value in body.values())
    return body if is_plain else None


def _redeem(db: Connection, calls: Sequence[Call]) -> list[bytes | None]:
    verdicts = ledger.post_many(db, [_draft(call) for call in calls])
    return [
        _told(verdict, call.item["resident"]) if isinstance(verdict, Posted) else None
        for call, verdict in zip(calls, verdicts, strict=True)
    ]


def _draft(call: Call) -> Draft:
    asked = call.item
    legs = (
        Leg(asked["resident"], Unit.POINTS, -asked["points"]),
        Leg(asked["merchant"], Unit.POINTS, asked["points"]),
    )
    return Draft(asked["book"], "redemption", legs, call.key, call.principal.actor("operator"))


def _told(posted: Posted, resident: int) -> bytes:
    balance = posted.leg(resident, Unit.POINTS).balance_after
    return json.dumps({"entry_id": str(posted.entry_id), "balance": balance}).encode()


REDEEM = Operation(
    rule=f"{PREFIX}/ledger-redemptions",
    path=re.compile(f"{PREFIX}/ledger-redemptions"),
    role="operator",
    scope="charges:write",
    status=HTTPStatus.CREATED,
    read=_read,
    decide=_redeem,
)


class RedemptionsIn(ma.Schema):
    """A point each from many residents' accounts to a merchant's."""

    book = fields.Integer(required=True, validate=_ID)
    residents = fields.List(fields.Integer(validate=_ID), required=True, validate=validate.Length(1, 100))
    merchant = fields.Integer(required=True, validate=_ID)


class PostedOut(ma.Schema):
    """How many were posted."""

    posted = fields.Integer(required=True)


@blueprint.writes("/ledger-redemptions/bulk", PostedOut, body=RedemptionsIn)
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
app.wsgi_app.operations.append(REDEEM)  # type: ignore[attr-defined]
