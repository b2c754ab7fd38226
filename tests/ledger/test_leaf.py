"""Leaf and fingerprint are spelled by hand on the hot path; here a general encoder spells them for comparison."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from moralbank.ledger import drafts, leaf
from moralbank.ledger.values import GRADES, KINDS, MAX_AMOUNT, Draft, Leg, PostedLeg, Unit

_words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
_days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
_numbers = st.integers(1, MAX_AMOUNT)
_ids = st.uuids()
_legs = st.builds(
    PostedLeg,
    _numbers,
    st.sampled_from(Unit),
    st.integers(-MAX_AMOUNT, MAX_AMOUNT).filter(bool),
    st.none() | _numbers,
    st.integers(0, MAX_AMOUNT),
    st.none() | _days,
)
_drafts = st.builds(
    Draft,
    st.integers(1, 2**31),
    st.sampled_from(sorted(KINDS)),
    st.lists(st.builds(Leg, _numbers, st.sampled_from(Unit), _numbers, st.none() | _days), max_size=4).map(tuple),
    _words,
    _words,
    branch=st.none() | _numbers,
    source=st.none() | st.tuples(_words, _words),
    rule=st.none() | st.tuples(_words, _numbers),
    grade=st.none() | st.sampled_from(sorted(GRADES)),
    occurred_on=st.none() | _days,
    reverses=st.none() | _ids,
    private=st.dictionaries(_words, st.text(max_size=20), max_size=3),
    entry_id=st.none() | _ids,
    checker=st.none() | _words,
)
_instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda instant: instant.astimezone(timezone(timedelta(hours=8)))
)


def spell(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@given(_drafts, _ids, _numbers, _instants, _days, st.lists(_legs, max_size=4), st.none() | st.just("0f" * 32))
def test_a_leaf_is_what_a_general_encoder_writes(
    draft: Draft, entry: UUID, seq: int, at: datetime, on: date, legs: list[PostedLeg], commits_to: str | None
) -> None:
    fields = {
        "v": 1, "book": draft.book, "id": entry.hex, "seq": seq, "kind": draft.kind, "by": draft.actor,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "on": on.isoformat(),
        "legs": [
            present(
                {
                    "a": leg.account, "u": "points" if leg.unit is Unit.POINTS else "minutes", "d": leg.amount,
                    "n": leg.n, "b": None if leg.n is None else leg.balance_after,
                    "x": leg.expires_on.isoformat() if leg.expires_on else None,
                }
            )
            for leg in legs
        ],
        "br": draft.branch, "src": draft.source, "rule": draft.rule, "grade": draft.grade,
        "rev": draft.reverses.hex if draft.reverses else None, "ok": draft.checker, "m": commits_to,
    }  # fmt: skip
    assert leaf.encode(draft, entry.hex, seq, at, on, legs, commits_to) == spell(present(fields))


@given(_drafts)
def test_a_fingerprint_is_of_what_a_general_encoder_writes(draft: Draft) -> None:
    asked: list[Any] = [
        draft.kind,
        [[leg.account, int(leg.unit), leg.amount, str(leg.expires_on or "")] for leg in draft.legs],
        draft.branch or 0,
        list(draft.source or ()),
        list(draft.rule or ()),
        draft.grade or "",
        str(draft.occurred_on or ""),
        draft.reverses.hex if draft.reverses else "",
        {},
        draft.entry_id.hex if draft.entry_id else "",
        *([draft.checker] if draft.checker is not None else []),
    ]
    assert drafts.fingerprint(draft) == hashlib.sha256(spell(asked)).digest()
    # As keys were kept before nothing private was hashed.
    asked[8] = {name: unicodedata.normalize("NFC", text) for name, text in draft.private.items()}
    earlier = drafts.fingerprint(draft, drafts.private_of(draft) or "{}")
    assert earlier == hashlib.sha256(spell(asked)).digest()
