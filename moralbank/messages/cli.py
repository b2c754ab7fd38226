"""The commands of messages: what waits, what failed, and once more."""

from __future__ import annotations

import os
from collections.abc import Collection

import click

from moralbank import clock
from moralbank.config import MessagesConfig, database_url
from moralbank.db import Database
from moralbank.messages import queries, service
from moralbank.messages.queries import STATES, STUCK

_LIMIT = click.option("--limit", type=click.IntRange(1, queries.LIST_MAX), default=50, show_default=True)


@click.group()
def messages() -> None:
    """What the bank tells people, and how it went on its way."""


@messages.command("show")
def show() -> None:
    """Print which ways there are, and how many deliveries are in each state."""
    config = MessagesConfig.from_env()
    click.echo(f"email: {config.smtp_host or 'not set up (SMTP_HOST)'}")
    for channel in ("sms", "wechat"):
        is_there = channel in config.gateway_channels
        click.echo(f"{channel}: {config.gateway_url if is_there else 'not set up (GATEWAY_URL)'}")
    click.echo(f"quiet hours: {config.quiet_hours}")
    database = Database(database_url(os.environ))
    with database.reading() as db:
        counts = queries.count_deliveries(db)
    database.dispose()
    for state in STATES:
        click.echo(f"{state:<9}{counts[state]:>9,}")


@messages.command("waiting")
@_LIMIT
def waiting(limit: int) -> None:
    """List what is yet to be sent."""
    _list(("waiting", "sending"), limit)


@messages.command("failed")
@_LIMIT
def failed(limit: int) -> None:
    """List what was given up, and what may not have arrived."""
    _list(STUCK, limit)


@messages.command("retry")
@click.argument("delivery_ids", nargs=-1, type=click.IntRange(1), required=True)
def retry(delivery_ids: tuple[int, ...]) -> None:
    """Send again what failed, by number."""
    database = Database(database_url(os.environ))
    for delivery_id in delivery_ids:
        delivery = database.transact(service.retry, delivery_id)
        click.echo(f"{delivery_id}  {delivery.channel}  {delivery.state}")
    database.dispose()


def _list(states: Collection[str], limit: int) -> None:
    database = Database(database_url(os.environ))
    with database.reading() as db:
        found = queries.list_deliveries(db, states=states, limit=limit)
    database.dispose()
    for one in found:
        ids = (("resident", one.resident_id), ("merchant", one.merchant_id), ("login", one.login_id))
        who = next(f"{what} {number}" for what, number in ids if number)
        at = f"{clock.local(one.next_at):%Y-%m-%d %H:%M}"
        told = f"{one.delivery_id:>8}  {one.state:<8}{one.channel:<7}{one.kind:<17}{who:<16}"
        click.echo(f"{told} tries {one.tries}  next {at}  {one.fault or ''}".rstrip())
    click.echo(f"{len(found)} deliveries")


commands = (messages,)
