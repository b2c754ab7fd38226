"""Why somebody looks at a person: asked once, remembered for that person for a while, written down before they see.

Whoever works at a desk with a queue is never asked: what they do says why.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from flask import g, session
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access import deed_queries, deeds
from moralbank.access.deeds import REMEMBERED, Deed, Kind, Reason
from moralbank.access.errors import ReasonMissing
from moralbank.web.auth import actor, current
from moralbank.web.db import database

_SITTING = "looking"


class Person(Protocol):
    """Whose data it is."""

    @property
    def resident_id(self) -> int: ...
    @property
    def account_id(self) -> int: ...
    @property
    def book_id(self) -> int: ...
    @property
    def branch_id(self) -> int: ...


def look_at(person: Person, implied: Reason | None = None, *, about: str = "") -> None:
    """Write down that the one who asks sees this person's data, unless it is their own or was written down just now.

    implied: why, where what they do says it; else they chose a reason for this person or for the sitting.
    Raises: ReasonMissing, with whom it is about in g.looked_at.
    """
    if current().resident_id == person.resident_id:
        return
    with database().reading() as db:
        if deed_queries.has_looked(db, current().login_id, person.resident_id):
            return
    reason = implied or _sitting()
    if reason is None:
        g.looked_at = person.resident_id
        raise ReasonMissing()
    note_view(person, reason, about=about)


def look_within(db: Connection, person: Person, reason: Reason) -> None:
    """Do as look_at within a write transaction that has begun."""
    if current().resident_id != person.resident_id and not deed_queries.has_looked(
        db, current().login_id, person.resident_id
    ):
        deeds.record(db, _of(person, Kind.VIEW, reason=reason))


def note_view(person: Person, reason: Reason, *, note: str = "", about: str = "") -> None:
    """Write a view down; those of the same moment share one commit."""
    database().join(deeds.record_many, _of(person, Kind.VIEW, reason=reason, note=note, about=about))


def note_export(person: Person, about: str) -> None:
    """Write down that somebody takes a person's data out as a file."""
    if current().resident_id != person.resident_id:
        database().join(deeds.record_many, _of(person, Kind.EXPORT, reason=Reason.WORK, about=about))


def note_many(
    kind: Kind, count: int | None, about: str, *, branch_id: int | None = None, book_id: int | None = None
) -> None:
    """Write one deed down for all the people that a list or a file shows."""
    deed = Deed(actor(), kind, branch_id, book_id, reason=Reason.WORK, about=about[:64], count=count)
    database().join(deeds.record_many, deed)


def note_setting(db: Connection, branch_id: int | None, about: str) -> None:
    """Write down, in the transaction of the act, that the one who asks changed how the bank works."""
    deeds.record(db, Deed(actor(), Kind.SETTING, branch_id, about=about))


def keep_for_sitting(reason: Reason) -> None:
    """Let the reason hold for whoever is opened next, as long as no pause is longer than deeds.REMEMBERED."""
    session[_SITTING] = {"reason": str(reason), "at": clock.now().isoformat()}


def _sitting() -> Reason | None:
    """Return the reason of the sitting, which goes on with each use; None when there is none any more."""
    kept = session.get(_SITTING)
    if not kept or clock.now() - datetime.fromisoformat(kept["at"]) > REMEMBERED:
        return None
    reason = Reason(kept["reason"])
    keep_for_sitting(reason)
    return reason


def _of(person: Person, kind: Kind, **fields: Any) -> Deed:
    whose = (person.branch_id, person.book_id, person.resident_id, person.account_id)
    return Deed(actor(), kind, *whose, **fields)
