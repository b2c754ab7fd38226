"""The commands of periodic work: what there is, how it went, and one by hand."""

from __future__ import annotations

import os
from datetime import timedelta

import click

from moralbank import clock, findings, slots
from moralbank.config import database_url
from moralbank.db import Database
from moralbank.periodic.jobs import JOBS, get_job


@click.group()
def jobs() -> None:
    """The bank's periodic work."""


@jobs.command("list")
def show_all() -> None:
    """List every job with its period and how it last went."""
    database = Database(database_url(os.environ))
    with database.reading() as db:
        latest = {run.job: run for run in slots.list_latest(db)}
        works = {work.job: work for work in slots.list_works(db)}
        lease = slots.find_lease(db)
        found = findings.list_findings(db)
        asides = slots.list_asides(db, [job.name for job in JOBS if job.is_long])
    database.dispose()
    click.echo(f"scheduler: {lease.holder if lease else 'none is running'}")
    for job in JOBS:
        run, work = latest.get(job.name), works.get(job.name)
        slot = f"{clock.local(run.slot_at):%Y-%m-%d %H:%M}" if run else "never"
        state = _state(work, is_gone=job.is_long and job.name not in asides)
        click.echo(f"{job.name:<28}every {_spell(job.every):<8}{slot:<18}{state}")
    for one in found:
        state = "ok" if one.is_good else "BROKEN" if one.name != "backup" else "FAILED"
        click.echo(f"{one.name:<28}{clock.local(one.found_at):%Y-%m-%d %H:%M}  {state}  {one.said}")


@jobs.command("history")
@click.argument("job", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True)
def history(job: str | None, limit: int) -> None:
    """List the latest slots that were run, of JOB or of all."""
    if job is not None:
        get_job(job)
    database = Database(database_url(os.environ))
    with database.reading() as db:
        runs = slots.list_runs(db, job, limit)
    database.dispose()
    for run in runs:
        late = (run.ran_at - run.slot_at).total_seconds()
        slot = clock.local(run.slot_at)
        click.echo(f"{slot:%Y-%m-%d %H:%M:%S}  {run.job:<28}{late:>8.1f} s after its time  epoch {run.epoch}")


@jobs.command("run")
@click.argument("job")
def run(job: str) -> None:
    """Do JOB now, whether it is due or not: every job may be done any number of times."""
    found = get_job(job)
    database = Database(database_url(os.environ))
    with click.progressbar(length=1, label=found.name, show_pos=True) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        did = found.run(slots.ToldDatabase(database, tell))
        bar.update((bar.length or 1) - bar.pos)
    database.dispose()
    click.echo(f"{found.name}: {did if isinstance(did, int) else 'done'}")


def _spell(every: timedelta) -> str:
    seconds = int(every.total_seconds())
    return next(
        f"{seconds // size} {name}"
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
        if not seconds % size
    )


def _state(work: slots.Work | None, *, is_gone: bool) -> str:
    if work is None:
        return ""
    if work.failures:
        return f"failed {work.failures} times: {work.fault}"
    if work.ended_at is None and is_gone:
        return f"was ended at {work.done:,} of {work.total:,}, goes on in its next slot"
    if work.ended_at is None:
        return f"running, {work.done:,} of {work.total:,}"
    return f"ok, {work.seconds:.1f} s" + (f", {work.found:,}" if work.found else "")


commands = (jobs,)
