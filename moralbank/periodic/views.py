"""The administrators' page of periodic work."""

from __future__ import annotations

from flask import Blueprint, render_template

from moralbank import clock, slots
from moralbank.periodic.jobs import JOBS
from moralbank.web.auth import allow
from moralbank.web.db import database

blueprint = Blueprint("periodic", __name__, url_prefix="/admin/jobs")
HISTORY = 40


@blueprint.get("")
@allow("admin", scope="branch")
def show_all() -> str:
    """Show every job, how it last went, and the latest slots."""
    with database().reading() as db:
        latest = {run.job: run for run in slots.list_latest(db)}
        works = {work.job: work for work in slots.list_works(db)}
        runs = slots.list_runs(db, None, HISTORY)
        lease = slots.find_lease(db)
    return render_template(
        "periodic/list.html",
        jobs=JOBS,
        latest=latest,
        works=works,
        runs=runs,
        titles={job.name: job.title for job in JOBS},
        is_running=lease is not None,
        now=clock.now(),
    )
