"""Which revision a database's schema is at, beside the newest that this code knows, and bringing it there.

Doesn't load alembic unless there is something to migrate, so that a start that finds everything in place is quick.
"""

from __future__ import annotations

import time
from enum import Enum
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import db
from moralbank.errors import N_, Conflict, Forbidden, Unavailable

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_TRIES = 8
#: PostgreSQL: a lock was not had in time; a right is missing.
_LOCK_NOT_AVAILABLE, _INSUFFICIENT_PRIVILEGE = "55P03", "42501"


class SchemaForeign(Conflict):
    code = "schema-foreign"
    title = N_("不认识的数据库结构")
    sentence = N_("数据库结构的版本是 {found}，本程序不认识。请检查 DATABASE_URL 是否指向本行的数据库。")


class SchemaBusy(Unavailable):
    code = "schema-busy"
    title = N_("数据库结构正被占用")
    sentence = N_("升级数据库结构时一直等不到锁，什么都没有改。请结束运行很久的查询后再运行 moralbank migrate。")


class SchemaNotOwned(Forbidden):
    code = "schema-not-owned"
    title = N_("这个账号不能升级数据库结构")
    sentence = N_("数据库结构需要升级，但 DATABASE_URL 的账号无权修改。请用数据库所有者的账号运行 moralbank migrate。")


class Standing(Enum):
    """Where a schema stands beside this code."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    #: A newer code has migrated it. Migrations only widen what the code before them uses, so that one still works.
    AHEAD = "ahead"
    FOREIGN = "foreign"


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions that this code knows, oldest first: a revision is named as its file is."""
    return tuple(sorted(path.stem for path in (MIGRATIONS / "versions").glob("[0-9]*.py")))


def head() -> str:
    """Return the newest revision that this code knows."""
    return revisions()[-1]


def find_revision(connection: Connection) -> str | None:
    """Return the revision of the schema that the connection sees, or None where there is none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def standing(revision: str | None) -> Standing:
    """Tell where a schema at this revision stands."""
    if revision is None:
        return Standing.EMPTY
    if revision in revisions():
        return Standing.CURRENT if revision == head() else Standing.BEHIND
    number, newest = revision[:4], head()[:4]
    return Standing.AHEAD if number.isdecimal() and number > newest else Standing.FOREIGN


def migrate(url: str) -> None:
    """Bring the schema at `url` to the newest revision; leave one that is there, or further, alone.

    Any number of processes may call it at once, and the service may be at work meanwhile.
    Raises: SchemaForeign, SchemaNotOwned; SchemaBusy when something kept a table locked all the time.
    """
    for attempt in range(_TRIES):
        found = _look(url)
        match standing(found):
            case Standing.CURRENT | Standing.AHEAD:
                return
            case Standing.FOREIGN:
                raise SchemaForeign(found=found)
        try:
            _upgrade("head", url=url)
        except sa.exc.DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state == _INSUFFICIENT_PRIVILEGE:
                raise SchemaNotOwned from error
            if state != _LOCK_NOT_AVAILABLE:
                raise
            # Whoever waited behind us goes on meanwhile.
            time.sleep(0.25 * 2**attempt)
    raise SchemaBusy


def migrate_within(connection: Connection, revision: str) -> None:
    """Bring a schema that nobody else sees yet to a revision, in the transaction of its owner's connection."""
    _upgrade(revision, connection=connection)


def _upgrade(revision: str, **where: str | Connection) -> None:
    from alembic import command
    from alembic.config import Config

    alembic = Config()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    alembic.attributes.update(where)
    command.upgrade(alembic, revision)


def _look(url: str) -> str | None:
    database = db.Database(url)
    try:
        with database.reading() as connection:
            if not database.is_sqlite:
                # The service's role may not read a table that no migration of ours has granted to it.
                connection.execute(sa.text("RESET ROLE"))
            return find_revision(connection)
    finally:
        database.dispose()
