"""A bank as it stood at revision 0008, row by row: what earlier code left behind for later code to take over.

It was lived through the API by tests/api/_village.py on 21 November 2026 and is never made anew: it is what was written
then. A revision before 0008 gets those of its tables that exist there.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

from moralbank import ledger, schema
from moralbank.db import make_engine

TAKEN_AT = "0008_history"
_FILE = Path(__file__).with_name("bank_at_0008.json")


def upgrade(url: str, revision: str, migrations: Path | None = None) -> None:
    """Bring a database to a revision, as `moralbank migrate` of the code of that time did."""
    alembic = AlembicConfig()
    alembic.set_main_option("script_location", str(migrations or schema.MIGRATIONS))
    alembic.attributes["url"] = url
    command.upgrade(alembic, revision)


def fill(url: str) -> dict[str, int]:
    """Insert the rows of all tables that are there, every guard on; return how many each has."""
    engine = make_engine(url)
    is_sqlite = engine.dialect.name == "sqlite"
    counts: dict[str, int] = {}
    with engine.begin() as db:
        if not is_sqlite:
            db.exec_driver_sql("RESET ROLE")
        there = set(sa.inspect(db).get_table_names())
        for table, part in json.loads(_FILE.read_text(encoding="utf-8")).items():
            if table not in there:
                continue
            names = ", ".join(part["columns"])
            marks = ", ".join(["?" if is_sqlite else "%s"] * len(part["columns"]))
            rows = [tuple(_value(cell, is_sqlite) for cell in row) for row in part["rows"]]
            db.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            counts[table] = len(rows)
        if not is_sqlite:
            ledger.resume_numbers(db)
    engine.dispose()
    return counts


def _value(cell: Any, is_sqlite: bool) -> Any:
    """Return a cell as SQLAlchemy's types gave it to the driver then."""
    if not isinstance(cell, dict):
        return cell
    [(kind, text)] = cell.items()
    if kind == "json":
        return json.dumps(text)
    if kind == "hex":
        return bytes.fromhex(text)
    if kind == "uuid":
        return text if is_sqlite else UUID(text)
    if kind == "on":
        return text if is_sqlite else date.fromisoformat(text)
    at = datetime.fromisoformat(text)
    return f"{at:%Y-%m-%d %H:%M:%S.%f}" if is_sqlite else at
