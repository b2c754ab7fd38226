"""Enrols people, many at once: account, resident, fingerprint, card. The one way to become a resident."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids, ledger
from moralbank.db import insert_for
from moralbank.residents.models import (
    residents_cards,
    residents_deeds,
    residents_households,
    residents_person_keys,
    residents_residents,
)
from moralbank.residents.values import CARD_DIGITS, CARD_PREFIX, SELF, Status, person_key

_NUMBER_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Person:
    """What is written down about somebody who becomes a resident."""

    name: str
    branch_id: int
    phone: str | None = None
    household_code: str | None = None
    grid: str | None = None
    building: str | None = None
    born_on: date | None = None
    sex: str | None = None
    party_member: bool = False
    #: None means today.
    joined_on: date | None = None
    guardian_name: str | None = None
    guardian_relation: str | None = None

    @property
    def key(self) -> str:
        return person_key(self.name, self.phone, self.household_code, self.born_on)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of a person: a resident with an account."""

    resident_id: int
    account_id: int


def known_keys(db: Connection, book_id: int, keys: Collection[str]) -> dict[str, int]:
    """Return the residents of a book that are or were known by these fingerprints."""
    table = residents_person_keys.c
    found = sa.select(table.person_key, table.resident_id).where(table.book_id == book_id, table.person_key.in_(keys))
    return {row.person_key: row.resident_id for row in db.execute(found)}


def enrol_many(db: Connection, book_id: int, people: Sequence[Person], *, actor: str) -> list[Enrolled]:
    """Enrol people whom the book doesn't know yet, each with a ledger account and a card, in the order given.

    Writes: a fixed number of statements, however many the people.
    Raises: IntegrityError when one of them became known to the book in the same moment.
    """
    accounts = ledger.open_accounts(db, book_id, [ledger.AccountKind.RESIDENT] * len(people))
    households = household_ids(db, book_id, {person.household_code for person in people if person.household_code})
    numbers = _unused_numbers(db, book_id, len(people))
    now, today = clock.now(), clock.today()
    rows = [
        {
            "book_id": book_id,
            "branch_id": person.branch_id,
            "number": number,
            "account_id": account,
            "household_id": households.get(person.household_code or ""),
            "name": person.name,
            "phone": person.phone,
            "phone_tail": person.phone[-4:] if person.phone else None,
            "born_on": person.born_on,
            "sex": person.sex,
            "grid": person.grid,
            "building": person.building,
            "party_member": person.party_member,
            "joined_on": person.joined_on or today,
            "guardian_name": person.guardian_name,
            "guardian_relation": person.guardian_relation,
            "status": Status.ACTIVE,
            "enrolled_at": now,
            "enrolled_by": actor,
        }
        for person, account, number in zip(people, accounts, numbers, strict=True)
    ]
    table = residents_residents
    inserted = db.execute(sa.insert(table).returning(table.c.account_id, table.c.resident_id), rows)
    resident_of = {row.account_id: row.resident_id for row in inserted}
    enrolled = [Enrolled(resident_of[account], account) for account in accounts]
    keys = [
        {"book_id": book_id, "person_key": person.key, "resident_id": new.resident_id}
        for person, new in zip(people, enrolled, strict=True)
    ]
    db.execute(sa.insert(residents_person_keys), keys)
    issue_cards(db, [new.resident_id for new in enrolled], actor=actor)
    return enrolled


def self_enrolled_since(db: Connection, resident_ids: Collection[int], since: datetime) -> set[int]:
    """Return which of the residents registered themselves from an instant on."""
    table = residents_residents.c
    theirs = sa.select(table.resident_id).where(table.resident_id.in_(resident_ids), table.enrolled_by == SELF)
    return set(db.execute(theirs.where(table.enrolled_at >= since)).scalars())


def issue_cards(db: Connection, resident_ids: Sequence[int], *, actor: str) -> None:
    """Give each resident a card; none of them may have one in force."""
    now = clock.now()
    rows = [
        {
            "resident_id": resident_id,
            "number": ids.checked_digits(CARD_PREFIX, CARD_DIGITS - len(CARD_PREFIX) - 2),
            "issued_at": now,
            "issued_by": actor,
        }
        for resident_id in resident_ids
    ]
    db.execute(sa.insert(residents_cards), rows)


def household_ids(db: Connection, book_id: int, codes: Collection[str]) -> dict[str, int]:
    """Return the households of a book by their codes; those that were not there yet are from now on."""
    if not codes:
        return {}
    table = residents_households
    new = insert_for(db, table).on_conflict_do_nothing()
    db.execute(new, [{"book_id": book_id, "code": code} for code in sorted(codes)])
    found = sa.select(table.c.code, table.c.household_id).where(table.c.book_id == book_id, table.c.code.in_(codes))
    return {row.code: row.household_id for row in db.execute(found)}


def note_deed(db: Connection, resident_id: int, deed: str, *, actor: str, note: str = "") -> None:
    """Remember what was done about a resident."""
    row = {"resident_id": resident_id, "deed": deed, "note": note, "done_at": clock.now(), "done_by": actor}
    db.execute(sa.insert(residents_deeds), [row])


def _unused_numbers(db: Connection, book_id: int, count: int) -> list[str]:
    """Return so many different eight-digit numbers that nobody in the book has; none begins with 0."""
    table = residents_residents.c
    found: set[str] = set()
    while len(found) < count:
        drawn = {
            str(secrets.randbelow(9 * 10 ** (_NUMBER_DIGITS - 1)) + 10 ** (_NUMBER_DIGITS - 1))
            for _ in range(count - len(found))
        }
        taken = sa.select(table.number).where(table.book_id == book_id, table.number.in_(drawn))
        found |= drawn - set(db.execute(taken).scalars())
    return list(found)
