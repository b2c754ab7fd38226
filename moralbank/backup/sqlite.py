"""SQLite's part: a copy of the file as one snapshot while others write; a file put in its place once it is sound."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ids, schema
from moralbank.backup import sealing
from moralbank.backup.errors import NothingToBackUp, PlaceNotEmpty, RestoredUnsound
from moralbank.backup.people import FORGOTTEN, PeopleKeys
from moralbank.backup.sealed import SealedReader, SealedWriter
from moralbank.db import Database

NAME = "sqlite"
FAULTS = (OSError, sqlite3.Error, sa.exc.DBAPIError)
_READ = 1 << 20


def _path(url: str) -> Path:
    return Path(sa.make_url(url).database or "")


@contextmanager
def snapshot(url: str) -> Iterator[Path]:
    """Copy the database as it stands at one instant, beside itself, and give the copy's path for as long as it is used.

    The copy holds nothing that does not lie beside it already; no writer waits for it.
    Raises: NothingToBackUp.
    """
    path = _path(url)
    if not path.is_file():
        raise NothingToBackUp(place=path)
    copy = path.with_name(f"{path.name}.snapshot-{ids.token(8)}")
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(_private(copy))) as target,
        ):
            source.backup(target)  # In one step, under one read transaction.
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def find_revision(copy: Path) -> str | None:
    """Return the schema's revision in a snapshot, or None when it is no bank's."""
    with closing(sqlite3.connect(copy)) as db:
        try:
            found: tuple[str] | None = db.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError:
            return None
    return found[0] if found else None


def forgotten(copy: Path) -> list[int]:
    """Return the numbers of the people who were forgotten in a snapshot."""
    with closing(sqlite3.connect(copy)) as db:
        columns = {row[1] for row in db.execute("PRAGMA table_info(residents_residents)")}
        return [row[0] for row in db.execute(FORGOTTEN)] if "forgotten_at" in columns else []


def write(copy: Path, backup: SealedWriter, keys: PeopleKeys | None) -> None:
    """Write the snapshot, people's cells sealed under their own keys."""
    if keys is not None:
        with closing(sqlite3.connect(copy)) as db:
            db.execute("PRAGMA journal_mode = MEMORY")
            db.execute("PRAGMA synchronous = OFF")  # A copy that a power cut damages is thrown away.
            sealing.seal_sqlite(db, keys)
    with copy.open("rb") as file:
        while data := file.read(_READ):
            backup.write(data)


@contextmanager
def restoring(url: str, backup: SealedReader, keys: PeopleKeys | None) -> Iterator[Connection]:
    """Write the backup to a file of another name and give a connection to it; when the block ends well, place it.

    Raises: PlaceNotEmpty, RestoredUnsound, and what reading the backup raises; then the place is as it was.
    """
    path = _path(url)
    _require_empty(path)
    draft = path.with_name(f"{path.name}.restoring-{ids.token(8)}")
    try:
        with _private(draft).open("wb") as file:
            while data := backup.read(_READ):
                file.write(data)
        with closing(sqlite3.connect(draft)) as opened:
            opened.execute("PRAGMA synchronous = OFF")  # The whole file is synced before it gets its name.
            sealing.open_sqlite(opened, keys)
        _require_whole(draft)
        database = Database(f"sqlite:///{draft}")
        try:
            schema.migrate(f"sqlite:///{draft}")
            with database.reading() as db:
                yield db
        finally:
            database.dispose()  # The last connection folds the log into the file.
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)  # Of two that restore at once, one gets the name.
        except FileExistsError:
            raise PlaceNotEmpty(place=path) from None
        _sync(path.parent)
    finally:
        for left in (draft, _beside(draft, "-wal"), _beside(draft, "-shm")):
            left.unlink(missing_ok=True)


@contextmanager
def throw_away(_url: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database that is not there yet, in a folder that won't stay."""
    yield f"sqlite:///{folder / 'restored.db'}"


def _require_empty(path: Path) -> None:
    """Refuse a place where there is anything; a log without its database would be replayed into the new one."""
    with suppress(FileNotFoundError):
        if path.stat().st_size == 0:
            path.unlink()
    if any(found.exists() for found in (path, _beside(path, "-wal"), _beside(path, "-journal"))):
        raise PlaceNotEmpty(place=path)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _private(path: Path) -> Path:
    """Make the file before anything is in it, so that nobody else can ever read it."""
    path.touch(mode=0o600, exist_ok=False)
    return path


def _require_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        try:
            found = [row[0] for row in db.execute("PRAGMA integrity_check(1)")]
            found += [f"foreign key of {row[0]}" for row in db.execute("PRAGMA foreign_key_check")][:1]
        except sqlite3.DatabaseError as error:
            raise RestoredUnsound(fault=error) from error
    if found != ["ok"]:
        raise RestoredUnsound(fault=found[-1])


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
