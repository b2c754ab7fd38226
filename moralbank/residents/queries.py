"""Reads of residents, households, cards and consents. Who may read is the caller's to say, by branches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.messages.values import Reach
from moralbank.prepared import Prepared, Question, ask
from moralbank.residents.errors import UnknownResident
from moralbank.residents.models import (
    residents_cards,
    residents_consents,
    residents_deeds,
    residents_households,
    residents_residents,
)
from moralbank.residents.values import (
    CARD_DIGITS,
    Consent,
    Status,
    adult_since,
    is_minor,
    mask,
    mask_phone,
)

LIST_LIMIT_MAX = 500


@dataclass(frozen=True, slots=True)
class Resident:
    """A depositor; account_id is the ledger account of their points and minutes."""

    resident_id: int
    number: str
    name: str
    phone: str | None
    household_id: int | None
    household_code: str | None
    branch_id: int
    book_id: int
    account_id: int
    grid: str | None
    building: str | None
    born_on: date | None
    sex: str | None
    party_member: bool
    joined_on: date
    status: Status
    guardian_name: str | None
    guardian_relation: str | None
    #: When they were forgotten; then there is no name any more.
    forgotten_at: datetime | None = None

    @property
    def is_forgotten(self) -> bool:
        return self.forgotten_at is not None

    @property
    def masked_name(self) -> str:
        return mask(self.name)

    @property
    def masked_phone(self) -> str:
        return mask_phone(self.phone)

    @property
    def awaits_guardian(self) -> bool:
        """Whether this is a minor for whom no guardian has agreed yet, as rosters may bring them."""
        is_alone = not self.guardian_name and is_minor(self.born_on, clock.today())
        return is_alone and self.status is Status.ACTIVE

    @property
    def is_active(self) -> bool:
        """Whether they may earn and spend now."""
        return self.status is Status.ACTIVE and not self.awaits_guardian


@dataclass(frozen=True, slots=True)
class Card:
    """A printed card; it is in force until revoked_at says otherwise."""

    card_id: int
    resident_id: int
    number: str
    issued_at: datetime
    revoked_at: datetime | None
    revoke_reason: str | None

    @property
    def is_active(self) -> bool:
        return self.revoked_at is None

    @property
    def tail(self) -> str:
        return self.number[-4:]


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One time of having agreed: from given_at until withdrawn_at, or until now."""

    kind: Consent
    given_at: datetime
    given_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done about a resident; note is the reason, or the names of the details corrected."""

    deed: str
    note: str
    done_at: datetime
    done_by: str


_R = residents_residents.c
_RESIDENT_COLUMNS = (
    _R.resident_id,
    _R.number,
    _R.name,
    _R.phone,
    _R.household_id,
    residents_households.c.code.label("household_code"),
    _R.branch_id,
    _R.book_id,
    _R.account_id,
    _R.grid,
    _R.building,
    _R.born_on,
    _R.sex,
    _R.party_member,
    _R.joined_on,
    _R.status,
    _R.guardian_name,
    _R.guardian_relation,
    _R.forgotten_at,
)
_STATUS = Resident.__slots__.index("status")
_C = residents_cards.c
_CARD_COLUMNS = (_C.card_id, _C.resident_id, _C.number, _C.issued_at, _C.revoked_at, _C.revoke_reason)


def _select() -> sa.Select[tuple[object, ...]]:
    return sa.select(*_RESIDENT_COLUMNS).select_from(residents_residents.outerjoin(residents_households))


_FIND_RESIDENT = Prepared(_select().where(_R.resident_id == sa.bindparam("resident_id")))


def find_resident(db: Connection, resident_id: int) -> Resident | None:
    """Return the resident, or None."""
    row = _FIND_RESIDENT.first(db, resident_id=resident_id)
    return None if row is None else _resident(row)


def find_residents(db: Connection, resident_ids: Collection[int]) -> dict[int, Resident]:
    """Return those of a few residents that exist, by id."""
    found: dict[int, Resident]
    [found] = ask(db, asking_residents(resident_ids))
    return found


def asking_residents(resident_ids: Collection[int]) -> Question[dict[int, Resident]]:
    """Ask for those of a few residents that exist, by id."""
    given = [{"resident_id": resident_id} for resident_id in resident_ids]
    return Question(_FIND_RESIDENT, given, lambda found: {row[0]: _resident(row) for rows in found for row in rows})


def with_resident(query: sa.Select[Any], resident_id: sa.ColumnElement[int]) -> sa.Select[Any]:
    """Return a look-up that also finds the resident whom each of its rows names; `split_resident` reads its rows."""
    found = query.add_columns(*_RESIDENT_COLUMNS).join(residents_residents, _R.resident_id == resident_id)
    return found.outerjoin(residents_households, residents_households.c.household_id == _R.household_id)


def split_resident(row: Sequence[Any]) -> tuple[Sequence[Any], Resident]:
    """Return a row of what `with_resident` looked up: its own columns, and the resident."""
    width = len(row) - len(_RESIDENT_COLUMNS)
    return row[:width], _resident(row[width:])


def get_resident(db: Connection, resident_id: int) -> Resident:
    """Return the resident, or raise UnknownResident."""
    found = find_resident(db, resident_id)
    if found is None:
        raise UnknownResident()
    return found


def hold_resident(db: Connection, resident_id: int) -> Resident:
    """Return the resident, whom no other act on people changes until the transaction ends. Raises: UnknownResident."""
    # Rows that refer to the resident may still be added: a charge must not wait for, nor be waited for.
    row = sa.select(_R.resident_id).where(_R.resident_id == resident_id)
    db.execute(row.with_for_update(key_share=True))
    return get_resident(db, resident_id)


_FIND_BY_NUMBER = Prepared(_select().where(_R.book_id == sa.bindparam("book_id"), _R.number == sa.bindparam("number")))
_FIND_BY_CARD = Prepared(
    with_resident(sa.select(*_CARD_COLUMNS).where(_C.number == sa.bindparam("number")), _C.resident_id)
)


def find_by_number(db: Connection, book_id: int, number: str) -> Resident | None:
    """Return the resident of a book by the eight-digit number, or None."""
    [found] = find_by_numbers(db, book_id, [number])
    return found


def find_by_numbers(db: Connection, book_id: int, numbers: Sequence[str]) -> list[Resident | None]:
    """Return for each eight-digit number the resident of a book, or None."""
    found = _FIND_BY_NUMBER.each(db, [{"book_id": book_id, "number": number} for number in numbers])
    return [_resident(rows[0]) if rows else None for rows in found]


def find_by_card(db: Connection, card_number: str) -> tuple[Resident, Card] | None:
    """Return whose card this is and the card, revoked or not: the caller decides what a revoked one means."""
    [found] = find_by_cards(db, [card_number])
    return found


def find_by_cards(db: Connection, card_numbers: Sequence[str]) -> list[tuple[Resident, Card] | None]:
    """Return for each card its holder and the card, revoked or not, or None for what is no card of ours."""
    found = _FIND_BY_CARD.each(db, [{"number": number} for number in card_numbers])
    split = [split_resident(rows[0]) if rows else None for rows in found]
    return [(one[1], Card(*one[0])) if one else None for one in split]


def residents_by_id(db: Connection, resident_ids: Collection[int]) -> dict[int, Resident]:
    """Return those of the residents that exist, by id."""
    found = _residents(db, _select().where(_R.resident_id.in_(resident_ids)))
    return {resident.resident_id: resident for resident in found}


def branch_of_account(account_id: sa.ColumnElement[int]) -> sa.ScalarSelect[int]:
    """Return as a column for a query of another package the branch of whose account it is, NULL for nobody's."""
    return sa.select(_R.branch_id).where(_R.account_id == account_id).scalar_subquery()


def residents_by_account(db: Connection, account_ids: Collection[int]) -> dict[int, Resident]:
    """Return the holders of those of the ledger accounts that are residents', by account."""
    found = _residents(db, _select().where(_R.account_id.in_(account_ids)))
    return {resident.account_id: resident for resident in found}


def reach_of(db: Connection, resident_ids: Collection[int]) -> dict[int, Reach]:
    """Return where residents who are here can be reached, by resident."""
    query = sa.select(_R.resident_id, _R.phone, _R.number).where(
        _R.resident_id.in_(resident_ids), _R.status != Status.LEFT, _R.forgotten_at.is_(None)
    )
    return {row.resident_id: Reach(phone=row.phone, number=row.number) for row in db.execute(query)}


def holders_of(db: Connection, account_ids: Collection[int]) -> list[tuple[int, int, int]]:
    """Return (account, resident, branch) of whom the accounts are: a resident's own, and each of a household's."""
    own = sa.select(_R.account_id, _R.resident_id, _R.branch_id).where(_R.account_id.in_(account_ids))
    homes = residents_households.c
    shared = (
        sa.select(homes.account_id, _R.resident_id, _R.branch_id)
        .join_from(residents_residents, residents_households, homes.household_id == _R.household_id)
        .where(homes.account_id.in_(account_ids))
    )
    here = _R.forgotten_at.is_(None)
    return [(*row,) for row in db.execute(sa.union_all(own.where(here), shared.where(here)))]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is, as far as figures need to know: where they belong, and whether they are still here."""

    branch_id: int
    enrolled_at: datetime
    has_left: bool


def list_holders(db: Connection, book_id: int) -> dict[int, Holder]:
    """Return the holder of every resident's account of a book, by account."""
    query = sa.select(_R.account_id, _R.branch_id, _R.enrolled_at, _R.status, _R.forgotten_at)
    return {
        account: Holder(branch_id, enrolled_at, status == Status.LEFT or forgotten_at is not None)
        for account, branch_id, enrolled_at, status, forgotten_at in db.execute(query.where(_R.book_id == book_id))
    }


def list_by_phone(db: Connection, phone: str, *, limit: int = 20) -> list[Resident]:
    """List who shares a phone, oldest enrolment first; people who left are not among them."""
    statement = _select().where(_R.phone == phone, _R.status != Status.LEFT)
    return _residents(db, statement.order_by(_R.resident_id).limit(limit))


def list_by_name(db: Connection, name: str, *, limit: int = 20) -> list[Resident]:
    """List who bears exactly this name, oldest enrolment first; people who left are not among them."""
    statement = _select().where(_R.name == name, _R.status != Status.LEFT)
    return _residents(db, statement.order_by(_R.resident_id).limit(limit))


def list_household(db: Connection, household_id: int, branch_ids: Collection[int]) -> list[Resident]:
    """List the members of a household that belong to one of the branches."""
    statement = _select().where(_R.household_id == household_id, _R.branch_id.in_(branch_ids))
    return _residents(db, statement.order_by(_R.resident_id).limit(LIST_LIMIT_MAX))


def find_household_account(db: Connection, household_id: int | None) -> int | None:
    """Return the ledger account of a household, or None while nothing was credited to it, or for nobody's."""
    table = residents_households.c
    return db.execute(sa.select(table.account_id).where(table.household_id == household_id)).scalar()


def list_to_print(
    db: Connection, branch_ids: Collection[int], *, after: tuple[str, int], phoneless: bool, limit: int
) -> list[Resident]:
    """List residents of the branches in the order in which paper is carried round: by building, then as enrolled.

    after: building and resident_id of the last one before; ("", 0) begins.
    """
    building = sa.func.coalesce(_R.building, "")
    behind = sa.or_(building > after[0], sa.and_(building == after[0], _R.resident_id > after[1]))
    statement = _select().where(*_to_print(branch_ids, phoneless), behind)
    return _residents(db, statement.order_by(building, _R.resident_id).limit(min(limit, LIST_LIMIT_MAX)))


def count_to_print(db: Connection, branch_ids: Collection[int], *, phoneless: bool) -> int:
    """Count what list_to_print would list in all."""
    statement = sa.select(sa.func.count()).select_from(residents_residents)
    return db.execute(statement.where(*_to_print(branch_ids, phoneless))).scalar_one()


def was_forgotten_since(db: Connection, book_id: int, since: datetime) -> bool:
    """Tell whether anybody of a book was forgotten after an instant: files made before it may hold them."""
    statement = sa.select(_R.resident_id).where(_R.book_id == book_id, _R.forgotten_at > since).limit(1)
    return db.execute(statement).first() is not None


def _to_print(branch_ids: Collection[int], phoneless: bool) -> list[sa.ColumnElement[bool]]:
    wanted = [_R.branch_id.in_(branch_ids), _R.forgotten_at.is_(None)]
    return [*wanted, _R.phone.is_(None)] if phoneless else wanted


def list_residents(
    db: Connection,
    branch_ids: Collection[int],
    *,
    search: str = "",
    status: Status | None = None,
    awaits_guardian: bool = False,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Resident]:
    """List residents of the branches, newest enrolment first.

    search: a part of a name, the eight-digit number, a card, a whole phone or its last four digits.
    awaits_guardian: only minors for whom no guardian has agreed yet.
    before_id: the last resident_id of the page before, None for the first page.
    """
    statement = _select().where(*_wanted(branch_ids, search, status, awaits_guardian))
    if before_id is not None:
        statement = statement.where(_R.resident_id < before_id)
    return _residents(db, statement.order_by(_R.resident_id.desc()).limit(min(limit, LIST_LIMIT_MAX)))


def count_residents(
    db: Connection,
    branch_ids: Collection[int],
    *,
    search: str = "",
    status: Status | None = None,
    awaits_guardian: bool = False,
) -> int:
    """Count what list_residents would list in all."""
    statement = sa.select(sa.func.count()).select_from(residents_residents)
    return db.execute(statement.where(*_wanted(branch_ids, search, status, awaits_guardian))).scalar_one()


def find_card(db: Connection, resident_id: int) -> Card | None:
    """Return the resident's card in force, or None."""
    statement = sa.select(*_CARD_COLUMNS).where(_C.resident_id == resident_id, _C.revoked_at.is_(None))
    row = db.execute(statement).one_or_none()
    return None if row is None else Card(*row)


def list_cards(db: Connection, resident_id: int) -> list[Card]:
    """List all cards a resident ever had, newest first."""
    statement = sa.select(*_CARD_COLUMNS).where(_C.resident_id == resident_id)
    return [Card(*row) for row in db.execute(statement.order_by(_C.card_id.desc()).limit(LIST_LIMIT_MAX))]


def cards_in_force(db: Connection, resident_ids: Collection[int]) -> dict[int, Card]:
    """Return the cards in force of the residents, by resident."""
    statement = sa.select(*_CARD_COLUMNS).where(_C.resident_id.in_(resident_ids), _C.revoked_at.is_(None))
    return {row.resident_id: Card(*row) for row in db.execute(statement)}


def list_consents(db: Connection, resident_id: int) -> list[ConsentLine]:
    """List what a resident agreed to and took back, newest first."""
    table = residents_consents.c
    statement = (
        sa.select(table.kind, table.given_at, table.given_by, table.withdrawn_at, table.withdrawn_by)
        .where(table.resident_id == resident_id)
        .order_by(table.consent_id.desc())
        .limit(LIST_LIMIT_MAX)
    )
    return [ConsentLine(Consent(row.kind), *row[1:]) for row in db.execute(statement)]


def consenting(db: Connection, kind: Consent, resident_ids: Collection[int]) -> set[int]:
    """Return which of the residents agree to this at present."""
    table = residents_consents.c
    statement = sa.select(table.resident_id).where(
        table.kind == kind, table.resident_id.in_(resident_ids), table.withdrawn_at.is_(None)
    )
    return set(db.execute(statement).scalars())


def consenting_at(db: Connection, kind: Consent, resident_ids: Collection[int], at: datetime) -> set[int]:
    """Return which of the residents agreed to this at an instant."""
    table, found = residents_consents.c, set()
    wanted = sorted(resident_ids)
    for start in range(0, len(wanted), LIST_LIMIT_MAX):
        statement = sa.select(table.resident_id).where(
            table.kind == kind,
            table.resident_id.in_(wanted[start : start + LIST_LIMIT_MAX]),
            table.given_at <= at,
            sa.or_(table.withdrawn_at.is_(None), table.withdrawn_at > at),
        )
        found.update(db.execute(statement).scalars())
    return found


def names_within(db: Connection, book_id: int, texts: Collection[str]) -> set[str]:
    """Return those of a few texts in which the whole name of a resident of the book stands."""
    of_book = sa.and_(_R.book_id == book_id, sa.func.length(_R.name) >= 2)
    return {
        text
        for text in texts
        if db.execute(sa.select(_R.resident_id).where(of_book, sa.literal(text).contains(_R.name)).limit(1)).first()
    }


def list_deeds(db: Connection, resident_id: int, *, limit: int = 50) -> list[Deed]:
    """List what was done about a resident, newest first."""
    table = residents_deeds.c
    statement = (
        sa.select(table.deed, table.note, table.done_at, table.done_by)
        .where(table.resident_id == resident_id)
        .order_by(table.deed_id.desc())
        .limit(limit)
    )
    return [Deed(*row) for row in db.execute(statement)]


def _residents(db: Connection, statement: sa.Select[tuple[object, ...]]) -> list[Resident]:
    return [_resident(row) for row in db.execute(statement)]


def _resident(row: Sequence[Any]) -> Resident:
    """Return the resident of a row of _RESIDENT_COLUMNS, which stand in the order of the fields."""
    return Resident(*row[:_STATUS], Status(row[_STATUS]), *row[_STATUS + 1 :])


def without_guardian() -> sa.ColumnElement[bool]:
    """Return the condition of Resident.awaits_guardian on a resident's row."""
    is_alone = sa.and_(_R.born_on > adult_since(clock.today()), sa.func.coalesce(_R.guardian_name, "") == "")
    return sa.and_(is_alone, _R.status == Status.ACTIVE)


def _wanted(
    branch_ids: Collection[int], search: str, status: Status | None, awaits_guardian: bool
) -> Sequence[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = [_R.branch_id.in_(branch_ids), _R.forgotten_at.is_(None)]
    if status is not None:
        wanted.append(_R.status == status)
    if awaits_guardian:
        wanted.append(without_guardian())
    if search:
        wanted.append(sa.or_(*_matches(search)))
    return wanted


def _matches(search: str) -> Iterable[sa.ColumnElement[bool]]:
    digits = search.replace(" ", "")
    if not (digits.isascii() and digits.isdigit()):
        yield _R.name.contains(search, autoescape=True)
    elif len(digits) == CARD_DIGITS:
        holder = sa.select(_C.resident_id).where(_C.number == digits)
        yield _R.resident_id.in_(holder)
    elif len(digits) == 4:
        yield _R.phone_tail == digits
    else:
        yield _R.number == digits
        yield _R.phone == digits
