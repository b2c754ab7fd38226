"""What can be told of a draft without looking into the book: its form, and the fingerprint of what it asks for."""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring as quoted

from moralbank.ledger.errors import BadAmount, BadDraft, SecondPersonNeeded, Unbalanced
from moralbank.ledger.leaf import private_text
from moralbank.ledger.values import (
    GRADES,
    KINDS,
    MAX_AMOUNT,
    MAX_KEY_CHARACTERS,
    MAX_LEGS,
    TWO_PEOPLE,
    Draft,
    Leg,
    Unit,
    login_of,
)

MAX_PRIVATE_CHARACTERS = 2000


def check(draft: Draft) -> None:
    """Refuse a draft that no book could take.

    Raises (in the order checked): BadDraft, BadAmount, Unbalanced, SecondPersonNeeded.
    """
    _check_words(draft)
    legs = draft.legs
    if not 2 <= len(legs) <= MAX_LEGS or len({(leg.account, leg.unit) for leg in legs}) != len(legs):
        raise BadDraft(field="legs")
    sums = dict.fromkeys(Unit, 0)
    for leg in legs:
        _check_leg(leg)
        sums[leg.unit] += leg.amount
    if any(sums.values()):
        raise Unbalanced()
    is_alone = draft.checker is None or login_of(draft.checker) == login_of(draft.actor)
    if is_alone and (draft.kind in TWO_PEOPLE or draft.checker is not None):
        raise SecondPersonNeeded()


def _check_words(draft: Draft) -> None:
    if draft.kind not in KINDS:
        raise BadDraft(field="kind")
    _plain("key", draft.key, MAX_KEY_CHARACTERS)
    _plain("actor", draft.actor, 64)
    if draft.checker is not None:
        _plain("checker", draft.checker, 64)
    if draft.source is not None:
        _plain("source", draft.source[0], 32)
        _plain("source", draft.source[1], 64)
    if draft.rule is not None:
        _plain("rule", draft.rule[0], 16)
        _whole("rule", draft.rule[1], 1, 2**31 - 1)
    if draft.grade is not None and draft.grade not in GRADES:
        raise BadDraft(field="grade")
    if draft.branch is not None:
        _whole("branch", draft.branch, 1, MAX_AMOUNT)
    if sum(len(name) + len(text) for name, text in draft.private.items()) > MAX_PRIVATE_CHARACTERS:
        raise BadDraft(field="private")


def _check_leg(leg: Leg) -> None:
    _whole("account", leg.account, 1, MAX_AMOUNT)
    if not isinstance(leg.unit, Unit):
        raise BadDraft(field="unit")
    if type(leg.amount) is not int or leg.amount == 0 or abs(leg.amount) > MAX_AMOUNT:
        raise BadAmount()
    if leg.expires_on is not None and leg.amount < 0:
        raise BadDraft(field="expires_on")


def _plain(field: str, text: str, longest: int) -> None:
    is_plain = isinstance(text, str) and text.isascii() and text.isprintable() and " " not in text
    if not is_plain or not 0 < len(text) <= longest:
        raise BadDraft(field=field)


def _whole(field: str, number: int, least: int, most: int) -> None:
    if type(number) is not int or not least <= number <= most:
        raise BadDraft(field=field)


def private_of(draft: Draft) -> str | None:
    """Return the canonical text of the private part, if there is one."""
    return private_text(draft.private) if draft.private else None


def fingerprint(draft: Draft, private: str = "{}") -> bytes:
    """Return the SHA-256 of what the draft asks for, so that a repeated key with another body shows.

    Nothing private is in it: a hash that stays for ever would tell a forgotten memo to whoever guesses it. That the
    private part is the same is told by the commitment in the leaf, whose salt goes with the person.
    private: keys that were kept before this was so hash the private text too.
    Shape: canonical JSON, a list of kind, legs, branch, source, rule, grade, day, reversed entry, {} and entry; and the
    checker, but only where there is one, so that what was asked before there were any stays the same.
    """
    legs = ",".join([f'[{leg.account},{leg.unit:d},{leg.amount},"{leg.expires_on or ""}"]' for leg in draft.legs])
    source = "" if draft.source is None else f"{quoted(draft.source[0])},{quoted(draft.source[1])}"
    rule = "" if draft.rule is None else f"{quoted(draft.rule[0])},{draft.rule[1]}"
    reverses = "" if draft.reverses is None else draft.reverses.hex
    entry = "" if draft.entry_id is None else draft.entry_id.hex
    checker = "" if draft.checker is None else f",{quoted(draft.checker)}"
    asked = (
        f"[{quoted(draft.kind)},[{legs}],{draft.branch or 0},[{source}],[{rule}],{quoted(draft.grade or '')},"
        f'"{draft.occurred_on or ""}","{reverses}",{private},"{entry}"{checker}]'
    )
    return hashlib.sha256(asked.encode()).digest()
