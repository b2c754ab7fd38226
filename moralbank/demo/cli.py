"""Commands about the demonstration."""

from __future__ import annotations

import os

import click

from moralbank import demo as district
from moralbank.config import database_url
from moralbank.db import Database


@click.group("demo")
def demo() -> None:
    """The demonstration district."""


@demo.command("load")
def load() -> None:
    """Fill an empty bank with a believable district and print its logins; a second time only prints them."""
    database = Database(database_url(os.environ))
    district.load(database)
    click.echo(district.card(database))


commands = (demo,)
