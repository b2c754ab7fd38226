"""What follows a forgetting: the database's own files are rid of deleted rows, and backups of the key that opened them.

Nothing here decides anything: a step that was cut short is done again, and is noted once it is done.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

from sqlalchemy.engine import Engine

from moralbank import clock
from moralbank.backup.people import people_keys
from moralbank.config import people_keys_path
from moralbank.db import Database
from moralbank.forgetting import queries, service
from moralbank.personal import PERSONAL

#: Rewriting a larger SQLite file keeps writers waiting for longer than anybody should: it is done at night.
AT_ONCE_BYTES = 256 * 2**20
_NIGHT_HOURS = range(1, 5)
_READERS_WAIT_MS = 3000
_SNAPSHOTS_WAIT_SECONDS = 5.0


def follow(database: Database) -> int:
    """Do what is left to do after forgettings, as far as it can be done here and now; return how many are done."""
    return sweep(database, people_keys_path())


def sweep(database: Database, keys: Path, *, at_once: bool = False) -> int:
    """Rid files and backups of those who were forgotten, and return for how many nothing is left to do.

    at_once: also by day, however large the file. The keys are destroyed where their file is; where it is not, the next
    backup does it.
    """
    with database.reading() as db:
        left = queries.list_unswept(db)
    unswept = [request.request_id for request in left if request.swept_at is None]
    if unswept and _rewrite(database.engine, at_once=at_once):
        database.transact(service.mark, unswept, "swept_at")
    keyed = [request for request in left if request.keys_destroyed_at is None]
    if keyed and keys.is_file():
        with people_keys(keys) as held:
            held.destroy(request.resident_id for request in keyed)
        database.transact(service.mark, [request.request_id for request in keyed], "keys_destroyed_at")
    with database.reading() as db:
        return len(left) - len(queries.list_unswept(db))


def _rewrite(engine: Engine, *, at_once: bool) -> bool:
    """Write the files that hold people anew, and tell whether that could be done."""
    pooled = engine.raw_connection()
    try:
        driver = cast(Any, pooled.driver_connection)
        if engine.dialect.name == "sqlite":
            return _rewrite_sqlite(driver, at_once=at_once)
        return _rewrite_postgresql(driver)
    finally:
        pooled.invalidate()


def _rewrite_sqlite(driver: Any, *, at_once: bool) -> bool:
    """Copy what is there into fresh pages, and empty the log, where the old ones lie."""
    (pages,), (size,) = (driver.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    if not at_once and pages * size > AT_ONCE_BYTES and clock.local(clock.now()).hour not in _NIGHT_HOURS:
        return False
    driver.execute("PRAGMA secure_delete = ON")
    driver.execute("VACUUM")
    # Whoever still reads what was there before keeps the log from being emptied: the next slot tries again.
    driver.execute(f"PRAGMA busy_timeout = {_READERS_WAIT_MS}")
    is_busy, *_pages = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy


def _rewrite_postgresql(driver: Any) -> bool:
    """Write the tables into new files, and what the planner keeps of their values anew; only their owner may."""
    import psycopg  # Where the bank is on SQLite this driver needn't be there.

    driver.execute("RESET ROLE")
    tables = [held.table for held in PERSONAL]
    owned = "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid = ANY(%s::regclass[])"
    if not driver.execute(owned, [tables]).fetchone()[0]:
        return False
    if not _older_snapshots_ended(driver):
        return False
    driver.execute("SET lock_timeout = '5s'")
    try:
        for table in tables:
            driver.execute(f"VACUUM (FULL, ANALYZE) {table}")
        driver.execute("VACUUM (FULL) pg_statistic")
    except psycopg.errors.LockNotAvailable:  # The next slot tries again.
        return False
    return True


def _older_snapshots_ended(driver: Any) -> bool:
    """Wait a little until nobody may still see the deleted rows, which a rewrite would carry over for them.

    A snapshot reaches back to the oldest transaction of the whole server, so those of other databases have to end too.
    """
    now = driver.execute("SELECT pg_current_xact_id()::text").fetchone()[0]
    older = (
        "SELECT 1 WHERE pg_snapshot_xmin(pg_current_snapshot()) <= %s::xid8 OR EXISTS (SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND age(backend_xmin) > age(%s::xid8::xid))"
    )
    give_up = time.monotonic() + _SNAPSHOTS_WAIT_SECONDS
    while driver.execute(older, [now, now]).fetchone() is not None:
        if time.monotonic() > give_up:  # The next slot tries again.
            return False
        time.sleep(0.1)
    return True
