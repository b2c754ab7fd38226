"""Seals the cells of people on their way into a backup, each under the key of whom it tells, and opens them again.

What tells of somebody who was forgotten since can't be opened by any key that still exists: their rows are then left as
forgetting leaves them. Which cells were sealed the backup says itself; what is left of them `personal` says.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from moralbank import clock
from moralbank.backup.people import PeopleKeys
from moralbank.errors import MoralBankError
from moralbank.personal import PERSONAL, Held, Left, Value

_MARK = b"\x00mbp1"
_PERSON_BYTES = 8
_CELL = len(_MARK) + _PERSON_BYTES
#: In a sealed SQLite file: which columns of which table.
_TABLE = "backup_sealed"


def held_in(table: str, columns: Sequence[str]) -> Held | None:
    """Return what a table holds of people, as far as its schema has the columns."""
    for held in PERSONAL:
        if held.table == table:
            own = {name: left for name, left in held.columns.items() if name in columns}
            also = {name: left for name, left in held.also.items() if name in columns}
            return Held(table, held.person, own, held.goes, also, held.is_left_out) if own else None
    return None


# SQLite: the cells of the copied file are rewritten. A sealed one is a blob that begins with a mark.


def seal_sqlite(db: sqlite3.Connection, keys: PeopleKeys) -> None:
    """Seal a copy of the database, and leave nothing of the plain text in its file."""
    sealed = []
    with _unguarded(db):
        for held in filter(None, (held_in(table, _columns(db, table)) for table in _tables(db))):
            if held.is_left_out:
                sets = ", ".join(f"{name} = ?" for name in held.columns)
                left = [_as_sqlite(value) for value in held.columns.values()]
                db.execute(f"UPDATE {held.table} SET {sets}", left)  # noqa: S608 - names of personal.PERSONAL
            else:
                _seal_table(db, held, keys)
                sealed.append((held.table, json.dumps(list(held.columns))))
    db.execute(f"CREATE TABLE {_TABLE} (name TEXT PRIMARY KEY, columns TEXT NOT NULL)")
    db.executemany("INSERT INTO backup_sealed VALUES (?, ?)", sealed)
    db.commit()
    db.execute("VACUUM")


def _seal_table(db: sqlite3.Connection, held: Held, keys: PeopleKeys) -> None:
    def seal(person: int, name: str, value: Any) -> Any:
        if value is None:
            return None
        plain = b"b" + value if isinstance(value, bytes) else type(value).__name__[:1].encode() + str(value).encode()
        return _MARK + person.to_bytes(_PERSON_BYTES, "big") + keys.seal(person, f"{held.table}.{name}", plain)

    db.create_function("seal", 3, seal)
    # Whose a row is is looked up before the cells are changed.
    whose = f"SELECT t.rowid AS row, {held.person} AS person FROM {held.table} t"  # noqa: S608 - as above
    db.execute(f"CREATE TEMP TABLE whose AS {whose}")
    db.execute("DELETE FROM whose WHERE person IS NULL")
    sets = ", ".join(f"{name} = seal(w.person, '{name}', t.{name})" for name in held.columns)
    db.execute(f"UPDATE {held.table} AS t SET {sets} FROM whose w WHERE t.rowid = w.row")  # noqa: S608 - as above
    db.execute("DROP TABLE whose")


def open_sqlite(db: sqlite3.Connection, keys: PeopleKeys | None) -> None:
    """Open what was sealed in a restored file; people whose keys are gone stay forgotten.

    Raises: PeopleKeysOlder, BackupDamaged.
    """
    if keys is None or _TABLE not in _tables(db):
        return
    faults: list[MoralBankError] = []
    try:
        _open_tables(db, keys, faults)
    except sqlite3.OperationalError:
        if faults:  # SQLite says of a function that failed only that it did.
            raise faults[0] from None
        raise


def _open_tables(db: sqlite3.Connection, keys: PeopleKeys, faults: list[MoralBankError]) -> None:
    with _unguarded(db):
        for table, names in db.execute("SELECT name, columns FROM backup_sealed").fetchall():
            held = held_in(table, json.loads(names))
            if held is not None:
                also = held_in(table, _columns(db, table))
                assert also is not None, "it has the sealed columns"
                _open_table(db, Held(table, held.person, held.columns, held.goes, also.also), keys, faults)
        db.execute(f"DROP TABLE {_TABLE}")
    db.commit()


def _open_table(db: sqlite3.Connection, held: Held, keys: PeopleKeys, faults: list[MoralBankError]) -> None:
    def is_gone(cell: Any) -> bool:
        try:
            return _is_sealed(cell) and keys.is_gone(_person(cell))
        except MoralBankError as fault:
            faults.append(fault)
            raise

    def opened(name: str, cell: Any) -> Any:
        if not _is_sealed(cell):
            return cell
        try:
            plain = keys.open(_person(cell), f"{held.table}.{name}", cell[_CELL:])
        except MoralBankError as fault:
            faults.append(fault)
            raise
        kind, data = plain[:1], plain[1:]
        if kind == b"b":
            return data
        return {b"i": int, b"f": float}.get(kind, str)(data.decode())

    db.create_function("is_gone", 1, is_gone)
    db.create_function("opened", 2, opened)
    gone = " OR ".join(f"is_gone({name})" for name in held.columns)
    if held.goes:
        db.execute(f"DELETE FROM {held.table} WHERE {gone}")  # noqa: S608 - names of personal.PERSONAL
    else:
        left = held.columns | held.also
        sets = ", ".join(f"{name} = ?" for name in left)
        values = [_as_sqlite(value) for value in left.values()]
        db.execute(f"UPDATE {held.table} SET {sets} WHERE {gone}", values)  # noqa: S608 - as above
    sets = ", ".join(f"{name} = opened('{name}', {name})" for name in held.columns)
    is_blob = " OR ".join(f"typeof({name}) = 'blob'" for name in held.columns)
    db.execute(f"UPDATE {held.table} SET {sets} WHERE {is_blob}")  # noqa: S608 - as above


def _is_sealed(cell: Any) -> bool:
    return isinstance(cell, bytes) and cell.startswith(_MARK)


def _person(cell: bytes) -> int:
    return int.from_bytes(cell[len(_MARK) : _CELL], "big")


def _tables(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]


@contextmanager
def _unguarded(db: sqlite3.Connection) -> Iterator[None]:
    """Take triggers and checks out of the way of what is only spelled otherwise, and put them back."""
    db.execute("PRAGMA ignore_check_constraints = ON")
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _words in triggers:
        db.execute(f'DROP TRIGGER "{name}"')
    yield
    for _name, words in triggers:
        db.execute(words)
    db.execute("PRAGMA ignore_check_constraints = OFF")


def _as_sqlite(value: Value) -> Any:
    return f"{clock.now():%Y-%m-%d %H:%M:%S.%f}" if value is Left.NOW else value


# PostgreSQL: rows pass by as COPY spells them. A sealed cell is "!", whose, ":", letters; any other "=", the cell.


def seal_rows(held: Held, names: Sequence[str], rows: bytes, keys: PeopleKeys) -> Iterator[bytes]:
    """Yield rows of COPY sealed; the last cell of each, which is dropped, says whose it is."""
    places = [(names.index(name), f"{held.table}.{name}") for name in held.columns]
    for line in rows.splitlines():
        *cells, person = line.split(b"\t")
        for place, where in places:
            if held.is_left_out:
                cells[place] = _as_copied(held.columns[where.partition(".")[2]])
            elif person == b"\\N" or cells[place] == b"\\N":
                cells[place] = b"=" + cells[place]
            else:
                sealed = base64.b64encode(keys.seal(int(person), where, cells[place]))
                cells[place] = b"!" + person + b":" + sealed
        yield b"\t".join(cells) + b"\n"


def open_rows(held: Held, names: Sequence[str], rows: bytes, keys: PeopleKeys) -> Iterator[bytes]:
    """Yield rows of COPY as they were before they were sealed; of people whose keys are gone what is left of them."""
    places = [(names.index(name), f"{held.table}.{name}") for name in held.columns]
    left = {names.index(name): _as_copied(value) for name, value in (held.columns | held.also).items()}
    for line in rows.splitlines():
        cells = line.split(b"\t")
        tokens = {place: cells[place][1:].partition(b":") for place, _ in places if cells[place][:1] == b"!"}
        is_gone = any(keys.is_gone(int(person)) for person, _colon, _sealed in tokens.values())
        if is_gone and held.goes:
            continue
        for place, where in places:
            if is_gone:
                break
            if place in tokens:
                person, _colon, sealed = tokens[place]
                cells[place] = keys.open(int(person), where, base64.b64decode(sealed))
            else:
                cells[place] = cells[place][1:]
        if is_gone:
            for place, cell in left.items():
                cells[place] = cell
        yield b"\t".join(cells) + b"\n"


def _as_copied(value: Value) -> bytes:
    if value is Left.NOW:
        return clock.now().isoformat().encode()
    if value is None:
        return b"\\N"
    if isinstance(value, bytes):
        return b"\\\\x" + value.hex().encode()
    return {True: b"t", False: b"f"}[value] if isinstance(value, bool) else str(value).encode()
