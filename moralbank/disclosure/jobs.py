"""What the scheduler does for public notices; it may run any number of times."""

from __future__ import annotations

from moralbank import clock, slots
from moralbank.branches.queries import list_branches
from moralbank.db import Database
from moralbank.disclosure import queries, service
from moralbank.disclosure.errors import BeforeTheBooks, NoticePublished, PeriodNotOver
from moralbank.disclosure.values import Kind, period_before
from moralbank.objections import service as objections
from moralbank.objections.errors import ObjectionsOpen

PAGE = 100


def draft_due(database: Database) -> int:
    """Draft last month's totals and last quarter's list of every branch with a book; return how many were new."""
    with database.reading() as db:
        branches = [branch for branch in list_branches(db) if branch.book_id is not None]
    work = [(branch.branch_id, kind) for branch in branches for kind in Kind]
    drafted = 0
    for done, (branch_id, kind) in enumerate(work):
        slots.tell(database, done, len(work))
        period = period_before(kind, clock.today())
        with database.reading() as db:
            if queries.find_standing(db, branch_id, kind, period.since_on) is not None:
                continue
        try:
            database.transact(service.draft, branch_id, kind, period, actor=service.SYSTEM)
            drafted += 1
        except (PeriodNotOver, BeforeTheBooks, NoticePublished):
            continue
    return drafted


def close_over(database: Database) -> int:
    """Close notices whose time is over, unless somebody waits for an answer; return how many."""
    with database.reading() as db:
        over = queries.list_over(db, PAGE)
    closed = 0
    for notice_id in over:
        try:
            database.transact(service.close, notice_id, actor=service.SYSTEM)
            closed += 1
        except ObjectionsOpen:
            continue
    database.transact(objections.forget_contacts)
    return closed
