"""The floors' own way to the database: plain SQLAlchemy, as durable as the service and nothing of the service's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import sqlalchemy as sa
from sqlalchemy.engine import Connection

#: Accounts of the bare route.
PURSES = 1_000


class Plain:
    """One transaction per act. SQLite's writers of a process queue at a lock: its own waiting is an unfair poll."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url, pool_size=16, max_overflow=32)
        self.is_sqlite = url.startswith("sqlite")
        self._turn = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _make_durable)
            sa.event.listen(self.engine, "begin", _begin_immediate)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._turn, self.engine.begin() as db:
            yield db

    def close(self) -> None:
        self.engine.dispose()


def _make_durable(dbapi: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "cache_size=-16000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(db: Connection) -> None:
    db.exec_driver_sql("BEGIN IMMEDIATE")


def make_purses(plain: Plain) -> None:
    """Make what the bare route writes into."""
    with plain.writing() as db:
        serial = "INTEGER" if plain.is_sqlite else "SERIAL"
        db.exec_driver_sql(
            f"CREATE TABLE bare_charges (charge_id {serial} PRIMARY KEY, account BIGINT NOT NULL, points BIGINT)"
        )
        db.exec_driver_sql("CREATE TABLE bare_purses (account BIGINT PRIMARY KEY, balance BIGINT NOT NULL)")
        purses = [{"account": account} for account in range(PURSES)]
        db.execute(sa.text("INSERT INTO bare_purses VALUES (:account, 1000000000)"), purses)
