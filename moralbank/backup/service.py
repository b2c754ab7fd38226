"""Makes a backup, restores one into an empty place and verifies it, rehearses both, and notes how long each took."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.engine import Connection

from moralbank import clock, guards, ids, ledger, schema
from moralbank.backup.errors import (
    BackupExists,
    BackupNotWritten,
    BackupTooNew,
    NothingToBackUp,
    OtherEngine,
    PeopleKeysMissing,
    PeopleKeysWrong,
    RestoredUnsound,
    RestoreFailed,
)
from moralbank.backup.people import PeopleKeys, people_keys
from moralbank.backup.sealed import Header, SealedReader, SealedWriter
from moralbank.db import Database
from moralbank.ledger import Book, Entry, EntryFilter, Report
from moralbank.schema import Standing
from moralbank.transparency.verify import verify_all

#: What a backup is called that is named by its time; later ones are later in the alphabet.
_PREFIX, _ENDING = "moralbank-", ".backup"


@dataclass(slots=True)
class Steps:
    """How many seconds each step took, in their order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


@dataclass(frozen=True, slots=True)
class Restored:
    """What stands in the place that was empty: every book, verified."""

    header: Header
    books: list[tuple[Book, Report]]


def back_up(url: str, target: Path, key: bytes | None, steps: Steps, people: Path | None = None) -> Path:
    """Write a backup to the file, or to one named by the instant in the folder, and return its path.

    people: the file of people's keys, made if it is not there; what tells who somebody is is sealed under theirs.

    The bank goes on meanwhile. The file appears whole, or not at all.
    Raises: BackupExists, NothingToBackUp, PeopleKeysUnfit, BackupNotWritten.
    """
    made_at = clock.now()
    if target.is_dir():
        target /= f"{_PREFIX}{made_at:%Y%m%dT%H%M%SZ}{_ENDING}"
    if target.exists():
        raise BackupExists(file=target)
    draft = target.with_name(f"{target.name}.part-{ids.token(8)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        with steps.timed("back up"), draft.open("wb") as file:
            _write(url, file, made_at.isoformat(), key, people)
            file.flush()
            os.fsync(file.fileno())
        target.hardlink_to(draft)
    except FileExistsError:
        raise BackupExists(file=target) from None
    except _engine(url).FAULTS as error:
        raise BackupNotWritten(file=target, reason=_first_line(error)) from error
    finally:
        draft.unlink(missing_ok=True)
    return target


def keep_newest(folder: Path, count: int) -> list[Path]:
    """Delete the backups of a folder that were named by their time, but for the newest; return which went."""
    named = sorted(folder.glob(f"{_PREFIX}*{_ENDING}"), reverse=True)
    for path in named[count:]:
        path.unlink(missing_ok=True)
    return named[count:]


def _write(url: str, file: BinaryIO, made_at: str, key: bytes | None, people: Path | None) -> None:
    engine = _engine(url)
    with ExitStack() as stack:
        source = stack.enter_context(engine.snapshot(url))
        revision = engine.find_revision(source)
        if revision is None:
            raise NothingToBackUp(place="DATABASE_URL")
        keys = None if people is None else stack.enter_context(people_keys(people, make=True))
        writer = SealedWriter(
            file, Header(engine.NAME, revision, made_at, None if keys is None else keys.store_id), key
        )
        if keys is not None:
            keys.destroy(engine.forgotten(source))
        engine.write(source, writer, keys)
        if keys is not None:
            keys.save()  # Before the backup counts, so that there is none whose keys were lost with the power.
        writer.close()


def restore(url: str, source: Path, key: bytes | None, steps: Steps, people: Path | None = None) -> Restored:
    """Restore a backup into an empty place, bring it to this code's schema, and verify every book before it counts.

    people: the file of people's keys. Those whose keys were destroyed since the backup stay forgotten.
    Raises: NotABackup, KeyMissing, NotEncrypted, KeyWrong, OtherEngine, BackupTooNew, PeopleKeysMissing,
        PeopleKeysUnfit, PeopleKeysWrong, PeopleKeysOlder, PlaceNotEmpty, BackupDamaged, RestoredUnsound,
        RestoreFailed; then the place is as it was.
    """
    engine = _engine(url)
    try:
        return _restore(engine, url, source, key, steps, people)
    except engine.FAULTS as error:
        raise RestoreFailed(file=source, reason=_first_line(error)) from error


def _restore(engine: Any, url: str, source: Path, key: bytes | None, steps: Steps, people: Path | None) -> Restored:
    with source.open("rb") as file, ExitStack() as stack:
        backup = SealedReader(file, source, key)
        header = backup.header
        if header.engine != engine.NAME:
            raise OtherEngine(file=source, engine=header.engine)
        if schema.standing(header.revision) not in (Standing.BEHIND, Standing.CURRENT):
            raise BackupTooNew(file=source, revision=header.revision)
        keys = _keys_of(header, source, people, stack)
        with steps.timed("restore"):
            db = stack.enter_context(engine.restoring(url, backup, keys))
        with steps.timed("verify"):
            books = _verify(db)
    return Restored(header, books)


def _keys_of(header: Header, source: Path, people: Path | None, stack: ExitStack) -> PeopleKeys | None:
    """Return the keys under which a backup's people were sealed, None where they were not."""
    if header.people is None:
        return None
    if people is None:
        raise PeopleKeysMissing(file=source)
    keys = stack.enter_context(people_keys(people))
    if keys.store_id != header.people:
        raise PeopleKeysWrong(file=source)
    return keys


def _verify(db: Connection) -> list[tuple[Book, Report]]:
    broken = guards.find_broken(db)
    if broken:
        raise RestoredUnsound(fault=", ".join(broken))
    verified = [(book, ledger.verify(db, book.book_id)) for book in ledger.list_books(db)]
    for book, report in verified:
        if not report.is_sound:
            raise RestoredUnsound(fault=f"{book.code}: {report.first_fault}")
        for log in verify_all(db, book.book_id):
            if not log.is_sound:
                raise RestoredUnsound(fault=f"{book.code}, {log.log.name.lower()} log: {log.faults[0]}")
    return verified


def drill(url: str, key: bytes | None, steps: Steps) -> Restored:
    """Back up and restore into a place that is thrown away, and see that every book's last entry came through.

    Raises: what `back_up` and `restore` raise, and NoThrowAwayPlace.
    """
    heads = _heads(url)
    with tempfile.TemporaryDirectory(prefix="moralbank-drill-") as folder:
        people = Path(folder) / "people.keys"  # What is thrown away needs no key that stays.
        kept = back_up(url, Path(folder), key, steps, people)
        with _engine(url).throw_away(url, Path(folder)) as place:
            restored = restore(place, kept, key, steps, people)
            _require_there(place, heads)
    return restored


def _heads(url: str) -> list[Entry]:
    database = Database(url)
    try:
        with database.reading() as db:
            if schema.find_revision(db) is None:
                raise NothingToBackUp(place="DATABASE_URL")
            last = [ledger.list_entries(db, book.book_id, EntryFilter(), limit=1) for book in ledger.list_books(db)]
    finally:
        database.dispose()
    return [entry for entries in last for entry in entries]


def _require_there(url: str, heads: list[Entry]) -> None:
    database = Database(url)
    try:
        with database.reading() as db:
            for head in heads:
                found = ledger.find_entry(db, head.book, head.entry_id)
                if found is None or found.leaf_bytes != head.leaf_bytes:
                    raise RestoredUnsound(fault=f"{head.entry_id} is missing")
    finally:
        database.dispose()


def _first_line(error: BaseException) -> str:
    return (str(getattr(error, "orig", error)).splitlines() or [type(error).__name__])[0]


def _engine(url: str) -> Any:
    """Return the module that knows the engine: the same verbs, its NAME, and the FAULTS that are not ours."""
    if url.startswith("sqlite"):
        from moralbank.backup import sqlite

        return sqlite
    from moralbank.backup import postgresql

    return postgresql
