"""What a volunteer's record holds beside services: skills, training, commendations, evaluations. As far as they wish.

Source: 民政部令第67号. Nobody must have any; nothing is kept without the consent to keep the record, and all of it goes
when it is taken out or its holder is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.certificates.errors import RecordConsentMissing, UnknownFact
from moralbank.certificates.models import facts
from moralbank.errors import N_
from moralbank.residents.queries import consenting, hold_resident
from moralbank.residents.values import Consent

KINDS = {
    "skill": N_("服务技能"),
    "training": N_("培训"),
    "commendation": N_("表彰奖励"),
    "evaluation": N_("评价"),
}
_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Fact:
    """One of these, in the words in which it was noted."""

    fact_id: int
    resident_id: int
    kind: str
    on_day: date
    words: str


_COLUMNS = [facts.c[name] for name in Fact.__dataclass_fields__]


def list_facts(db: Connection, resident_id: int) -> list[Fact]:
    """Return what is noted of a resident, by day."""
    query = sa.select(*_COLUMNS).where(facts.c.resident_id == resident_id)
    return [Fact(*row) for row in db.execute(query.order_by(facts.c.on_day, facts.c.fact_id).limit(_LIMIT))]


def note(db: Connection, resident_id: int, kind: str, on_day: date, words: str, *, actor: str) -> None:
    """Note something in a resident's record. Raises (in the order checked): UnknownResident, RecordConsentMissing."""
    hold_resident(db, resident_id)
    if resident_id not in consenting(db, Consent.RECORD, [resident_id]):
        raise RecordConsentMissing()
    row = {"resident_id": resident_id, "kind": kind, "on_day": on_day, "words": words}
    db.execute(facts.insert().values(row | {"noted_at": clock.now(), "noted_by": actor}))


def take_out(db: Connection, resident_id: int, fact_id: int) -> None:
    """Take something out of a resident's record again. Raises: UnknownFact."""
    here = (facts.c.fact_id == fact_id, facts.c.resident_id == resident_id)
    if db.execute(facts.delete().where(*here)).rowcount == 0:
        raise UnknownFact()


def forget_facts(db: Connection, resident_id: int) -> None:
    """Take out all that is noted of a person who is forgotten."""
    db.execute(facts.delete().where(facts.c.resident_id == resident_id))
