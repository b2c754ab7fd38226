"""Whether the process lives (/healthz) and whether it may be given work (/readyz); in production, whether to start."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sqlalchemy as sa
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import Connection

from moralbank.config import Config, ConfigError
from moralbank.db import MIGRATIONS, Database
from moralbank.web import outages
from moralbank.web.auth import public
from moralbank.web.db import database

blueprint = Blueprint("health", __name__)

GUARDED = ("ledger_entries", "ledger_postings")
_OK = "ok"


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Say that the process answers."""
    return jsonify(status=_OK)


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """Say whether the database can be reached, trusted and written to, check by check."""
    config: Config = current_app.config["MORALBANK"]
    checks = check(database(), config)
    if checks["database"] == _OK and checks.get("migrated") == _OK:
        checks |= outages.check(database())
    failing = [name for name, found in checks.items() if not found.startswith(_OK)]
    response = jsonify(status="not ready" if failing else _OK, failing=failing, checks=checks)
    response.status_code = 503 if failing else 200
    return response


def refuse_unsafe(database: Database, config: Config) -> None:
    """Stop a production start on a database that could lose or alter acknowledged lines. Raises: ConfigError."""
    failing = [f"{name}: {found}" for name, found in check(database, config).items() if not found.startswith(_OK)]
    if failing:
        raise ConfigError("DATABASE_URL names a database that is not safe to serve from: " + "; ".join(failing))


def check(database: Database, config: Config) -> dict[str, str]:
    """Run every check in order and return what each found: "ok…", or what is wrong.

    A database that can't be reached fails the first check and ends the list.
    """
    checks: dict[str, Callable[[Connection, bool], str]] = {
        "migrated": _migrated,
        "durable": _durable_sqlite if database.is_sqlite else _durable_postgresql,
        "append_only": _append_only_sqlite if database.is_sqlite else _append_only_postgresql,
    }
    try:
        with database.reading() as db:
            found = {"database": _OK}
            for name, find in checks.items():
                found[name] = find(db, config.production)
                if found[name] != _OK and name == "migrated":
                    break  # The checks after it look at tables that may not be there.
            return found
    except sa.exc.DBAPIError as error:
        # The driver's own text may quote the address and the login, so only its class is told.
        return {"database": f"can't be reached ({type(error.orig).__name__})"}


def _migrated(db: Connection, _production: bool) -> str:
    if not sa.inspect(db).has_table("alembic_version"):
        return "no schema yet: run moralbank migrate"
    found = db.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return _OK if found == _head() else f"at {found}, not at {_head()}: run moralbank migrate"


@cache
def _head() -> str | None:
    alembic = AlembicConfig()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(alembic).get_current_head()


def _durable_sqlite(db: Connection, _production: bool) -> str:
    journal = db.exec_driver_sql("PRAGMA journal_mode").scalar()
    synchronous = db.exec_driver_sql("PRAGMA synchronous").scalar()
    if journal != "wal" or synchronous not in (2, 3):
        return f"journal_mode={journal}, synchronous={synchronous}; needs wal and 2 (FULL)"
    return _OK


def _durable_postgresql(db: Connection, production: bool) -> str:
    query = "SELECT current_setting('synchronous_commit'), current_setting('fsync')"
    synchronous_commit, fsync = db.exec_driver_sql(query).one()
    if synchronous_commit == "off":
        return "synchronous_commit is off"
    if fsync == "off":
        return "fsync is off" if production else "ok for a trial, but fsync is off"
    return _OK


def _append_only_sqlite(db: Connection, _production: bool) -> str:
    """SQLite has no roles: what guards a ledger table are its triggers."""
    triggers = list(db.exec_driver_sql("SELECT tbl_name, upper(sql) FROM sqlite_master WHERE type = 'trigger'"))
    for table in GUARDED:
        for act in ("UPDATE", "DELETE"):
            if not any(name == table and f"BEFORE {act}" in sql and "RAISE" in sql for name, sql in triggers):
                return f"nothing stops {act} on {table}"
    return _OK


def _append_only_postgresql(db: Connection, production: bool) -> str:
    for table in GUARDED:
        row = db.execute(
            sa.text(
                "SELECT has_table_privilege(:name, 'UPDATE') OR has_table_privilege(:name, 'DELETE')"
                " OR has_table_privilege(:name, 'TRUNCATE'),"
                " count(*) FILTER (WHERE tgenabled <> 'D' AND tgtype & 2 = 2 AND tgtype & 24 = 24)"
                " FROM pg_trigger WHERE tgrelid = to_regclass(:name) AND NOT tgisinternal"
            ),
            {"name": table},
        ).one()
        may_change, triggers = row
        if not triggers:
            return f"no trigger stops UPDATE and DELETE on {table}"
        if may_change:
            wrong = f"this login may change {table}"
            return wrong if production else f"ok for a trial, but {wrong}"
    return _OK
