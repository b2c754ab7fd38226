"""Rosters on their way in: rows wait with their verdicts, are confirmed, and become residents page by page.

Every act here is one short write transaction, so a killed process loses at most the page it was at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access.deeds import Deed, Kind, record
from moralbank.branches.queries import Branch
from moralbank.residents.enrolment import Enrolled, Person, enrol_many, known_keys
from moralbank.residents.errors import BranchWithoutBook, ImportNotOpen, NothingToImport
from moralbank.residents.import_queries import State, Verdict, get_import
from moralbank.residents.models import residents_import_rows, residents_imports
from moralbank.residents.roster_verdicts import RosterRow, RowVerdict, Take
from moralbank.residents.values import person_key

PAGE_ROWS = 500
OPENING_GRADE = "D"
OPENING_MONTHS = 36
FILE_NAME_MAX = 200
COLUMN_MAX = 100
_VERDICTS = {Take.TAKE: Verdict.TAKE, Take.REFUSE: Verdict.REFUSE, Take.SKIP: Verdict.SKIP}


def begin_import(
    db: Connection,
    branch: Branch,
    *,
    file_name: str,
    file_format: str,
    header: Sequence[str],
    actor: str,
) -> int:
    """Begin to take in a roster whose rows may name this branch and those below it.

    Raises: BranchWithoutBook.
    """
    if branch.book_id is None:
        raise BranchWithoutBook(branch=branch.name_zh)
    now = clock.now()
    row = {
        "book_id": branch.book_id,
        "branch_id": branch.branch_id,
        "file_name": file_name[-FILE_NAME_MAX:],
        "file_format": file_format,
        "header": list(header),
        "state": State.READING,
        "uploaded_by": actor,
        "uploaded_at": now,
        "touched_at": now,
        "done_rows": 0,
        "position": 0,
    }
    table = residents_imports
    return int(db.execute(sa.insert(table).values(row).returning(table.c.import_id)).scalar_one())


def add_rows(db: Connection, import_id: int, verdicts: Sequence[RowVerdict]) -> None:
    """Keep a page of rows with their verdicts; whom the book knows is not taken but here already."""
    book_id = get_import(db, import_id).book_id
    keys = {verdict.row_number: _key(verdict.values) for verdict in verdicts if verdict.values is not None}
    known = known_keys(db, book_id, list(keys.values()))
    rows = [_row(import_id, verdict, known.get(keys.get(verdict.row_number, ""))) for verdict in verdicts]
    db.execute(sa.insert(residents_import_rows), rows)
    _touch(db, import_id)


def end_reading(db: Connection, import_id: int) -> None:
    """Open the preview: every row of the file has its verdict."""
    _move(db, import_id, State.READING, State.PREVIEW)


def confirm_import(db: Connection, import_id: int, *, actor: str) -> None:
    """Let the rows to take become residents.

    Raises (in the order checked): UnknownImport, ImportNotOpen, NothingToImport.
    """
    _move(db, import_id, State.PREVIEW, State.RUNNING, confirmed_by=actor, confirmed_at=clock.now())
    if not _next_rows(db, import_id, after=0, limit=1):
        raise NothingToImport()
    roster = get_import(db, import_id)
    record(db, Deed(actor, Kind.IMPORT, roster.branch_id, about=f"roster:{import_id}"))


def resume_import(db: Connection, import_id: int) -> None:
    """Let a stopped import go on where it stopped.

    Raises (in the order checked): UnknownImport, ImportNotOpen.
    """
    _move(db, import_id, State.STOPPED, State.RUNNING, stopped_by=None)


def stop_import(db: Connection, import_id: int, code: str) -> None:
    """Halt a running import that the books refuse, until somebody lets it go on."""
    _move(db, import_id, State.RUNNING, State.STOPPED, stopped_by=code)


def drop_import(db: Connection, import_id: int) -> None:
    """Forget a roster that nobody confirmed, with all its rows.

    Raises (in the order checked): UnknownImport, ImportNotOpen.
    """
    state = get_import(db, import_id).state
    if state not in (State.READING, State.PREVIEW):
        raise ImportNotOpen()
    _move(db, import_id, state, State.DROPPED)
    rows = residents_import_rows
    db.execute(sa.delete(rows).where(rows.c.import_id == import_id))


def import_page(db: Connection, import_id: int) -> int:
    """Enrol the next page of a running import; return how many rows it dealt with, 0 when there are no more.

    Two processes at the same import take turns: the import's row is locked and says where to go on.
    Raises: what ledger.post_many refuses, with nothing of the page written.
    """
    imports = residents_imports
    locked = sa.select(imports).where(imports.c.import_id == import_id).with_for_update()
    roster = db.execute(locked).one()
    if roster.state != State.RUNNING:
        return 0
    rows = _next_rows(db, import_id, after=roster.position, limit=PAGE_ROWS)
    if not rows:
        _move(db, import_id, State.RUNNING, State.DONE, finished_at=clock.now())
        return 0
    people = {row.sheet_row: _person(row.person) for row in rows}
    known = known_keys(db, roster.book_id, [person.key for person in people.values()])
    new = _first_of_each(rows, people, known)
    if new:
        enrolled = enrol_many(db, roster.book_id, [person for _, person in new], actor=roster.confirmed_by)
        _post_openings(db, roster, new, enrolled)
        pairs = list(zip(new, enrolled, strict=True))
        known |= {person.key: resident.resident_id for (_, person), resident in pairs}
        _mark(db, import_id, Verdict.TAKE, [(row.sheet_row, to.resident_id) for (row, _), to in pairs])
    taken = {row.sheet_row for row, _ in new}
    here = [(number, known[person.key]) for number, person in people.items() if number not in taken]
    if here:
        _mark(db, import_id, Verdict.HERE, here)
    done = {
        "position": rows[-1].sheet_row,
        "done_rows": imports.c.done_rows + len(rows),
        "touched_at": clock.now(),
    }
    db.execute(sa.update(imports).where(imports.c.import_id == import_id).values(done))
    return len(rows)


def expiry_of_opening(on: date) -> date:
    """Return the first day on which opening points of that day are gone: as many months later."""
    months = on.year * 12 + on.month - 1 + OPENING_MONTHS
    year, month = divmod(months, 12)
    # The day after the last of a shorter month would be the next month's first: 29 February ends on 1 March.
    try:
        return date(year, month + 1, on.day)
    except ValueError:
        return date(year, month + 2, 1)


def _first_of_each(
    rows: Sequence[sa.Row[Any]], people: dict[int, Person], known: dict[str, int]
) -> list[tuple[sa.Row[Any], Person]]:
    """Return the rows of people whom the book doesn't know, of two rows of one person the first."""
    first: dict[str, tuple[sa.Row[Any], Person]] = {}
    for row in rows:
        person = people[row.sheet_row]
        if person.key not in known:
            first.setdefault(person.key, (row, person))
    return list(first.values())


def _post_openings(
    db: Connection,
    roster: sa.Row[Any],
    new: Sequence[tuple[sa.Row[Any], Person]],
    enrolled: Sequence[Enrolled],
) -> None:
    """Post what the old books owed each person, once per resident whatever becomes of the import."""
    book = roster.book_id
    on = clock.local(roster.confirmed_at).date()
    opening = ledger.internal_account(db, book, ledger.AccountKind.OPENING)
    maker, checker = roster.confirmed_by, None
    if ledger.login_of(roster.uploaded_by) != ledger.login_of(roster.confirmed_by):
        maker, checker = roster.uploaded_by, roster.confirmed_by
    points = ledger.Unit.POINTS
    drafts = [
        ledger.Draft(
            book=book,
            kind="opening",
            legs=(
                ledger.Leg(opening, points, -row.opening_points),
                ledger.Leg(resident.account_id, points, row.opening_points, expiry_of_opening(on)),
            ),
            key=f"opening-{resident.resident_id}",
            actor=maker,
            checker=checker,
            branch=person.branch_id,
            source=("resident", str(resident.resident_id)),
            grade=OPENING_GRADE,
            occurred_on=on,
            private={"roster": str(roster.import_id), "row": str(row.sheet_row)},
        )
        for (row, person), resident in zip(new, enrolled, strict=True)
        if row.opening_points
    ]
    for answer in ledger.post_many(db, drafts):
        if isinstance(answer, Exception):
            raise answer


def _next_rows(db: Connection, import_id: int, *, after: int, limit: int) -> list[sa.Row[Any]]:
    rows = residents_import_rows.c
    statement = (
        sa.select(rows.sheet_row, rows.person, rows.opening_points)
        .where(rows.import_id == import_id, rows.verdict == Verdict.TAKE, rows.sheet_row > after)
        .order_by(rows.sheet_row)
        .limit(limit)
    )
    return list(db.execute(statement))


def _mark(db: Connection, import_id: int, verdict: Verdict, rows: Sequence[tuple[int, int]]) -> None:
    """Set the rows' verdict and resident, and let go of what they said: the resident's own row says it."""
    table = residents_import_rows
    statement = (
        sa.update(table)
        .where(table.c.import_id == import_id, table.c.sheet_row == sa.bindparam("at_row"))
        .values(verdict=verdict, resident_id=sa.bindparam("to_resident"), person=None, cells=None)
    )
    db.execute(statement, [{"at_row": row, "to_resident": resident_id} for row, resident_id in rows])


def _move(db: Connection, import_id: int, before: State, after: State, **values: object) -> None:
    """Bring an import from one state to another, or raise ImportNotOpen when it isn't in the first."""
    get_import(db, import_id)
    table = residents_imports
    moved = db.execute(
        sa.update(table)
        .where(table.c.import_id == import_id, table.c.state == before)
        .values(state=after, touched_at=clock.now(), **values)
    )
    if moved.rowcount != 1:
        raise ImportNotOpen()


def _touch(db: Connection, import_id: int) -> None:
    table = residents_imports
    db.execute(sa.update(table).where(table.c.import_id == import_id).values(touched_at=clock.now()))


def _row(import_id: int, verdict: RowVerdict, known_resident: int | None) -> dict[str, object]:
    is_here = known_resident is not None
    first = next(iter(verdict.reasons), None)
    person = None if verdict.values is None or is_here else _as_json(verdict.values)
    return {
        "import_id": import_id,
        "sheet_row": verdict.row_number,
        "verdict": Verdict.HERE if is_here else _VERDICTS[verdict.take],
        "reason_code": first.code if first else None,
        "reason_column": first.column[:COLUMN_MAX] if first and first.column else None,
        "reasons": [[reason.code, reason.column, reason.first_row] for reason in verdict.reasons],
        "cells": None if is_here else list(verdict.cells),
        "person": person,
        "opening_points": verdict.values.opening_points if verdict.values else 0,
        "resident_id": known_resident,
    }


def _key(values: RosterRow) -> str:
    return person_key(values.name, values.phone, values.household, values.born_on)


def _as_json(values: RosterRow) -> dict[str, object]:
    found = asdict(values)
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in found.items()}


def _person(values: dict[str, Any]) -> Person:
    def day(name: str) -> date | None:
        return date.fromisoformat(values[name]) if values[name] else None

    return Person(
        name=values["name"],
        branch_id=values["branch_id"],
        phone=values["phone"],
        household_code=values["household"],
        grid=values["grid"],
        building=values["building"],
        born_on=day("born_on"),
        sex=values["sex"],
        party_member=values["party_member"],
        joined_on=day("joined_on"),
    )
