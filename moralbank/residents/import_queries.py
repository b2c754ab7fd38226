"""Reads of rosters on their way in: what waits, what the preview counts, which rows were refused and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.residents.errors import UnknownImport
from moralbank.residents.models import residents_import_rows, residents_imports, residents_residents
from moralbank.residents.queries import without_guardian
from moralbank.residents.roster_verdicts import Reason, RowVerdict, Take
from moralbank.residents.values import adult_since

LIST_LIMIT = 50


class State(StrEnum):
    READING = "reading"
    PREVIEW = "preview"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    DROPPED = "dropped"


class Verdict(StrEnum):
    """TAKE: to be enrolled, or enrolled by this import. HERE: the book knew the person before."""

    TAKE = "take"
    HERE = "here"
    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Import:
    """A roster on its way in, and how far it has come."""

    import_id: int
    book_id: int
    branch_id: int
    file_name: str
    file_format: str
    header: list[str]
    state: State
    uploaded_by: str
    uploaded_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None
    finished_at: datetime | None
    touched_at: datetime
    done_rows: int
    stopped_by: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows have one verdict for one reason, and the opening points they bring."""

    verdict: Verdict
    reason: Reason | None
    rows: int
    opening_points: int


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row of the sheet with its verdict."""

    sheet_row: int
    verdict: Verdict
    reasons: tuple[Reason, ...]
    cells: list[str] | None
    opening_points: int
    resident_id: int | None


_I = residents_imports.c
_IMPORT_COLUMNS = [_I[name] for name in Import.__dataclass_fields__]
_W = residents_import_rows.c
_ROW_COLUMNS = [_W[name] for name in ImportRow.__dataclass_fields__]


def get_import(db: Connection, import_id: int) -> Import:
    """Return the import, or raise UnknownImport."""
    row = db.execute(sa.select(*_IMPORT_COLUMNS).where(_I.import_id == import_id)).one_or_none()
    if row is None:
        raise UnknownImport()
    return _import(row)


def list_imports(db: Connection, branch_ids: Collection[int], *, limit: int = LIST_LIMIT) -> list[Import]:
    """List the imports of the branches, newest first, without those that were given up."""
    statement = sa.select(*_IMPORT_COLUMNS).where(_I.branch_id.in_(branch_ids), _I.state != State.DROPPED)
    return [_import(row) for row in db.execute(statement.order_by(_I.import_id.desc()).limit(limit))]


def list_quiet(db: Connection, states: Collection[State], before: datetime) -> list[int]:
    """List imports in one of the states that nobody has touched since an instant."""
    statement = sa.select(_I.import_id).where(_I.state.in_(states), _I.touched_at < before)
    return list(db.execute(statement.order_by(_I.import_id).limit(LIST_LIMIT)).scalars())


def tally(db: Connection, import_id: int) -> list[Tally]:
    """Count the rows of an import by verdict and reason, the commonest first."""
    rows = sa.func.count()
    statement = (
        sa.select(_W.verdict, _W.reason_code, _W.reason_column, rows, sa.func.sum(_W.opening_points))
        .where(_W.import_id == import_id)
        .group_by(_W.verdict, _W.reason_code, _W.reason_column)
        .order_by(rows.desc(), _W.reason_code, _W.reason_column)
    )
    return [
        Tally(Verdict(verdict), Reason(code, column) if code else None, count, int(points))
        for verdict, code, column, count, points in db.execute(statement)
    ]


def count_awaiting_guardian(db: Connection, import_id: int) -> int:
    """Count the minors among the rows to take: a roster names no guardian, so somebody has to ask theirs.

    Who was enrolled by the import counts until a guardian is on record.
    """
    mine = (_W.import_id == import_id, _W.verdict == Verdict.TAKE)
    to_come = sa.select(sa.func.count()).where(
        *mine, _W.resident_id.is_(None), _W.person["born_on"].as_string() > adult_since(clock.today()).isoformat()
    )
    enrolled = sa.select(sa.func.count()).where(
        *mine, _W.resident_id == residents_residents.c.resident_id, without_guardian()
    )
    return db.execute(to_come).scalar_one() + db.execute(enrolled).scalar_one()


def list_rows(
    db: Connection, import_id: int, *, verdict: Verdict | None = None, after_row: int = 0, limit: int = 50
) -> list[ImportRow]:
    """List rows of an import in the order of the sheet."""
    statement = sa.select(*_ROW_COLUMNS).where(_W.import_id == import_id, _W.sheet_row > after_row)
    if verdict is not None:
        statement = statement.where(_W.verdict == verdict)
    return [_row(row) for row in db.execute(statement.order_by(_W.sheet_row).limit(limit))]


def iter_refused(db: Connection, import_id: int) -> Iterator[RowVerdict]:
    """Give the refused rows as the reader gave them, in the order of the sheet and in bounded memory."""
    after_row = 0
    while rows := list_rows(db, import_id, verdict=Verdict.REFUSE, after_row=after_row, limit=500):
        for row in rows:
            yield RowVerdict(row.sheet_row, Take.REFUSE, tuple(row.cells or ()), reasons=row.reasons)
        after_row = rows[-1].sheet_row


def _import(row: sa.Row[tuple[object, ...]]) -> Import:
    return Import(**{**row._mapping, "state": State(row.state)})


def _row(row: sa.Row[tuple[object, ...]]) -> ImportRow:
    reasons = tuple(Reason(code, column, first_row) for code, column, first_row in row.reasons)
    changes = {"verdict": Verdict(row.verdict), "reasons": reasons}
    return ImportRow(**{**row._mapping, **changes})
