"""Scans of cards and numbers on the API's short way; moralbank.activities.api is the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection

from moralbank.activities.api import BULK_BYTES, scan_of, tell
from moralbank.activities.cards import read_bearers
from moralbank.activities.checkin import check_in_many
from moralbank.activities.gate import lock_doors
from moralbank.activities.schemas import SCANS_MAX
from moralbank.residents.queries import Resident
from moralbank.web.front import Call, Operation

_NONCE = re.compile(r"[\x21-\x7e]{8,64}")
_CODE = re.compile(r"[0-9]{8}|[0-9]{24}", re.ASCII)
_BLANK = {"nonce": None, "code": None, "direction": None}


def _read(match: re.Match[str], body: Any) -> tuple[int, list[dict[str, Any]]] | None:
    """Return session and scans of a body that is beyond doubt."""
    if not isinstance(body, dict) or body.keys() != {"items"} or not isinstance(body["items"], list):
        return None
    items = body["items"]
    if not 1 <= len(items) <= SCANS_MAX or not all(_is_plain(item) for item in items):
        return None
    return int(match[1]), [_BLANK | item for item in items]


def _is_plain(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and item.keys() <= _BLANK.keys()
        and isinstance(nonce := item.get("nonce"), str)
        and isinstance(code := item.get("code"), str)
        and _NONCE.fullmatch(nonce) is not None
        and _CODE.fullmatch(code) is not None
        and item.get("direction") in (None, "in", "out")
    )


def _decide(db: Connection, calls: Sequence[Call]) -> list[bytes | None]:
    """Check in what all the calls bring as one set, session by session."""
    bodies: list[bytes | None] = [None] * len(calls)
    by_session: dict[int, list[int]] = {}
    for place, call in enumerate(calls):
        by_session.setdefault(call.item[0], []).append(place)
    doors = lock_doors(db, by_session)
    for session_id, door in doors.items():
        places = [place for place in by_session[session_id] if calls[place].principal.covers(door.path, "staff")]
        items = [(place, item) for place in places for item in calls[place].item[1]]
        found = read_bearers(db, [item["code"] for _, item in items], door.book_id)
        people = {one.resident_id: one for one in found if isinstance(one, Resident)}
        scans = [
            scan_of(door.session, who.resident_id, item, calls[place].principal.login_id)
            for who, (place, item) in zip(found, items, strict=True)
            if isinstance(who, Resident)
        ]
        counted = iter(check_in_many(db, scans, doors, people))
        told: dict[int, list[dict[str, Any]]] = {place: [] for place in places}
        for who, (place, item) in zip(found, items, strict=True):
            answer = next(counted) if isinstance(who, Resident) else who
            told[place].append(_spell(tell(item, answer)))
        for place in places:
            bodies[place] = json.dumps({"items": told[place]}, ensure_ascii=False, separators=(",", ":")).encode()
    return bodies


def _spell(told: dict[str, Any]) -> dict[str, Any]:
    """Spell a verdict as VerdictOut does."""
    direction, at = told["direction"], told["at"]
    return told | {"direction": str(direction) if direction else None, "at": at.isoformat() if at else None}


CHECK_IN = Operation(
    rule="/api/v1/sessions/<int:session_id>/checkins",
    path=re.compile(r"/api/v1/sessions/([0-9]{1,15})/checkins"),
    role="staff",
    scope="checkins:write",
    status=HTTPStatus.OK,
    read=_read,
    decide=_decide,
    bytes_max=BULK_BYTES,
    has_words=True,
)
