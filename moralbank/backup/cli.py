"""The commands for the day on which the disk is gone, and for the days before."""

from __future__ import annotations

import os
from pathlib import Path

import click

from moralbank.backup import service
from moralbank.backup.sealed import read_key
from moralbank.backup.service import Restored, Steps
from moralbank.config import database_url, people_keys_path
from moralbank.ledger import Unit

_KEY = click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="A file with at least 32 random characters that only you may read: the backup is encrypted with it.",
)

_PEOPLE = click.option(
    "--people-keys",
    type=click.Path(path_type=Path),
    help="The file of people's keys, people.keys in MORALBANK_VAR if not said. Keep it apart from backups.",
)


@click.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@_KEY
@_PEOPLE
def backup(target: Path, key_file: Path | None, people_keys: Path | None) -> None:
    """Write everything to a new file TARGET, or a file named by the time in the folder TARGET, while the bank works."""
    steps = Steps()
    people = people_keys or people_keys_path(os.environ)
    path = service.back_up(database_url(os.environ), target, _key(key_file), steps, people)
    click.echo(f"{path}  {path.stat().st_size:,} bytes{'' if key_file else ', not encrypted'}")
    _print_steps(steps)


@click.command("restore")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_KEY
@_PEOPLE
def restore(source: Path, key_file: Path | None, people_keys: Path | None) -> None:
    """Restore the backup SOURCE into the empty place that DATABASE_URL names, and verify every book."""
    steps = Steps()
    people = people_keys or people_keys_path(os.environ)
    _print_restored(service.restore(database_url(os.environ), source, _key(key_file), steps, people))
    _print_steps(steps)


@click.command("drill")
@_KEY
def drill(key_file: Path | None) -> None:
    """Back up and restore into a place that is thrown away, verify it, and say how long each step took."""
    steps = Steps()
    _print_restored(service.drill(database_url(os.environ), _key(key_file), steps))
    _print_steps(steps)


def _key(path: Path | None) -> bytes | None:
    return None if path is None else read_key(path)


def _print_restored(restored: Restored) -> None:
    click.echo(f"backup of {restored.header.made_at}, schema {restored.header.revision}")
    for book, report in restored.books:
        points = report.outstanding[Unit.POINTS]
        click.echo(f"book {book.code}: {report.entries:,} entries, {points:,} points outstanding, sound")


def _print_steps(steps: Steps) -> None:
    for name, seconds in steps.seconds.items():
        click.echo(f"{seconds:>9.1f} s  {name}")


commands = (backup, restore, drill)
