"""PostgreSQL's part: every table by COPY in one snapshot, loaded into what the migrations make of an empty database.

Needs no program beside the driver: a pg_dump older than its server refuses to work, and many machines have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Connection

from moralbank import ids, ledger, schema
from moralbank.backup import sealing
from moralbank.backup.errors import NoThrowAwayPlace, PlaceNotEmpty
from moralbank.backup.people import FORGOTTEN, PeopleKeys
from moralbank.backup.sealed import SealedReader, SealedWriter
from moralbank.db import make_engine
from moralbank.personal import Held

NAME = "postgresql"
FAULTS = (OSError, psycopg.Error, sa.exc.DBAPIError)
Raw = psycopg.Connection[tuple[Any, ...]]

_FRAME = 1 << 18
_SIZE_BYTES = 4
_MIGRATIONS_LOCK = "hashtext('moralbank migrations')"
_REVISION = "SELECT version_num FROM alembic_version"
_TABLES = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a
 ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> 'alembic_version'
GROUP BY c.relname
"""
_REFERENCES = """
SELECT c.relname, r.relname FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND c.relnamespace = current_schema()::regnamespace
"""
#: Whatever a database may hold that is not its own server's or an extension's.
_CONTENTS = """
SELECT 1 FROM (
  SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace
  UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
) AS found(kind, oid)
WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = found.kind AND d.objid = found.oid AND d.deptype = 'e')
LIMIT 1
"""
_TRIGGERS = """
SELECT c.relname, t.tgname, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE '' END
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND c.relnamespace = current_schema()::regnamespace
"""
_SEQUENCES = """
SELECT s.relname, t.relname, a.attname FROM pg_class s
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
 AND d.deptype IN ('a', 'i')
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace
"""


@contextmanager
def snapshot(url: str) -> Iterator[Raw]:
    """Give a connection that sees the database as it stood at one instant; no migration runs meanwhile.

    Raises: NothingToBackUp.
    """
    engine = make_engine(url)
    try:
        with _raw(engine) as db:
            # Before the transaction, whose snapshot would else be older than a migration that it waited for.
            db.execute(f"SELECT pg_advisory_lock_shared({_MIGRATIONS_LOCK})")
            try:
                db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                db.execute("SET LOCAL datestyle = 'ISO'")
                yield db
            finally:
                db.execute("ROLLBACK")
                db.execute(f"SELECT pg_advisory_unlock_shared({_MIGRATIONS_LOCK})")
    finally:
        engine.dispose()


def find_revision(db: Raw) -> str | None:
    if db.execute("SELECT to_regclass('alembic_version')").fetchall() == [(None,)]:
        return None
    found = db.execute(_REVISION).fetchone()
    return found[0] if found else None


def forgotten(db: Raw) -> list[int]:
    """Return the numbers of the people who were forgotten in a snapshot."""
    column = (
        "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('residents_residents') AND attname = 'forgotten_at'"
    )
    if db.execute(column).fetchone() is None:
        return []
    return [row[0] for row in db.execute(FORGOTTEN).fetchall()]


def write(db: Raw, backup: SealedWriter, keys: PeopleKeys | None) -> None:
    """Write every table, those first that others refer to: its name and columns, its rows as COPY spells them.

    People's cells are sealed under their own keys; the table's head says which.
    """
    columns = {table: list(names) for table, names in db.execute(_TABLES).fetchall()}
    order = TopologicalSorter({table: set() for table in sorted(columns)})
    for table, referred in db.execute(_REFERENCES).fetchall():
        order.add(table, referred)
    for table in order.static_order():
        names = columns[table]
        held = sealing.held_in(table, names) if keys is not None else None
        head: dict[str, Any] = {"table": table, "columns": names}
        if held is not None and not held.is_left_out:
            head["sealed"] = list(held.columns)
        _put(backup, json.dumps(head).encode())
        rows = bytearray()
        with db.cursor().copy(_copy(table, names, "TO STDOUT") if held is None else _told(held, names)) as copy:
            for row in copy:
                if held is None or keys is None:
                    rows += row
                else:
                    rows += b"".join(sealing.seal_rows(held, names, bytes(row), keys))
                if len(rows) >= _FRAME:
                    _put(backup, rows)
                    rows.clear()
        if rows:
            _put(backup, rows)
        _put(backup, b"")
    _put(backup, b"")


def _told(held: Held, names: list[str]) -> sql.Composed:
    """Return the COPY of a table whose rows end in whose they are."""
    cells = sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in names)
    person = sql.SQL(cast(Any, held.person))
    return sql.SQL("COPY (SELECT {}, {} FROM {} t) TO STDOUT").format(cells, person, sql.Identifier(held.table))


def _put(backup: SealedWriter, data: bytes | bytearray) -> None:
    backup.write(len(data).to_bytes(_SIZE_BYTES, "big") + data)


def _take(backup: SealedReader) -> bytes:
    return backup.read(int.from_bytes(backup.read(_SIZE_BYTES), "big"))


def _copy(table: str, columns: list[str], way: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) ").format(sql.Identifier(table), names) + sql.SQL(cast(Any, way))


@contextmanager
def restoring(url: str, backup: SealedReader, keys: PeopleKeys | None) -> Iterator[Connection]:
    """Load the backup in one transaction and give its connection; what is there is committed when the block ends well.

    Raises: PlaceNotEmpty, and what reading the backup raises; then the database is as empty as it was.
    """
    engine = make_engine(url)
    try:
        with engine.connect() as db:
            db.execute(sa.text("RESET ROLE"))
            db.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MIGRATIONS_LOCK})"))
            if db.execute(sa.text(_CONTENTS)).first():
                raise PlaceNotEmpty(place=engine.url.database)
            schema.migrate_within(db, backup.header.revision)
            _load(cast(Raw, db.connection.driver_connection), backup, keys)
            ledger.resume_numbers(db)
            if backup.header.revision != schema.head():
                schema.migrate_within(db, schema.head())
            db.execute(sa.text("ANALYZE"))
            yield db
            db.commit()
    finally:
        engine.dispose()


def _load(db: Raw, backup: SealedReader, keys: PeopleKeys | None) -> None:
    """Fill the tables with the guards off, which check what is posted anew, and on again before anybody can look."""
    triggers = [(table, trigger, when) for table, trigger, when in db.execute(_TRIGGERS).fetchall()]
    for table, trigger, _ in triggers:
        db.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(*map(sql.Identifier, (table, trigger))))
    tables = [sql.Identifier(table) for table, _ in db.execute(_TABLES).fetchall()]
    db.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))  # Of rows that a migration may have made.
    while head := _take(backup):
        part = json.loads(head)
        held = sealing.held_in(part["table"], part["columns"]) if "sealed" in part else None
        with db.cursor().copy(_copy(part["table"], part["columns"], "FROM STDIN")) as copy:
            while rows := _take(backup):
                if held is not None:
                    assert keys is not None, "the header said that it is sealed"
                    rows = b"".join(sealing.open_rows(held, part["columns"], rows, keys))
                copy.write(rows)
    backup.read(1)  # The end of the file is a part of what is checked.
    db.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for sequence, table, column in db.execute(_SEQUENCES).fetchall():
        query = "SELECT setval({}, coalesce(max({}), 0) + 1, false) FROM {}"
        db.execute(sql.SQL(query).format(sequence, sql.Identifier(column), sql.Identifier(table)))
    for table, trigger, when in triggers:
        enable = sql.SQL("ALTER TABLE {} ENABLE {} TRIGGER {}")
        db.execute(enable.format(sql.Identifier(table), sql.SQL(when), sql.Identifier(trigger)))


@contextmanager
def throw_away(url: str, _folder: Path) -> Iterator[str]:
    """Give the URL of a new empty database on the same server, and drop it in the end.

    Raises: NoThrowAwayPlace.
    """
    name = f"moralbank_drill_{ids.new_id().hex}"
    engine = make_engine(url)
    try:
        with _raw(engine) as db:
            db.execute("RESET ROLE")
            try:
                db.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            except psycopg.errors.InsufficientPrivilege:
                raise NoThrowAwayPlace from None
            try:
                yield engine.url.set(database=name).render_as_string(hide_password=False)
            finally:
                db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    finally:
        engine.dispose()


@contextmanager
def _raw(engine: sa.Engine) -> Iterator[Raw]:
    """Give the driver's own connection, on which nobody begins a transaction unasked."""
    pooled = engine.raw_connection()
    try:
        yield cast(Raw, pooled.driver_connection)
    finally:
        pooled.invalidate()
