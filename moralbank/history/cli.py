"""The command that takes in another system's ledger."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from moralbank.config import database_url
from moralbank.db import Database
from moralbank.history import queries
from moralbank.history.mapping import ColumnMapping, find_mapping, in_batches, read_lines, read_mapping
from moralbank.history.service import BATCH, Outcome, Summary, find_or_open_book, post_lines

SHOWN = 20


@click.command("import-history")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--book", "code", required=True, help="Code of the book to post into; opened when there is none.")
@click.option("--map", "mapping_name", required=True, help="A mapping file (TOML), or the name of a packaged one.")
def import_history(file: Path, code: str, mapping_name: str) -> None:
    """Post another system's ledger from a CSV file, every line of it accounted for.

    What the file's columns and words mean is said in a mapping; moralbank/history/mappings/minsapay-2019.toml is one,
    with a word on each field. A line is posted, or moves nothing (amount 0), or is left out (its type says skip), or
    is refused with its reason. The same file a second time posts nothing new.
    """
    mapping = read_mapping(find_mapping(mapping_name))
    database = Database(database_url(os.environ))
    book = database.transact(find_or_open_book, code, mapping.title)
    summary = run(database, book, mapping, file, is_watched=sys.stderr.isatty())
    with database.reading() as db:
        accounts = queries.count_accounts(db, book)
        total = sum(queries.people_balances(db, book).values())
    _print(summary, mapping, accounts, total)


def run(database: Database, book: int, mapping: ColumnMapping, file: Path, *, is_watched: bool = False) -> Summary:
    """Post the file batch by batch, each in a transaction of its own, and return the figures."""
    summary = Summary()
    with file.open(encoding=mapping.encoding, newline="") as text:
        for batch in in_batches(read_lines(text, mapping), BATCH):
            summary.add(database.transact(post_lines, book, mapping, batch))
            if is_watched:
                click.echo(f"\r{summary.lines:,} lines", nl=False, err=True)
    if is_watched:
        click.echo("\r", nl=False, err=True)
    return summary


def _print(summary: Summary, mapping: ColumnMapping, accounts: dict[str, int], total: int) -> None:
    click.echo(f"{summary.lines:>9,}  lines")
    for outcome in Outcome:
        click.echo(f"{summary.outcomes[outcome]:>9,}  {outcome}")
    for verdict in summary.refused:
        click.echo(f"           line {verdict.line_id}: {verdict.refusal}")
    if mapping.has_balance:
        _print_differences(summary)
    click.echo(f"{accounts.get('person', 0):>9,}  accounts of people")
    click.echo(f"{accounts.get('merchant', 0):>9,}  accounts of merchants")
    click.echo(f"{total:>9,}  points in the accounts of people")


def _print_differences(summary: Summary) -> None:
    agreeing = summary.outcomes[Outcome.POSTED] + summary.outcomes[Outcome.POSTED_BEFORE] - len(summary.differing)
    click.echo(f"{agreeing:>9,}  posted lines with the balance that the file states")
    click.echo(f"{len(summary.differing):>9,}  with another balance")
    others = [verdict for verdict in summary.differing if verdict.person not in summary.refused_people]
    click.echo(f"{len(others):>9,}  of these in accounts without a refused line")
    for verdict in others[:SHOWN]:
        stated, after = verdict.stated_balance, verdict.balance_after
        click.echo(f"           line {verdict.line_id}: the file states {stated}, the book has {after}")


commands = (import_history,)
