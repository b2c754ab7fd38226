"""The administrators' page of periodic work."""

from __future__ import annotations

from flask import Blueprint, render_template

from moralbank import clock, findings, ledger, slots
from moralbank.periodic.jobs import JOBS
from moralbank.reports.nightly import name_of
from moralbank.web.auth import allow, principal_or_none
from moralbank.web.db import database

blueprint = Blueprint("periodic", __name__, url_prefix="/admin/jobs")
HISTORY = 40


def count_bad() -> int:
    """Return how much of the nightly work found something bad, for administrators."""
    principal = principal_or_none()
    if principal is None or not principal.has("admin"):
        return 0
    return sum(1 for one in database().look(findings.list_findings) if not one.is_good)


@blueprint.get("")
@allow("admin", scope="branch")
def show_all() -> str:
    """Show every job, how it last went, and the latest slots."""
    with database().reading() as db:
        latest = {run.job: run for run in slots.list_latest(db)}
        works = {work.job: work for work in slots.list_works(db)}
        runs = slots.list_runs(db, None, HISTORY)
        lease = slots.find_lease(db)
        asides = slots.list_asides(db, [job.name for job in JOBS if job.is_long])
        found = findings.list_findings(db)
        books = {name_of(book.book_id): book.name for book in ledger.list_books(db)}
    return render_template(
        "periodic/list.html",
        jobs=JOBS,
        latest=latest,
        works=works,
        runs=runs,
        titles={job.name: job.title for job in JOBS},
        findings=found,
        asides=asides,
        books=books,
        is_running=lease is not None,
        now=clock.now(),
    )
