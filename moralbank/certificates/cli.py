"""Commands about certificates of service."""

from __future__ import annotations

import os

import click

from moralbank.certificates import service
from moralbank.config import database_url
from moralbank.db import Database


@click.group("certificates")
def certificates() -> None:
    """Certificates of volunteer service."""


@certificates.command("rotate-key")
def rotate_key() -> None:
    """Sign certificates with a fresh key from now on; what was issued stays valid, and /v/keys keeps every key."""
    database = Database(database_url(os.environ))
    kid = database.transact(service.rotate_key)
    database.dispose()
    click.echo(f"certificates are signed with key {kid} from now on")


commands = (certificates,)
