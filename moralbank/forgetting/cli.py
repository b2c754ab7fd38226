"""The command that finishes what forgetting somebody began, where the scheduler's login may not."""

from __future__ import annotations

import os
from pathlib import Path

import click

from moralbank.config import database_url, people_keys_path
from moralbank.db import Database
from moralbank.forgetting import jobs, queries


@click.command("sweep")
@click.option("--people-keys", type=click.Path(path_type=Path), help="The file of people's keys.")
def sweep(people_keys: Path | None) -> None:
    """Rid the database's files, and backups by their keys, of everybody who was forgotten. At once, also by day."""
    database = Database(database_url(os.environ))
    done = jobs.sweep(database, people_keys or people_keys_path(os.environ), at_once=True)
    with database.reading() as db:
        left = queries.list_unswept(db)
    click.echo(f"{done} finished, {len(left)} left")
    for request in left:
        steps = {"files": request.swept_at, "keys": request.keys_destroyed_at}
        missing = [name for name, done_at in steps.items() if done_at is None]
        click.echo(f"request {request.request_id}: {' and '.join(missing)}")
    database.dispose()
    if left:
        raise SystemExit(1)


commands = (sweep,)
