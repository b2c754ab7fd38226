"""Commands that check the books and add them up."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access import deeds
from moralbank.access.deeds import Deed, Kind, Reason
from moralbank.config import database_url
from moralbank.db import Database
from moralbank.ledger import Book, Report, Unit
from moralbank.reports import beside, evidence, queries
from moralbank.reports.beside import Besides
from moralbank.reports.errors import UnknownBookCode
from moralbank.reports.evidence import Asked
from moralbank.reports.queries import TrialBalance
from moralbank.transparency.verify import LogReport, verify_all


@click.group("audit")
def audit() -> None:
    """Check the books."""


@audit.command("verify")
@click.option("--book", "code", help="Code of one book; all books when none is named.")
def verify(code: str | None) -> None:
    """Recompute every invariant from the rows and the leaf bytes; status 1 when anything is broken."""
    database = Database(database_url(os.environ))
    broken = 0
    with database.reading() as db:
        for book in _books(db, code):
            report = ledger.verify(db, book.book_id, _progress if sys.stderr.isatty() else None)
            _print_report(book, report)
            logs = verify_all(db, book.book_id)
            for log in logs:
                _print_log(log)
            besides = beside.verify(db, book.book_id)
            _print_besides(besides)
            broken += not (report.is_sound and all(log.is_sound for log in logs) and not besides.faults)
    if broken:
        sys.exit(1)


@audit.command("trial-balance")
@click.option("--book", "code", help="Code of one book; all books when none is named.")
@click.option("--at", "at", help="A past instant (2026-11-21T14:30, on the bank's clock unless it says otherwise).")
def trial_balance(code: str | None, at: str | None) -> None:
    """Print what every kind of account got and gave, and whether it closes; status 1 when it does not."""
    instant = None if at is None else _instant(at)
    database = Database(database_url(os.environ))
    open_books = 0
    with database.reading() as db:
        for book in _books(db, code):
            trial = queries.trial_balance(db, book.book_id, instant)
            _print_trial(book, trial)
            open_books += not trial.closes
    if open_books:
        sys.exit(1)


@audit.command("export")
@click.option("--book", "code", required=True, help="Code of the book.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Only what came after the last checkpoint before a day."
)
@click.option("--with-openings", is_flag=True, help="With memos, places and evidence, which the leaves only commit to.")
@click.option("--by", "actor", default="admin:cli", show_default=True, help="Whose deed the record of deeds calls it.")
@click.argument("target", type=click.Path(path_type=Path))
def export(code: str, since: datetime | None, with_openings: bool, actor: str, target: Path) -> None:
    """Write a book to a new file TARGET that strangers check offline with the verifier in it (docs/VERIFY.md)."""
    database = Database(database_url(os.environ))
    asked = Asked(since.date() if since else None, with_openings)
    with database.reading() as db:
        [book] = _books(db, code)
        leaves = evidence.check(db, book, asked)
    about = "book:openings" if with_openings else "book"
    database.transact(deeds.record, Deed(actor, Kind.EXPORT, book_id=book.book_id, reason=Reason.WORK, about=about))
    size = evidence.write(database, book, asked, target, _progress if sys.stderr.isatty() else lambda _: None)
    click.echo(f"{target}  {size:,} bytes, {leaves:,} leaves")


def _books(db: Connection, code: str | None) -> list[Book]:
    books = [book for book in ledger.list_books(db) if code in (None, book.code)]
    if code is not None and not books:
        raise UnknownBookCode(book=code)
    return books


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write it as 2026-11-21T14:30", param_hint="--at") from None
    at = at if at.tzinfo else at.replace(tzinfo=clock.TIMEZONE)
    if at > clock.now():
        raise click.BadParameter("it is still to come", param_hint="--at")
    return at


def _progress(entries: int) -> None:
    click.echo(f"\r{entries:,} entries", nl=False, err=True)


def _print_report(book: Book, report: Report) -> None:
    if sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    click.echo(f"book {book.code} ({book.name})")
    figures = (
        (report.entries, f"entries, the last of them number {report.last_seq:,}"),
        (report.postings, "postings"),
        (report.accounts, "accounts"),
        (report.keys, "keys"),
        (report.private_parts, "private parts"),
        (report.reversals, "reversals"),
    )
    for figure, what in figures:
        click.echo(f"{figure:>14,}  {what}")
    for unit in Unit:
        name = unit.name.lower()
        click.echo(f"{report.outstanding[unit]:>14,}  {name} outstanding, all legs sum to {report.sums[unit]:,}")
    if report.is_sound:
        click.echo(f"{'sound':>14}  nothing is broken")
        return
    click.echo(f"{'BROKEN':>14}  {report.first_fault}")
    for fault in report.faults:
        if fault is not report.first_fault:
            click.echo(f"{'':>14}  {fault}")


def _print_log(report: LogReport) -> None:
    name = report.log.name.lower()
    click.echo(
        f"{report.leaves:>14,}  leaves in the {name} log, {report.tiles:,} tiles, {report.checkpoints:,} checkpoints; "
        f"{report.waiting:,} wait to be sealed"
    )
    for place, fault in enumerate(report.faults):
        click.echo(f"{'' if place else 'BROKEN':>14}  {fault}")


def _print_besides(found: Besides) -> None:
    click.echo(
        f"{found.deeds:>14,}  deeds, {found.requests:,} approvals, {found.settlements:,} settlements and "
        f"{found.days:,} sealed days held against their leaves"
    )
    for place, fault in enumerate(found.faults):
        click.echo(f"{'' if place else 'BROKEN':>14}  {fault}")


def _print_trial(book: Book, trial: TrialBalance) -> None:
    click.echo(f"book {book.code} ({book.name}), {clock.local(trial.as_of):%Y-%m-%d %H:%M:%S}")
    rule = "-" * 76
    for unit in Unit:
        rows = [row for row in trial.rows if row.unit is unit]
        click.echo(rule)
        click.echo(f"{unit.name.lower():<12}{'accounts':>10}{'credit':>18}{'debit':>18}{'balance':>18}")
        click.echo(rule)
        for row in rows:
            click.echo(f"{row.kind:<12}{row.accounts:>10,}{row.credit:>18,}{row.debit:>18,}{row.balance:>18,}")
        credit, debit = sum(row.credit for row in rows), sum(row.debit for row in rows)
        click.echo(rule)
        click.echo(f"{'':<12}{sum(row.accounts for row in rows):>10,}{credit:>18,}{debit:>18,}{trial.total(unit):>18,}")
    click.echo("it closes" if trial.closes else "IT DOES NOT CLOSE")


commands = (audit,)
