"""Commands about residents."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from moralbank.access import queries as access
from moralbank.access.errors import UnknownLogin
from moralbank.access.queries import Principal
from moralbank.branches import queries as branches
from moralbank.branches.errors import UnknownBranch
from moralbank.branches.queries import Branch
from moralbank.config import database_url
from moralbank.db import Database
from moralbank.errors import Forbidden, fill
from moralbank.residents import import_queries, importing, jobs
from moralbank.residents.import_queries import State, Verdict
from moralbank.residents.roster_refused import write_refused

_BYTES_AT_ONCE = 2**20


@click.group("residents")
def residents() -> None:
    """Depositors: who they are and how they come in."""


@residents.command("import-roster")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--branch", "code", required=True, help="Rows may name this branch and those below it, e.g. NS-00.")
@click.option("--as", "login", required=True, help="The staff login in whose name people are enrolled.")
@click.option("--preview", is_flag=True, help="Say what would become of each row, and enrol nobody.")
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the refused rows to this file, with the reason beside each.",
)
def import_roster(file: Path, code: str, login: str, preview: bool, refused: Path | None) -> None:
    """Enrol the people of a roster (.xlsx, or .csv in UTF-8 or GB18030), once however often it is run."""
    database = Database(database_url(os.environ))
    branch, actor = _branch_and_actor(database, code, login)
    with file.open("rb") as stream:
        import_id = jobs.read_roster(database, branch, stream, file.name, actor=actor)
    to_take = _say_verdicts(database, import_id)
    if refused is not None:
        _write_refused(database, import_id, refused)
    if preview or not to_take:
        database.transact(importing.drop_import, import_id)
        click.echo("nobody enrolled")
        return
    _enrol(database, import_id, to_take, actor)


def _enrol(database: Database, import_id: int, to_take: int, actor: str) -> None:
    started = time.monotonic()
    database.transact(importing.confirm_import, import_id, actor=actor)
    with click.progressbar(length=to_take, label="enrolling", show_pos=True) as bar:
        jobs.run_import(database, import_id, bar.update)
    with database.reading() as db:
        done = import_queries.get_import(db, import_id)
        taken = [line for line in import_queries.tally(db, import_id) if line.verdict is Verdict.TAKE]
    if done.state is not State.DONE:
        raise click.ClickException(f"import {import_id} stopped: {done.stopped_by}; the rows before are enrolled")
    rows, points = sum(line.rows for line in taken), sum(line.opening_points for line in taken)
    seconds = time.monotonic() - started
    click.echo(f"enrolled {rows:,} residents with {points:,} opening points in {seconds:.1f} s")


def _say_verdicts(database: Database, import_id: int) -> int:
    """Print the rows per verdict and reason, and return how many are to be enrolled."""
    with database.reading() as db:
        lines = import_queries.tally(db, import_id)
        minors = import_queries.count_awaiting_guardian(db, import_id)
    counts = dict.fromkeys(Verdict, 0)
    for line in lines:
        counts[line.verdict] += line.rows
        if line.reason is not None:
            fields = {"column": line.reason.column, "first_row": "…"}
            click.echo(f"{line.rows:8,}  {line.verdict:6}  {fill(line.reason.template, fields)}")
    click.echo(", ".join(f"{verdict} {count:,}" for verdict, count in counts.items()))
    if minors:
        click.echo(f"{minors:,} of those to take are minors: they earn and spend once a guardian is on record")
    return counts[Verdict.TAKE]


def _write_refused(database: Database, import_id: int, path: Path) -> None:
    with database.reading() as db, path.open("wb") as out:
        roster = import_queries.get_import(db, import_id)
        rows = import_queries.iter_refused(db, import_id)
        with write_refused(rows, roster.file_format, tuple(roster.header)) as stream:
            while part := stream.read(_BYTES_AT_ONCE):
                out.write(part)


def _branch_and_actor(database: Database, code: str, login: str) -> tuple[Branch, str]:
    with database.reading() as db:
        branch = branches.find_branch(db, code)
        if branch is None:
            raise UnknownBranch(branch=code)
        found = access.find_login(db, login)
        if found is None:
            raise UnknownLogin()
        principal: Principal = access.get_principal(db, found.login_id)
    if not principal.covers(branch.path, "staff"):
        raise Forbidden()
    return branch, principal.actor("staff")


commands = (residents,)
