"""API operations on statements."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.access.deeds import Reason
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import get_resident
from moralbank.statements import queries
from moralbank.statements.errors import MonthBeforeBooks, MonthMalformed, MonthToCome, NoAccount
from moralbank.statements.schemas import UNITS, MonthOut, StatementLineOut, StatementOut, UnitQuery
from moralbank.statements.values import Owner, Statement, read_month
from moralbank.web import looking
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow, current, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint(
    "statements", __name__, description="What came, what went and what is left in a month of an account."
)

_MONTH_REFUSALS = (MonthMalformed, MonthToCome, MonthBeforeBooks)


@blueprint.reads("/statements", MonthOut, paged=True, refusals=[NoAccount])
@allow("resident", scope="self", token="statements:read")
def list_own_months(db: Connection, *, page: Paging) -> Page:
    """List the months of one's own account, newest first."""
    return _months(db, _own(db), page)


@blueprint.reads("/statements/<month>", StatementOut, refusals=[NoAccount, *_MONTH_REFUSALS])
@allow("resident", scope="self", token="statements:read")
def get_own_statement(db: Connection, month: str) -> Statement:
    """Show a month (2026-03) of one's own account."""
    return queries.statement(db, _own(db), read_month(month))


@blueprint.reads(
    "/statements/<month>/lines", StatementLineOut, query=UnitQuery, paged=True, refusals=[NoAccount, *_MONTH_REFUSALS]
)
@allow("resident", scope="self", token="statements:read")
def list_own_statement_lines(db: Connection, month: str, *, query: dict[str, Any], page: Paging) -> Page:
    """List the lines of a month of one's own account, oldest first."""
    return _lines(db, _own(db), month, query, page)


@blueprint.reads("/residents/<int:resident_id>/statements", MonthOut, paged=True, refusals=[UnknownResident])
@allow("staff", "auditor", scope="branch", token="statements:read")
def list_resident_months(db: Connection, resident_id: int, *, page: Paging) -> Page:
    """List the months of a resident's account, newest first."""
    return _months(db, _of(db, resident_id), page)


@blueprint.reads(
    "/residents/<int:resident_id>/statements/<month>", StatementOut, refusals=[UnknownResident, *_MONTH_REFUSALS]
)
@allow("staff", "auditor", scope="branch", token="statements:read")
def get_resident_statement(db: Connection, resident_id: int, month: str) -> Statement:
    """Show a month (2026-03) of a resident's account."""
    return queries.statement(db, _of(db, resident_id), read_month(month))


@blueprint.reads(
    "/residents/<int:resident_id>/statements/<month>/lines",
    StatementLineOut,
    query=UnitQuery,
    paged=True,
    refusals=[UnknownResident, *_MONTH_REFUSALS],
)
@allow("staff", "auditor", scope="branch", token="statements:read")
def list_resident_statement_lines(
    db: Connection, resident_id: int, month: str, *, query: dict[str, Any], page: Paging
) -> Page:
    """List the lines of a month of a resident's account, oldest first."""
    return _lines(db, _of(db, resident_id), month, query, page)


def _own(db: Connection) -> Owner:
    resident_id = current().resident_id
    if resident_id is None:
        raise NoAccount()
    return queries.owner_of_resident(db, get_resident(db, resident_id))


def _of(db: Connection, resident_id: int) -> Owner:
    resident = get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_at(resident, Reason.PROGRAM)
    return queries.owner_of_resident(db, resident)


def _months(db: Connection, owner: Owner, page: Paging) -> Page:
    # Newest first: the position of a month is how many months ago year 0 was, counted down.
    return page.cut(queries.list_months(db, owner), lambda one: -(one.month.year * 12 + one.month.month))


def _lines(db: Connection, owner: Owner, month: str, query: dict[str, Any], page: Paging) -> Page:
    found = queries.section_lines(
        db,
        owner,
        read_month(month),
        UNITS[query["unit"]],
        after_number=page.after or 0,
        limit=page.limit + 1,
    )
    return page.of(found, lambda line: line.number)
