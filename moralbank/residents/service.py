"""Acts on one resident: enrol, correct, suspend, card, consents, household. The caller says who may."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from moralbank import clock, ledger
from moralbank.access import service as access
from moralbank.access.queries import Principal, find_resident_login
from moralbank.branches import queries as branches
from moralbank.db import insert_for
from moralbank.residents import queries
from moralbank.residents.enrolment import (
    Person,
    enrol_many,
    household_ids,
    issue_cards,
    known_keys,
    note_deed,
)
from moralbank.residents.errors import (
    AlreadyEnrolled,
    BranchWithoutBook,
    CardInForce,
    GuardianMissing,
    NoCardInForce,
    OtherBook,
    ResidentForgotten,
    ResidentLeft,
    StatusNotNext,
    UnknownHousehold,
)
from moralbank.residents.models import (
    residents_cards,
    residents_consents,
    residents_households,
    residents_person_keys,
    residents_residents,
)
from moralbank.residents.queries import Card, Resident
from moralbank.residents.values import Consent, Status, is_minor, person_key

#: What a resident may become next. Leaving keeps every line and is undone by nobody but a new enrolment.
NEXT = {
    Status.ACTIVE: (Status.SUSPENDED, Status.LEFT),
    Status.SUSPENDED: (Status.ACTIVE, Status.LEFT),
    Status.LEFT: (Status.ACTIVE,),
}


def enrol(db: Connection, person: Person, consents: Collection[Consent] = (), *, actor: str) -> Resident:
    """Enrol a person at a branch: an account, a number and a card; and what they agreed to.

    Raises (in the order checked): UnknownBranch, BranchWithoutBook, GuardianMissing, AlreadyEnrolled.
    """
    book_id = _book_of(db, person.branch_id)
    _require_guardian(person.born_on, person.guardian_name, person.guardian_relation)
    _refuse_known(db, book_id, person.key)
    try:
        with db.begin_nested():
            (new,) = enrol_many(db, book_id, [person], actor=actor)
    except IntegrityError:
        _refuse_known(db, book_id, person.key)  # Another desk was quicker.
        raise
    for consent in consents:
        give_consent(db, new.resident_id, consent, actor=actor)
    note_deed(db, new.resident_id, "enrolled", actor=actor)
    return queries.get_resident(db, new.resident_id)


def correct(db: Connection, resident_id: int, person: Person, *, actor: str) -> Resident:
    """Set right what is written down about a resident; the household stays (see join_household).

    Raises (in the order checked): UnknownResident, ResidentLeft, UnknownBranch, BranchWithoutBook, OtherBook,
    GuardianMissing, AlreadyEnrolled.
    """
    before = _not_left(_locked(db, resident_id))
    if person.branch_id != before.branch_id and _book_of(db, person.branch_id) != before.book_id:
        raise OtherBook(branch=branches.get_branch(db, person.branch_id).name_zh)
    _require_guardian(person.born_on, person.guardian_name, person.guardian_relation)
    _remember_key(db, before, person.name, person.phone, before.household_code, person.born_on)
    values = {
        "name": person.name,
        "phone": person.phone,
        "branch_id": person.branch_id,
        "grid": person.grid,
        "building": person.building,
        "born_on": person.born_on,
        "sex": person.sex,
        "party_member": person.party_member,
        "joined_on": person.joined_on or before.joined_on,
        "guardian_name": person.guardian_name,
        "guardian_relation": person.guardian_relation,
    }
    changed = [name for name, value in values.items() if value != getattr(before, name)]
    if changed:
        _update(db, resident_id, phone_tail=person.phone[-4:] if person.phone else None, **values)
        note_deed(db, resident_id, "corrected", actor=actor, note=" ".join(changed))
    if person.branch_id != before.branch_id:
        access.follow_resident(db, resident_id, person.branch_id)
    return queries.get_resident(db, resident_id)


def set_status(db: Connection, resident_id: int, status: Status, reason: str, *, actor: str) -> Resident:
    """Suspend a resident, let them go on, or let them leave, which revokes the card; points and lines stay.

    Whoever is not active can't log in, and a phone that was logged in is logged out.

    Raises (in the order checked): UnknownResident, ResidentForgotten, StatusNotNext.
    """
    resident = _locked(db, resident_id)
    if resident.is_forgotten:
        raise ResidentForgotten()
    if status not in NEXT[resident.status]:
        raise StatusNotNext()
    _update(db, resident_id, status=status)
    login = find_resident_login(db, resident_id)
    if login is not None:
        change = access.resume_login if status is Status.ACTIVE else access.suspend_login
        change(db, login.login_id, by=None)
    card = queries.find_card(db, resident_id)
    if status is Status.LEFT and card is not None:
        _revoke(db, card, reason, actor)
    note_deed(db, resident_id, status, actor=actor, note=reason)
    return queries.get_resident(db, resident_id)


def issue_card(db: Connection, resident_id: int, *, actor: str) -> Card:
    """Give a resident who has no card in force a new one.

    Raises (in the order checked): UnknownResident, ResidentLeft, CardInForce.
    """
    _not_left(_locked(db, resident_id))
    card = queries.find_card(db, resident_id)
    if card is not None:
        raise CardInForce(tail=card.tail)
    issue_cards(db, [resident_id], actor=actor)
    issued = queries.find_card(db, resident_id)
    assert issued is not None
    note_deed(db, resident_id, "card-issued", actor=actor, note=issued.tail)
    return issued


def revoke_card(db: Connection, resident_id: int, reason: str, *, actor: str) -> None:
    """Put the resident's card out of force at once, for good.

    Raises (in the order checked): UnknownResident, NoCardInForce.
    """
    _locked(db, resident_id)
    card = queries.find_card(db, resident_id)
    if card is None:
        raise NoCardInForce()
    _revoke(db, card, reason, actor)


def reissue_card(db: Connection, resident_id: int, reason: str, *, actor: str) -> Card:
    """Replace the resident's card: the old one is out of force at once.

    Raises (in the order checked): UnknownResident, ResidentLeft, NoCardInForce.
    """
    _not_left(_locked(db, resident_id))
    revoke_card(db, resident_id, reason, actor=actor)
    return issue_card(db, resident_id, actor=actor)


def give_consent(db: Connection, resident_id: int, consent: Consent, *, actor: str) -> None:
    """Remember that a resident agrees to this; agreeing twice changes nothing. Raises: UnknownResident."""
    queries.get_resident(db, resident_id)
    row = {"resident_id": resident_id, "kind": consent, "given_at": clock.now(), "given_by": actor}
    db.execute(insert_for(db, residents_consents).on_conflict_do_nothing(), [row])


def withdraw_consent(db: Connection, resident_id: int, consent: Consent, *, actor: str) -> None:
    """Remember that a resident agrees to this no longer. Raises: UnknownResident."""
    queries.get_resident(db, resident_id)
    table = residents_consents
    db.execute(
        sa.update(table)
        .where(table.c.resident_id == resident_id, table.c.kind == consent, table.c.withdrawn_at.is_(None))
        .values(withdrawn_at=clock.now(), withdrawn_by=actor)
    )


def join_household(db: Connection, resident_id: int, code: str | None, *, actor: str) -> Resident:
    """Put a resident into the household of this number, new if need be; None takes them out.

    Raises (in the order checked): UnknownResident, ResidentLeft, AlreadyEnrolled.
    """
    before = _not_left(_locked(db, resident_id))
    _remember_key(db, before, before.name, before.phone, code, before.born_on)
    households = household_ids(db, before.book_id, [code] if code else [])
    _update(db, resident_id, household_id=households.get(code or ""))
    if code != before.household_code:
        note_deed(db, resident_id, "household", actor=actor, note=code or "")
    return queries.get_resident(db, resident_id)


def household_account(db: Connection, household_id: int) -> int:
    """Return the household's ledger account, opened when it is first asked for. Raises: UnknownHousehold."""
    table = residents_households
    row = db.execute(sa.select(table).where(table.c.household_id == household_id).with_for_update()).one_or_none()
    if row is None:
        raise UnknownHousehold()
    if row.account_id is not None:
        return int(row.account_id)
    (account,) = ledger.open_accounts(db, row.book_id, [ledger.AccountKind.HOUSEHOLD])
    db.execute(sa.update(table).where(table.c.household_id == household_id).values(account_id=account))
    return account


def set_pin(db: Connection, resident_id: int, *, by: Principal | None, actor: str, secret: str | None = None) -> str:
    """Give a resident a login, or theirs a new PIN, and return it to be handed over; they change it at once.

    Raises (in the order checked): UnknownResident, ResidentLeft, GuardianMissing, OutOfScope, WeakSecret.
    """
    resident = _not_left(queries.get_resident(db, resident_id))
    _require_guardian(resident.born_on, resident.guardian_name, resident.guardian_relation)
    opened = access.open_resident_login(db, resident_id, resident.branch_id, by=by, secret=secret)
    note_deed(db, resident_id, "pin-set", actor=actor)
    return opened.secret


def _locked(db: Connection, resident_id: int) -> Resident:
    """Return the resident, whom no other act changes until this one ends."""
    table = residents_residents.c
    db.execute(sa.select(table.resident_id).where(table.resident_id == resident_id).with_for_update())
    return queries.get_resident(db, resident_id)


def _not_left(resident: Resident) -> Resident:
    if resident.status is Status.LEFT:
        raise ResidentLeft()
    return resident


def _update(db: Connection, resident_id: int, **values: object) -> None:
    table = residents_residents
    db.execute(sa.update(table).where(table.c.resident_id == resident_id).values(values))


def _revoke(db: Connection, card: Card, reason: str, actor: str) -> None:
    table = residents_cards
    db.execute(
        sa.update(table)
        .where(table.c.card_id == card.card_id)
        .values(revoked_at=clock.now(), revoked_by=actor, revoke_reason=reason)
    )
    note_deed(db, card.resident_id, "card-revoked", actor=actor, note=reason)


def _remember_key(
    db: Connection,
    resident: Resident,
    name: str,
    phone: str | None,
    household_code: str | None,
    born_on: date | None,
) -> None:
    """Keep one more fingerprint of a resident, unless it is somebody else's."""
    key = person_key(name, phone, household_code, born_on)
    row = {"book_id": resident.book_id, "person_key": key, "resident_id": resident.resident_id}
    db.execute(insert_for(db, residents_person_keys).on_conflict_do_nothing(), [row])
    owner = known_keys(db, resident.book_id, [key])[key]
    if owner != resident.resident_id:
        raise AlreadyEnrolled(number=queries.get_resident(db, owner).number)


def _refuse_known(db: Connection, book_id: int, key: str) -> None:
    for resident_id in known_keys(db, book_id, [key]).values():
        raise AlreadyEnrolled(number=queries.get_resident(db, resident_id).number)


def _book_of(db: Connection, branch_id: int) -> int:
    branch = branches.get_branch(db, branch_id)
    if branch.book_id is None:
        raise BranchWithoutBook(branch=branch.name_zh)
    return branch.book_id


def _require_guardian(born_on: date | None, name: str | None, relation: str | None) -> None:
    if is_minor(born_on, clock.today()) and not (name and relation):
        missing = {"guardian_name": name, "guardian_relation": relation}
        raise GuardianMissing(errors={field: [GuardianMissing.sentence] for field, text in missing.items() if not text})
