"""Takes an entry back as far as its accounts still hold what it gave them: never below zero."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.engine import Connection

from moralbank.ledger import errors, leaf, rows
from moralbank.ledger.posting import hold, post
from moralbank.ledger.values import Draft, Leg, Posted, PostedLeg, Unit


def take_back(
    db: Connection,
    book: int,
    entry_id: UUID,
    *,
    key: str,
    actor: str,
    checker: str,
    private: Mapping[str, str],
) -> Posted | None:
    """Post the mirror of an entry, less what its holders spent of it since; None where nothing is left to take.

    Locks the accounts, so that what is left stays what was looked at.
    Raises (in the order checked): UnknownEntry, NotReversible, AlreadyReversed, then as post does.
    """
    stored = rows.leaves(db, book, [entry_id]).get(entry_id)
    if stored is None:
        raise errors.UnknownEntry()
    fields = json.loads(stored)
    original = leaf.legs_of(fields)
    if "rev" in fields or any(leg.n is not None and leg.amount < 0 for leg in original):
        raise errors.NotReversible()
    seen = hold(db, book, sorted({leg.account for leg in original if leg.n is not None}))
    if rows.reversed_ones(db, book, [entry_id]):
        raise errors.AlreadyReversed()
    legs = _legs(original, seen)
    if not legs:
        return None
    return post(
        db,
        Draft(
            book=book,
            kind="reversal",
            legs=legs,
            key=key,
            actor=actor,
            checker=checker,
            branch=fields.get("br"),
            reverses=entry_id,
            private=private,
        ),
    )


def _legs(original: tuple[PostedLeg, ...], seen: rows.Seen) -> tuple[Leg, ...]:
    """Return what each holder still has of what it was given, and the same back to where it came from."""
    legs: list[Leg] = []
    taken = dict.fromkeys(Unit, 0)
    for leg in original:
        if leg.n is not None:
            amount = min(leg.amount, seen.held[leg.account, leg.unit].balance)
            taken[leg.unit] += amount
            legs.append(Leg(leg.account, leg.unit, -amount))
    for leg in original:
        if leg.n is None:
            amount = min(-leg.amount, taken[leg.unit])
            taken[leg.unit] -= amount
            legs.append(Leg(leg.account, leg.unit, amount))
    return tuple(leg for leg in legs if leg.amount)
