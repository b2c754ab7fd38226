"""Commands about statements."""

from __future__ import annotations

import os
import sys

import click

from moralbank import ledger
from moralbank.config import database_url
from moralbank.db import Database
from moralbank.statements import issued, service
from moralbank.statements.errors import IssuedDiffers
from moralbank.statements.periods import read_period


@click.group("statements")
def statements() -> None:
    """Statements that were issued. (Issuing is the job statements.issue_periods.)"""


@statements.command("list")
def show_all() -> None:
    """List the periods that are issued or on the way, with how many statements and lines they have."""
    database = Database(database_url(os.environ))
    with database.reading() as db:
        for book in ledger.list_books(db):
            for run in service.list_runs(db, book.book_id):
                state = "issued" if run.is_ended else f"as far as account {run.through_account}"
                click.echo(
                    f"{book.code}  {run.period.name:<8}{run.statements:>10} statements{run.lines:>12} lines  {state}"
                )
    database.dispose()


@statements.command("verify")
@click.option("--book", "code", required=True, help="the book's code")
@click.argument("period")
def verify(code: str, period: str) -> None:
    """Make every statement of PERIOD (2026-03, 2026-Q1, 2026) again; status 1 when one is not what was issued."""
    asked = read_period(period)
    database = Database(database_url(os.environ))
    checked = 0
    with database.reading() as db:
        book = next((book.book_id for book in ledger.list_books(db) if book.code == code), None)
        if book is None:
            raise ledger.UnknownBook(book=code)
        try:
            for one in issued.stream_issued(db, book, asked):
                issued.check(db, one)
                checked += 1
        except IssuedDiffers as refusal:
            sys.exit(f"moralbank: {refusal}")
    database.dispose()
    click.echo(f"{checked} statements of {asked.name} are what was issued")


commands = (statements,)
