"""The audit page of evidence: how well each branch's awards are proven, and how many of them were entered late."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template

from moralbank import clock
from moralbank.activities.late_queries import Grades, grades_of, list_late_entries, month_end, month_of
from moralbank.errors import Invalid
from moralbank.ledger import GRADES
from moralbank.reports import queries
from moralbank.reports.schemas import GradePage
from moralbank.reports.views import read_query
from moralbank.web.auth import allow, scope_paths
from moralbank.web.db import database

blueprint = Blueprint("grades", __name__, url_prefix="/audit/grades")

#: Months to choose from, the present one first.
MONTHS = 13
LATE_SHOWN = 100


@blueprint.get("")
@allow("staff", "auditor", scope="book")
def show() -> str | tuple[str, int]:
    """Show how many people each branch credited in a month's sessions, by evidence grade, and the late entries."""
    asked, errors = read_query(GradePage)
    month = month_of(asked["month"] or clock.today())
    with database().reading() as db:
        reaches = queries.list_reaches(db, scope_paths())
        reach = queries.choose(reaches, asked["book"])
        places = [branch for branch in reach.branches if branch.book_id == reach.book.book_id]
        found = grades_of(db, [branch.branch_id for branch in places], month, month_end(month))
        late = [
            one
            for one in list_late_entries(db, [branch.path for branch in places], limit=LATE_SHOWN)
            if one.month == month
        ]
    page = render_template(
        "reports/grades.html", reaches=reaches, reach=reach, errors=errors, month=month, months=_months(),
        places={branch.branch_id: branch for branch in places}, found=found, total=_total(found),
        grades=sorted(GRADES), late=late,
    )  # fmt: skip
    return (page, Invalid.status) if errors else page


def _months() -> list[str]:
    """Return the months to choose from, as the form sends them."""
    found, month = [], month_of(clock.today())
    for _ in range(MONTHS):
        found.append(f"{month:%Y-%m}")
        month = month_of(month - timedelta(days=1))
    return found


def _total(found: list[Grades]) -> Grades:
    counts: dict[str, int] = {}
    for one in found:
        for grade, count in one.counts.items():
            counts[grade] = counts.get(grade, 0) + count
    return Grades(0, counts)
