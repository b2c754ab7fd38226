"""The charge of a payment code on the API's short way; moralbank.redemptions.api is the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection

from moralbank.errors import Invalid
from moralbank.redemptions.api import TERMINAL
from moralbank.redemptions.charging import charge_at_tills
from moralbank.redemptions.orders import Ask, Order, Till
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.schemas import POINTS_MAX, read_api_order
from moralbank.web.bodies import LARGEST_WHOLE
from moralbank.web.front import Call, Operation

_CODE = re.compile(r"71[0-9]{16}", re.ASCII)
_BLANK: dict[str, Any] = {"merchant_id": None, "offer_id": None, "points": None, "code": None, "confirmed": False}


def _read(_match: re.Match[str], body: Any) -> tuple[int, Order] | None:
    """Return merchant and order of a body that is beyond doubt."""
    if not isinstance(body, dict) or not body.keys() <= _BLANK.keys():
        return None
    given = _BLANK | body
    code = given["code"]
    is_plain = (
        _is_whole(given["merchant_id"], LARGEST_WHOLE)
        and (given["offer_id"] is None or _is_whole(given["offer_id"], LARGEST_WHOLE))
        and (given["points"] is None or _is_whole(given["points"], POINTS_MAX))
        and isinstance(code, str)
        and _CODE.fullmatch(code) is not None
        and isinstance(given["confirmed"], bool)
    )
    try:
        return (given["merchant_id"], read_api_order(given)) if is_plain else None
    except Invalid:
        return None


def _is_whole(value: Any, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


def _decide(db: Connection, calls: Sequence[Call]) -> list[bytes | None]:
    bodies: list[bytes | None] = [None] * len(calls)
    asks = {}
    for place, call in enumerate(calls):
        merchant_id, order = call.item
        principal = call.principal
        if merchant_id in principal.merchant_ids():
            till = Till(merchant_id, principal.login_id, TERMINAL, principal.resident_id)
            asks[place] = Ask(till, order, call.key)
    for place, verdict in zip(asks, charge_at_tills(db, list(asks.values())), strict=True):
        if isinstance(verdict, Receipt):
            bodies[place] = _dump(verdict)
    return bodies


def _dump(receipt: Receipt) -> bytes:
    """Spell a receipt as ReceiptOut does."""
    told = {
        "charge_id": receipt.charge_id,
        "number": receipt.number,
        "merchant_id": receipt.merchant_id,
        "offer_id": receipt.offer_id,
        "title": receipt.title,
        "points": receipt.points,
        "means": receipt.means.value,
        "masked_name": receipt.masked_name,
        "entry_id": str(receipt.entry_id) if receipt.entry_id else None,
        "charged_at": receipt.charged_at.isoformat(),
        "undone_at": receipt.undone_at.isoformat() if receipt.undone_at else None,
        "refunded_points": receipt.refunded_points,
        "acted_by": receipt.acted_by,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


CHARGE = Operation(
    rule="/api/v1/redemptions",
    path=re.compile("/api/v1/redemptions"),
    role="operator",
    scope="charges:write",
    status=HTTPStatus.CREATED,
    read=_read,
    decide=_decide,
)
