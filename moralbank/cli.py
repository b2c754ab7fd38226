"""The `moralbank` command: migrations, and one group of commands per package."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click
from sqlalchemy.exc import OperationalError

from moralbank import schema, startup
from moralbank.config import database_url, is_production
from moralbank.db import Database
from moralbank.errors import MoralBankError

#: Modules with a click `group`, or a single `command`.
GROUPS = (
    "moralbank.transparency.cli",
    "moralbank.branches.cli",
    "moralbank.access.cli",
    "moralbank.logbook.cli",
    "moralbank.messages.cli",
    "moralbank.residents.cli",
    "moralbank.activities.cli",
    "moralbank.merchants.cli",
    "moralbank.certificates.cli",
    "moralbank.statements.cli",
    "moralbank.reports.cli",
    "moralbank.history.cli",
    "moralbank.forgetting.cli",
    "moralbank.periodic.cli",
    "moralbank.backup.cli",
    "moralbank.demo.cli",
)


@click.group()
def cli() -> None:
    """The volunteer-points bank's command line. DATABASE_URL names the database (default: var/moralbank.db)."""


@cli.command()
def migrate() -> None:
    """Bring the database's schema to the newest revision."""
    schema.migrate(database_url(os.environ))


@cli.command()
def check() -> None:
    """Look at everything that the service looks at before it starts; status 1 when it should not start."""
    database = Database(database_url(os.environ))
    found = startup.look(database)
    database.dispose()
    for name, finding in found.items():
        click.echo(f"{name:<12}{finding or 'ok'}")
    if startup.failing(found, production=is_production()):
        sys.exit(1)


for name in GROUPS:
    for command in import_module(name).commands:
        cli.add_command(command)


def main() -> None:
    """Run the command line; an expected refusal, or no database, is one line on standard error and exit status 1."""
    try:
        cli()
    except MoralBankError as error:
        sys.exit(f"moralbank: {error}")
    except OperationalError as error:
        sys.exit(f"moralbank: no database (DATABASE_URL or MORALBANK_VAR names it): {error.orig}")


if __name__ == "__main__":
    main()
