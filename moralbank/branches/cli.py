"""Commands about branches."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import click

from moralbank.branches import service
from moralbank.config import database_url
from moralbank.db import Database


@click.group("branches")
def branches() -> None:
    """The tree of places."""


@branches.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(file: Path) -> None:
    """Open the branches of a CSV file (code,name_zh,name_en,kind,parent,address,opening_hours)."""
    database = Database(database_url(os.environ))
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    loaded = database.transact(service.load_branches, rows)
    click.echo(f"{loaded.opened} opened, {loaded.edited} edited, {loaded.unchanged} unchanged")


commands = (branches,)
