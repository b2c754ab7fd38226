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
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Any
from uuid import UUID

from moralbank.ledger.values import Draft, Posted, PostedLeg, Unit

VERSION = 1
UNIT_NAMES = {Unit.POINTS: "points", Unit.MINUTES: "minutes"}
_UNITS = {name: unit for unit, name in UNIT_NAMES.items()}
_NAMED = {unit: f'"{name}"' for unit, name in UNIT_NAMES.items()}


_spell = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: object) -> bytes:
    """Return the one JSON spelling of a value of objects, lists, whole numbers and NFC text."""
    return _spell(value).encode()


def leaf_hash(leaf: bytes) -> str:
    """Return the leaf's hash in hex, with the RFC 6962 prefix that tells a leaf from an inner node."""
    return hashlib.sha256(b"\x00" + leaf).hexdigest()


@lru_cache(maxsize=64)  # A batch has one instant.
def instant(moment: datetime) -> str:
    """Return an instant as the leaf spells it: UTC, always six decimals."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def private_text(private: Mapping[str, str]) -> str:
    """Return the canonical text of the private part, in NFC."""
    return _spell({name: unicodedata.normalize("NFC", text) for name, text in private.items()})


def commitment(salt: bytes, content: str) -> str:
    """Return the commitment to a private part that the leaf carries: HMAC-SHA-256 under the entry's own salt."""
    return hmac.digest(salt, content.encode(), "sha256").hex()


def encode(
    draft: Draft,
    entry: str,
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

    It is spelled name by name, in their order, which takes a quarter of what a general encoder takes; numbers by repr,
    so that a text in a number's place gives other bytes.
    """
    branch = "" if draft.branch is None else f'"br":{draft.branch!r},'
    grade = "" if draft.grade is None else f'"grade":{quoted(draft.grade)},'
    commitment = "" if commits_to is None else f'"m":"{commits_to}",'
    checker = "" if draft.checker is None else f'"ok":{quoted(draft.checker)},'
    reverses = "" if draft.reverses is None else f'"rev":"{draft.reverses.hex}",'
    rule = "" if draft.rule is None else f'"rule":[{quoted(draft.rule[0])},{draft.rule[1]!r}],'
    source = "" if draft.source is None else f'"src":[{quoted(draft.source[0])},{quoted(draft.source[1])}],'
    return (
        f'{{"at":"{instant(posted_at)}","book":{draft.book!r},{branch}"by":{quoted(draft.actor)},{grade}"id":"{entry}",'
        f'"kind":{quoted(draft.kind)},"legs":[{",".join([_leg(leg) for leg in legs])}],{commitment}{checker}'
        f'"on":"{occurred_on.isoformat()}",{reverses}{rule}"seq":{seq!r},{source}"v":{VERSION}}}'
    ).encode()


def _leg(leg: PostedLeg) -> str:
    line = "" if leg.n is None else f'"b":{leg.balance_after!r},'
    number = "" if leg.n is None else f'"n":{leg.n!r},'
    until = "" if leg.expires_on is None else f',"x":"{leg.expires_on.isoformat()}"'
    return f'{{"a":{leg.account!r},{line}"d":{leg.amount!r},{number}"u":{_NAMED[leg.unit]}{until}}}'


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
