"""Which PostgreSQL server is written to, and what becomes of one that falls silent."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from moralbank import primary
from moralbank.db import Database
from tests import _ci, _postgres

only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primary, "_TICK_SECONDS", 0.1)
    monkeypatch.setattr(primary, "_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(primary, "CONNECT_SECONDS", 2)  # The driver takes no less.


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Stop every process of the server in the folder, as a machine does whose disk never answers."""
    postmaster = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
    processes = [postmaster, *postmaster.children()]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


@pytest.fixture
def own_server() -> Iterator[tuple[Path, str]]:
    folder = Path(tempfile.mkdtemp(prefix="moralbank-pg-"))
    try:
        server = _postgres.start(folder)
    except _postgres.Unavailable as reason:
        _ci.missing(str(reason))
    yield folder, server.create_database("own")
    server.stop()


def sleep(db: sa.Connection, seconds: float) -> int:
    db.execute(sa.text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
    return 1


@only_postgresql
def test_a_server_that_takes_no_writes_is_refused_for_reading_too(database: Database) -> None:
    name = database.engine.url.database
    with database.engine.connect() as db:
        db.exec_driver_sql("RESET ROLE")
        db.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        db.exec_driver_sql("COMMIT")
    replica = Database(database.engine.url.render_as_string(hide_password=False))
    try:
        for use in (replica.transact, replica.look):
            with pytest.raises(sa.exc.OperationalError, match="session is read-only"):
                use(sleep, 0)
        with pytest.raises(sa.exc.OperationalError, match="session is read-only"), replica.reading():
            pass
    finally:
        replica.dispose()


@only_postgresql
def test_of_several_hosts_the_one_that_answers_is_taken(database: Database) -> None:
    url = database.engine.url
    several = url.set(
        host=None, port=None, query={"host": [f"127.0.0.1:{_postgres.free_port()}", f"{url.host}:{url.port}"]}
    )
    found = Database(several.render_as_string(hide_password=False))
    assert found.transact(sleep, 0) == 1
    found.dispose()


def test_whoever_waits_for_a_frozen_server_gets_a_fault_and_the_next_may_go_on(
    own_server: tuple[Path, str], impatient: None
) -> None:
    folder, url = own_server
    database = Database(url)
    assert database.transact(sleep, 0) == 1
    with frozen(folder):
        began = time.monotonic()
        with pytest.raises(sa.exc.DBAPIError):
            database.look(sleep, 0)
        assert time.monotonic() - began < 30
    assert database.transact(sleep, 0) == 1
    database.dispose()


@only_postgresql
def test_a_long_statement_of_a_living_server_is_left_alone(database: Database, impatient: None) -> None:
    assert database.transact(sleep, 1.5) == 1


@only_postgresql
def test_nobody_watches_when_nothing_is_connected(database_url: str, impatient: None) -> None:
    def watchers() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "watch of the primary"}

    database, others = Database(database_url), watchers()
    database.transact(sleep, 0)
    [ours] = watchers() - others
    database.dispose()
    ours.join(timeout=10)
    assert not ours.is_alive()
