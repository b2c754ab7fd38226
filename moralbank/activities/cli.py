"""Commands about activities."""

from __future__ import annotations

import os

import click

from moralbank.activities import service
from moralbank.config import database_url
from moralbank.db import Database


@click.group("activities")
def activities() -> None:
    """Announcements, check-in and awards."""


@activities.command("rotate-key")
def rotate_key() -> None:
    """Make QR codes with a new secret from now on. Codes on screens renew themselves, posters stay good."""
    key = Database(database_url(os.environ)).transact(service.rotate_qr_key)
    click.echo(f"key {key.kid} makes the codes from now on")


commands = (activities,)
