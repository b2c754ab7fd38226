"""Takes away what this package holds of a person who is forgotten. Number and account stay: the book cites them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.residents.models import (
    residents_cards,
    residents_consents,
    residents_deeds,
    residents_households,
    residents_import_rows,
    residents_imports,
    residents_person_keys,
    residents_residents,
)
from moralbank.residents.queries import Resident
from moralbank.residents.values import Status, person_key

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was taken away."""

    cards: int
    consents: int
    notes: int
    roster_rows: int


def forget_resident(db: Connection, resident: Resident) -> Removed:
    """Empty a resident's row and delete what hangs on it; the others of the household keep all that is theirs."""
    whose = resident.resident_id
    rows = _forget_roster_rows(db, resident)
    keys = residents_person_keys
    db.execute(keys.delete().where(keys.c.resident_id == whose))
    cards = db.execute(residents_cards.delete().where(residents_cards.c.resident_id == whose)).rowcount
    consents = db.execute(residents_consents.delete().where(residents_consents.c.resident_id == whose)).rowcount
    noted = sa.and_(residents_deeds.c.resident_id == whose, residents_deeds.c.note != "")
    notes = db.execute(residents_deeds.update().where(noted).values(note="")).rowcount
    table = residents_residents
    empty = {
        "name": "",
        "phone": None,
        "phone_tail": None,
        "born_on": None,
        "sex": None,
        "grid": None,
        "building": None,
        "party_member": False,
        "guardian_name": None,
        "guardian_relation": None,
        "household_id": None,
        "status": Status.LEFT,
        "forgotten_at": clock.now(),
    }
    db.execute(table.update().where(table.c.resident_id == whose).values(empty))
    _forget_household(db, resident.household_id)
    return Removed(cards, consents, notes, rows)


def _forget_household(db: Connection, household_id: int | None) -> None:
    """Take a household's number away when its last member was forgotten."""
    members, table = residents_residents.c, residents_households
    left = sa.select(members.resident_id).where(members.household_id == household_id).limit(1)
    if household_id is None or db.execute(left).first() is not None:
        return
    here = table.c.household_id == household_id
    if db.execute(table.delete().where(here, table.c.account_id.is_(None))).rowcount == 0:
        db.execute(table.update().where(here).values(code=f"#{household_id}"))


def _forget_roster_rows(db: Connection, resident: Resident) -> int:
    """Empty the rows of rosters that still hold this person: read again, refused, or never taken."""
    keys = residents_person_keys.c
    known = set(db.execute(sa.select(keys.person_key).where(keys.resident_id == resident.resident_id)).scalars())
    imports, rows = residents_imports, residents_import_rows
    named = [
        (row.import_id, row.sheet_row)
        for row in _rows_naming(db, resident)
        if row.resident_id == resident.resident_id or _is_about(resident, known, row.cells, row.person)
    ]
    for import_id, sheet_row in named:
        here = sa.and_(rows.c.import_id == import_id, rows.c.sheet_row == sheet_row)
        db.execute(rows.update().where(here).values(cells=None, person=None))
    titled = imports.c.file_name.contains(resident.name, autoescape=True)
    here = imports.c.book_id == resident.book_id
    db.execute(imports.update().where(here, titled).values(file_name="roster"))
    return len(named)


def _rows_naming(db: Connection, resident: Resident) -> Iterator[sa.Row[tuple[object, ...]]]:
    """Yield the rows of the book's rosters in whose cells the name stands; JSON spells it in escapes."""
    rows, spelled = residents_import_rows, json.dumps(resident.name)[1:-1]
    held = sa.or_(
        *(sa.cast(column, sa.Text).contains(spelled, autoescape=True) for column in (rows.c.cells, rows.c.person)),
        rows.c.resident_id == resident.resident_id,
    )
    query = (
        sa.select(rows)
        .join(residents_imports, residents_imports.c.import_id == rows.c.import_id)
        .where(residents_imports.c.book_id == resident.book_id, held)
        .order_by(rows.c.import_id, rows.c.sheet_row)
        .limit(_PAGE)
    )
    last = (0, 0)
    while page := db.execute(query.where(sa.tuple_(rows.c.import_id, rows.c.sheet_row) > last)).all():
        yield from page
        last = (page[-1].import_id, page[-1].sheet_row)


def _is_about(resident: Resident, known: set[str], cells: object, person: object) -> bool:
    """Tell whether a row is this person's and not that of somebody of the same name with another phone."""
    if isinstance(person, dict):
        fields = [person.get(name) for name in ("name", "phone", "household_code")]
        born_on = person.get("born_on")
        key = person_key(str(fields[0] or ""), fields[1], fields[2], _day(born_on))
        if key in known:
            return True
    texts = ["".join(str(cell or "").split()) for cell in _values(cells)] or [
        "".join(str(value or "").split()) for value in _values(person)
    ]
    if "".join(resident.name.split()) not in texts:
        return False
    phones = {digits for text in texts if len(digits := "".join(c for c in text if c.isdigit())) == 11}
    return not phones or resident.phone in phones


def _values(found: object) -> list[object]:
    if isinstance(found, dict):
        return list(found.values())
    return list(found) if isinstance(found, list) else []


def _day(text: object) -> date | None:
    return date.fromisoformat(text) if isinstance(text, str) and text else None
