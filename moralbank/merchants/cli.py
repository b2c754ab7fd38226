"""Commands about merchants."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import click

from moralbank.config import database_url
from moralbank.db import Database
from moralbank.merchants import service


@click.group("merchants")
def merchants() -> None:
    """Partner merchants and their offers."""


@merchants.command("load")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def load(directory: Path) -> None:
    """Take in merchants.csv and offers.csv of a directory; what is there already stays as it is."""
    database = Database(database_url(os.environ))
    rows = [read(directory / name) for name in ("merchants.csv", "offers.csv")]
    loaded = database.transact(service.load_files, *rows)
    click.echo(f"{loaded.merchants} merchants, {loaded.offers} offers, {loaded.present} already present")


def read(path: Path) -> list[Mapping[str, str]]:
    """Return the rows of a CSV file in UTF-8, with or without a byte order mark."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


commands = (merchants,)
