"""Whether the service may be given this database: what is looked at before every start, and what each alarm means.

Reads only, and cheaply. A finding has a stable name, which docs/OPERATIONS.md explains; production starts with none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, guards, ledger, schema
from moralbank.config import ConfigError
from moralbank.db import Database
from moralbank.schema import Standing

#: How many of the last entries of each book are held against their leaves.
TAIL_ENTRIES = 100
#: Two clocks are never quite the same; one that was set wrong is out by more.
CLOCK_BEHIND_MAX, CLOCKS_APART_MAX = timedelta(seconds=5), timedelta(minutes=1)
#: No bank ran this code before it was written; and nobody's first entry is a century away.
EARLIEST, LATEST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, under its stable name, and what to do about it."""

    alarm: str
    wrong: str
    remedy: str
    #: It is said, but a trial may run so.
    trial_may: bool = False

    def __str__(self) -> str:
        return f"{self.alarm}: {self.wrong}. {self.remedy}"


Check = Callable[[Connection], Finding | None]


def look(database: Database, *, with_tail: bool = True) -> dict[str, Finding | None]:
    """Run the checks in their order and return what each found; a check that needs a sound one before it is left out.

    with_tail: read the end of every book too, which is for starts and not for every probe.
    """
    checks: dict[str, Check] = {
        "durable": _durable_sqlite if database.is_sqlite else _durable_postgresql,
        "append_only": _guarded,
        "role": _role,
        "clock": _clock,
    }
    if with_tail:
        checks["tail"] = _tail
    found: dict[str, Finding | None] = {"database": None}
    try:
        with database.reading() as db:
            standing = schema.standing(schema.find_revision(db))
            found["migrated"] = _migrated(db)
            if standing in (Standing.CURRENT, Standing.AHEAD):
                found |= {name: check(db) for name, check in checks.items()}
    except sa.exc.DBAPIError as error:
        found["database"] = _unusable(error)
    return found


def failing(found: dict[str, Finding | None], *, production: bool) -> list[Finding]:
    """Return the findings that nobody may serve with: in production all of them."""
    return [finding for finding in found.values() if finding and (production or not finding.trial_may)]


def refuse_unsafe(database: Database) -> None:
    """Stop a production start on a database that could lose or alter acknowledged lines. Raises: ConfigError."""
    wrong = failing(look(database), production=True)
    if wrong:
        reasons = "\n".join(f"  {finding}" for finding in wrong)
        raise ConfigError(f"DATABASE_URL names a database that is not safe to serve from:\n{reasons}")


def _unusable(error: sa.exc.DBAPIError) -> Finding:
    # The driver's own text may quote the address and the login, so only its class is told.
    kind = type(error.orig).__name__
    if kind == "DatabaseError" and "malformed" in str(error.orig):
        return Finding(
            "database-damaged",
            "the database file is damaged",
            "Stop the service, keep the file, and restore the last backup: moralbank restore",
        )
    return Finding(
        "database-unreachable",
        f"the database can't be used ({kind})",
        "See that it runs, that DATABASE_URL names it, and that this account may read and write there",
    )


def _migrated(db: Connection) -> Finding | None:
    revision = schema.find_revision(db)
    match schema.standing(revision):
        case Standing.EMPTY:
            return Finding("schema-missing", "there is no schema yet", "Run: moralbank migrate")
        case Standing.BEHIND:
            wrong = f"the schema is at {revision}, this code needs {schema.head()}"
            return Finding("schema-behind", wrong, "Run, as the schema's owner: moralbank migrate")
        case Standing.FOREIGN:
            wrong = f"the schema is at {revision}, which this code doesn't know"
            return Finding("schema-foreign", wrong, "See that DATABASE_URL names the bank's database")
    return None


def _durable_sqlite(db: Connection) -> Finding | None:
    journal = db.exec_driver_sql("PRAGMA journal_mode").scalar()
    synchronous = db.exec_driver_sql("PRAGMA synchronous").scalar()
    if journal == "wal" and synchronous in (2, 3):
        return None
    wrong = f"journal_mode is {journal} and synchronous is {synchronous}, so a power cut may lose acknowledged lines"
    remedy = "Put the file on a local disk that supports WAL and let nothing set synchronous below FULL (2)"
    return Finding("not-durable", wrong, remedy)


def _durable_postgresql(db: Connection) -> Finding | None:
    names = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names", "wal_level")
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    fsync, full_page_writes, commit, standbys, log = db.exec_driver_sql(query).one()
    if commit == "off" or (commit == "local" and standbys):
        wrong = f"synchronous_commit is {commit}, so an acknowledged line may be lost"
        return Finding("not-durable", wrong, "Set it to on: ALTER DATABASE … SET synchronous_commit = on")
    off = [name for name, value in (("fsync", fsync), ("full_page_writes", full_page_writes)) if value == "off"]
    if off:
        are = " and ".join(off) + (" are" if len(off) > 1 else " is")
        wrong = f"{are} off, so a power cut may lose or damage acknowledged lines"
        remedy = "Switch it on in postgresql.conf and reload the server"
        return Finding("not-durable", wrong, remedy, trial_may=True)
    if log == "minimal":
        # What a transaction makes is not logged then, nor is what it draws from a sequence that it made.
        wrong = "wal_level is minimal, so a new book's numbers may come again after the server fell"
        remedy = "Set wal_level = replica in postgresql.conf and restart the server"
        return Finding("not-durable", wrong, remedy, trial_may=True)
    return None


def _guarded(db: Connection) -> Finding | None:
    ahead = schema.standing(schema.find_revision(db)) is Standing.AHEAD
    broken = guards.find_broken(db, names_only=ahead)
    if not broken:
        return None
    wrong = f"the triggers that keep lines as they are have been removed or altered: {', '.join(broken)}"
    remedy = "Find out who did it, run moralbank audit verify, then restore the triggers or the last backup"
    return Finding("guard-broken", wrong, remedy)


def _role(db: Connection) -> Finding | None:
    """Only PostgreSQL has roles: neither the one at work nor the login behind it may change a line."""
    if db.dialect.name == "sqlite":
        return None
    query = sa.text(
        """
        SELECT DISTINCT who.name FROM unnest(CAST(:tables AS text[])) AS given(name)
        JOIN pg_class c ON c.oid = to_regclass(given.name)
        CROSS JOIN (VALUES (current_user), (session_user)) AS who(name)
        WHERE has_table_privilege(who.name, c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
           OR has_any_column_privilege(who.name, c.oid, 'UPDATE')
           OR pg_has_role(who.name, c.relowner, 'MEMBER')
        ORDER BY 1
        """
    )
    able = db.execute(query, {"tables": list(guards.APPEND_ONLY)}).scalars().all()
    if not able:
        return None
    wrong = f"the service's login may alter the ledger (as {', '.join(able)})"
    remedy = "Serve with a login that owns nothing and is only a member of moralbank_app; migrate with the owner's"
    return Finding("role-may-alter", wrong, remedy, trial_may=True)


def _clock(db: Connection) -> Finding | None:
    now = clock.now()
    remedy = "Set this machine's clock and keep it by NTP"
    if not EARLIEST <= now < LATEST:
        return Finding("clock-absurd", f"this machine says it is {now:%Y-%m-%d}", remedy)
    last = ledger.last_posted_at(db)
    if last is not None and now < last - CLOCK_BEHIND_MAX:
        wrong = (
            f"this machine says it is {now:%Y-%m-%d %H:%M:%S} UTC, before the last entry of {last:%Y-%m-%d %H:%M:%S}"
        )
        return Finding("clock-behind", wrong, remedy)
    if db.dialect.name == "postgresql":
        theirs: datetime = db.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        if abs(now - theirs) > CLOCKS_APART_MAX:
            return Finding(
                "clocks-apart", f"PostgreSQL's clock says {theirs:%Y-%m-%d %H:%M:%S}, ours {now:%H:%M:%S}", remedy
            )
    return None


def _tail(db: Connection) -> Finding | None:
    faults = ledger.verify_tail(db, TAIL_ENTRIES)
    if not faults:
        return None
    wrong = f"the end of a book is broken: {faults[0]}"
    remedy = (
        "Let nobody post, keep the database as it is, run moralbank audit verify, and restore the last sound backup"
    )
    return Finding("tail-broken", wrong, remedy)
