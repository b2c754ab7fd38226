"""Commands about access: the table of who may use what, and a way back in for a locked-out administrator."""

from __future__ import annotations

import os

import click

from moralbank.access import queries, service
from moralbank.access.errors import UnknownLogin
from moralbank.config import Config, database_url
from moralbank.db import Database

_HEAD = """# Who may use what

Written by `moralbank access table`. Each view says its own line; a view that says nothing is refused, and a test walks
all of them as everybody, with things of one's own branch and of others. An administrator does everything that staff
does; an auditor's role never opens a change, save of their own (scope self). Pages take sessions, the API takes bearer
tokens that have the scope.
"""


@click.group("access")
def access() -> None:
    """Logins and what they may do."""


@access.command("table")
def table() -> None:
    """Print every route with who may use it: moralbank access table > docs/AUTHORISATION.md."""
    from moralbank.app import create_app
    from moralbank.web.auth import authorisation_table

    # The routes are the same whatever the database holds, and listing them opens none.
    app = create_app(Config(f"sqlite:///{os.devnull}", "x" * 32, "http://localhost", production=False, debug=False))
    click.echo(_HEAD)
    click.echo("| path | method | roles | scope | token scope |\n|---|---|---|---|---|")
    for row in authorisation_table(app):
        click.echo("| `{}` | {} | {} | {} | {} |".format(*row))


@access.command("reset")
@click.argument("name")
def reset(name: str) -> None:
    """Give the login NAME a new first secret, print it once, and end its sessions."""
    database = Database(database_url(os.environ))
    with database.reading() as db:
        login = queries.find_login(db, name)
    if login is None:
        raise UnknownLogin()
    click.echo(database.transact(service.reset_secret, login.login_id, by=None))


commands = (access,)
