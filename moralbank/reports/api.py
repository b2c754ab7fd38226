"""API operations on the books, for staff and auditors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.access import deed_queries
from moralbank.access.errors import OutOfScope
from moralbank.activities import late_queries
from moralbank.ledger import BadDraft, Entry, PostedLeg, TrialRow, UnknownAccount, UnknownEntry
from moralbank.reports import queries
from moralbank.reports.errors import UnknownBookCode, UnknownHolder, WholeBookOnly
from moralbank.reports.queries import Reach
from moralbank.reports.schemas import (
    UNITS,
    BalanceOut,
    BalanceQuery,
    BookOut,
    DeedOut,
    DeedQuery,
    EntryOut,
    EntryQuery,
    GradeQuery,
    GradesOut,
    LineOut,
    LinesQuery,
    TrialOut,
    TrialQuery,
)
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow, scope_paths
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("audit", __name__, description="Every entry, account and sum of the books in reach.")


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry as the API shows it."""

    book_code: str
    entry_id: UUID
    seq: int
    kind: str
    actor: str
    checker: str | None
    branch: int | None
    source_text: str | None
    rule_code: str | None
    rule_version: int | None
    grade: str | None
    occurred_on: date
    posted_at: datetime
    reverses: UUID | None
    reversed_by: UUID | None
    legs: tuple[PostedLeg, ...]
    leaf: str
    leaf_hash: str


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial balance as the API shows it."""

    book: str
    as_of: datetime
    closes: bool
    rows: tuple[TrialRow, ...]


@dataclass(frozen=True, slots=True)
class BalanceView:
    """A balance as the API shows it."""

    account: int
    unit: str
    balance: int
    n: int
    as_of: datetime


@blueprint.reads("/books", BookOut, paged=True)
@allow("staff", "auditor", scope="book", token="audit:read")
def list_books(db: Connection, *, page: Paging) -> Page:
    """List the books that the token reaches, by code."""
    return page.cut(sorted(_reaches(db), key=_by_code), _by_code)


@blueprint.reads(
    "/entries", EntryOut, query=EntryQuery, paged=True, refusals=[UnknownBookCode, OutOfScope, UnknownHolder]
)
@allow("staff", "auditor", scope="book", token="audit:read")
def list_entries(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List entries of a book, newest first."""
    reach = queries.choose(_reaches(db), query["book"])
    which = queries.entry_filter(db, reach, query)
    found = ledger.list_entries(db, reach.book.book_id, which, before_seq=page.after, limit=page.limit + 1)
    return page.of([_view(reach, entry) for entry in found], lambda entry: entry.seq)


@blueprint.reads("/entries/<book>/<uuid:entry_id>", EntryOut, refusals=[UnknownBookCode, UnknownEntry, OutOfScope])
@allow("staff", "auditor", scope="book", token="audit:read")
def get_entry(db: Connection, book: str, entry_id: UUID) -> EntryView:
    """Show one entry, its legs and its leaf as stored."""
    reach = queries.choose(_reaches(db), book)
    entry = ledger.get_entry(db, reach.book.book_id, entry_id)
    if not reach.covers(entry.branch):
        raise OutOfScope()
    return _view(reach, entry)


@blueprint.reads("/trial-balance", TrialOut, query=TrialQuery, refusals=[UnknownBookCode, WholeBookOnly, BadDraft])
@allow("staff", "auditor", scope="book", token="audit:read")
def get_trial_balance(db: Connection, *, query: dict[str, Any]) -> TrialView:
    """Show what every kind of account got and gave, now or until a past instant."""
    reach = queries.whole(queries.choose(_reaches(db), query["book"]))
    trial = queries.trial_balance(db, reach.book.book_id, query["at"])
    return TrialView(reach.book.code, trial.as_of, trial.closes, trial.rows)


@blueprint.reads(
    "/accounts/<int:account>/balance", BalanceOut, query=BalanceQuery, refusals=[UnknownAccount, OutOfScope, BadDraft]
)
@allow("staff", "auditor", scope="book", token="audit:read")
def get_account_balance(db: Connection, account: int, *, query: dict[str, Any]) -> BalanceView:
    """Show an account's balance, now or at a past instant."""
    book = queries.book_in_reach(db, scope_paths(), account)
    found = ledger.balance(db, book, account, UNITS[query["unit"]], query["at"])
    return BalanceView(account, query["unit"], found.balance, found.n, found.as_of)


@blueprint.reads(
    "/accounts/<int:account>/lines", LineOut, query=LinesQuery, paged=True, refusals=[UnknownAccount, OutOfScope]
)
@allow("staff", "auditor", scope="book", token="audit:read")
def list_account_lines(db: Connection, account: int, *, query: dict[str, Any], page: Paging) -> Page:
    """List an account's lines, newest first."""
    book = queries.book_in_reach(db, scope_paths(), account)
    found = ledger.history(db, book, account, UNITS[query["unit"]], before_seq=page.after, limit=page.limit + 1)
    if not found and ledger.find_account(db, book, account) is None:
        raise UnknownAccount(account=account)
    return page.of(found, lambda line: line.seq)


@blueprint.reads("/evidence-grades", GradesOut, query=GradeQuery, paged=True, refusals=[UnknownBookCode])
@allow("staff", "auditor", scope="book", token="audit:read")
def list_grades(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List by branch how many people a month's sessions credited, by evidence grade, and the share entered late."""
    reach = queries.choose(_reaches(db), query["book"])
    month = late_queries.month_of(query["month"] or clock.today())
    ids = [branch.branch_id for branch in reach.branches if branch.book_id == reach.book.book_id]
    found = late_queries.grades_of(db, ids, month, late_queries.month_end(month))
    return page.cut(found, key=lambda one: one.branch_id)


@blueprint.reads("/deeds", DeedOut, query=DeedQuery, paged=True, refusals=[UnknownBookCode, UnknownHolder])
@allow("auditor", "admin", scope="book", token="audit:read")
def list_deeds(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List what was done and seen in a book, by whom and why, newest first."""
    reach = queries.choose(_reaches(db), query["book"])
    which = queries.deed_filter(db, reach, query)
    found = deed_queries.list_deeds(db, reach.book.book_id, which, before_id=page.after, limit=page.limit + 1)
    return page.of(found, lambda deed: deed.deed_id)


def _reaches(db: Connection) -> list[Reach]:
    return queries.list_reaches(db, scope_paths())


def _by_code(reach: Reach) -> str:
    return reach.code


def _view(reach: Reach, entry: Entry) -> EntryView:
    rule_code, rule_version = entry.rule or (None, None)
    return EntryView(
        book_code=reach.code,
        entry_id=entry.entry_id,
        seq=entry.seq,
        kind=entry.kind,
        actor=entry.actor,
        checker=entry.checker,
        branch=entry.branch,
        source_text=":".join(entry.source) if entry.source else None,
        rule_code=rule_code,
        rule_version=rule_version,
        grade=entry.grade,
        occurred_on=entry.occurred_on,
        posted_at=entry.posted_at,
        reverses=entry.reverses,
        reversed_by=entry.reversed_by,
        legs=entry.legs,
        leaf=bytes(entry.leaf_bytes).decode(),
        leaf_hash=ledger.leaf_hash(entry.leaf_bytes),
    )
