"""Commands about the logs: how they stand, a new key, and what becomes of a tree that was not signed."""

from __future__ import annotations

import os

import click

from moralbank import clock, ledger
from moralbank.config import SignerConfig, database_url
from moralbank.db import Database
from moralbank.transparency import queries, service
from moralbank.transparency.signer_memory import Place, Verdict
from moralbank.transparency.signing_keys import KeyFile
from moralbank.transparency.values import Log


@click.group("transparency")
def transparency() -> None:
    """Look after the logs of the books and their signer."""


@transparency.command("status")
def status() -> None:
    """Print how far each log is sealed and signed, its keys, and what was refused."""
    database = Database(database_url(os.environ))
    now = clock.now()
    with database.reading() as db:
        lags = {(lag.book, lag.log): lag for lag in queries.list_lags(db, now, now)}
        for book in ledger.list_books(db):
            for log in Log:
                lag, last = lags[book.code, log], queries.latest_checkpoint(db, book.book_id, log)
                click.echo(
                    f"{book.code} {log.name.lower()}: {queries.find_origin(db, book.book_id, log) or 'unsigned'}"
                )
                click.echo(f"{queries.size(db, book.book_id, log):>14,}  leaves, {lag.waiting:,} wait to be sealed")
                click.echo(f"{last.size if last else 0:>14,}  signed, {lag.unsigned:,} leaves are not")
                for key in queries.verifier_keys(db, book.book_id, log):
                    until = f"until {clock.local(key.valid_until):%Y-%m-%d}" if key.valid_until else "in use"
                    click.echo(f"{'':>14}  {key} ({until})")
        for refusal in queries.list_refusals(db, open_only=True):
            click.echo(f"REFUSED {refusal.refusal_id}: book {refusal.book} {refusal.log.name.lower()}, {refusal.what}")
            click.echo(f"        signed {refusal.signed_size:,}, found {refusal.found_size:,} (docs/OPERATIONS.md)")
    database.dispose()


@transparency.command("rotate-key")
@click.option("--lost", is_flag=True, help="The old key is gone: announce the new one without its signature.")
def rotate_key(lost: bool) -> None:
    """Give the logs a new signing key: the old one signs the announcement, and for thirty days both sign."""
    config = SignerConfig.from_env()
    database = Database(config.database_url)
    rotate = service.replace_lost_key if lost else service.rotate_key
    for handed in rotate(database, KeyFile(config.key)):
        beside = (
            f"the old key signs until {clock.local(handed.until):%Y-%m-%d}" if handed.until else "the old key is lost"
        )
        click.echo(
            f"{handed.key}\n    {beside}\n    every witness: moralbank witness trust PLACE '{handed.key}' --also"
        )
    database.dispose()


@transparency.command("resolve")
@click.argument("number", type=int)
@click.option("--by", required=True, help="Who looked into it.")
@click.option("--reason", required=True, help="What it was, for those who read this later.")
@click.option(
    "--restart", is_flag=True, help="What was lost can't come back: go on under a new name, and say so in a leaf."
)
def resolve(number: int, by: str, reason: str, restart: bool) -> None:
    """Decide about a tree that was not signed, on the signer's own machine; its NUMBER is in `status`."""
    config = SignerConfig.from_env()
    database = Database(config.database_url)
    verdict = Verdict(by=by[:64], reason=reason[:400], restarts=restart)
    found = database.transact(service.resolve_refusal, Place(config.memory), number, verdict)
    click.echo(f"refusal {found.refusal_id} ({found.what}) is decided; the signer looks again at once")
    database.dispose()


commands = (transparency,)
