"""The bytes of an entry: canonical JSON made once at posting, stored, and hashed as stored.

Source: RFC 8785, restricted to ASCII keys, whole numbers within 2^53 − 1, NFC text and no null; under these
restrictions Python's own encoder writes the same bytes. RFC 6962 §2.1 for the leaf hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from moralbank.ledger.values import Draft, Posted, PostedLeg, Unit

VERSION = 1
UNIT_NAMES = {Unit.POINTS: "points", Unit.MINUTES: "minutes"}
_UNITS = {name: unit for unit, name in UNIT_NAMES.items()}


def canonical(value: object) -> bytes:
    """Return the one JSON spelling of a value of objects, lists, whole numbers and NFC text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(leaf: bytes) -> str:
    """Return the leaf's hash in hex, with the RFC 6962 prefix that tells a leaf from an inner node."""
    return hashlib.sha256(b"\x00" + leaf).hexdigest()


def instant(moment: datetime) -> str:
    """Return an instant as the leaf spells it: UTC, always six decimals."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def private_text(private: Mapping[str, str]) -> str:
    """Return the canonical text of the private part, in NFC."""
    return canonical({name: unicodedata.normalize("NFC", text) for name, text in private.items()}).decode()


def commitment(salt: bytes, content: str) -> str:
    """Return the commitment to a private part that the leaf carries: HMAC-SHA-256 under the entry's own salt."""
    return hmac.digest(salt, content.encode(), "sha256").hex()


def encode(
    draft: Draft,
    entry_id: UUID,
    seq: int,
    posted_at: datetime,
    occurred_on: date,
    legs: Sequence[PostedLeg],
    commits_to: str | None,
) -> bytes:
    """Return the leaf of an entry.

    Shape: v, book, id, seq, kind, by (actor), at, on (the day it happened), legs [{a: account, u: unit, d: amount,
    n: line number, b: balance after, x: expires on}], and where they apply br (branch), src, rule, grade, rev (the
    entry that it reverses), ok (checker, the second person), m (commitment to the private part).
    """
    fields: dict[str, Any] = {
        "v": VERSION,
        "book": draft.book,
        "id": entry_id.hex,
        "seq": seq,
        "kind": draft.kind,
        "by": draft.actor,
        "at": instant(posted_at),
        "on": occurred_on.isoformat(),
        "legs": [_leg(leg) for leg in legs],
    }
    optional = {
        "br": draft.branch,
        "src": list(draft.source) if draft.source else None,
        "rule": list(draft.rule) if draft.rule else None,
        "grade": draft.grade,
        "rev": draft.reverses.hex if draft.reverses else None,
        "ok": draft.checker,
        "m": commits_to,
    }
    return canonical(fields | {name: value for name, value in optional.items() if value is not None})


def _leg(leg: PostedLeg) -> dict[str, Any]:
    fields: dict[str, Any] = {"a": leg.account, "u": UNIT_NAMES[leg.unit], "d": leg.amount}
    if leg.n is not None:
        fields |= {"n": leg.n, "b": leg.balance_after}
    if leg.expires_on is not None:
        fields["x"] = leg.expires_on.isoformat()
    return fields


def legs_of(fields: Mapping[str, Any]) -> tuple[PostedLeg, ...]:
    """Return the legs that a decoded leaf states."""
    return tuple(
        PostedLeg(
            account=leg["a"],
            unit=_UNITS[leg["u"]],
            amount=leg["d"],
            n=leg.get("n"),
            balance_after=leg.get("b"),
            expires_on=date.fromisoformat(leg["x"]) if "x" in leg else None,
        )
        for leg in fields["legs"]
    )


def posted_from(leaf: bytes) -> Posted:
    """Return the answer that was given when the leaf was made, marked as given again."""
    fields = json.loads(leaf)
    return Posted(
        entry_id=UUID(fields["id"]),
        seq=fields["seq"],
        posted_at=datetime.fromisoformat(fields["at"]),
        legs=legs_of(fields),
        leaf_hash=leaf_hash(leaf),
        replayed=True,
    )
