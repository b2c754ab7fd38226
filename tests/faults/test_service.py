"""The real service, started as scripts/serve starts it: stopped under load, started twice, killed while it migrates."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from moralbank import db as moralbank_db
from moralbank import ledger, schema
from moralbank.db import Database
from moralbank.redemptions import codes
from scripts.faults_bank import Bank
from scripts.faults_people import People, gather
from tests import _ci, _postgres
from tests.conftest import PG_PORT
from tests.faults.conftest import app_on, let_codes_last

CLIENTS = 8


@dataclass
class Engine:
    """The test's own database, which stays whatever happens to the service."""

    url: str
    name: str = "tests"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def plain_url(self) -> str:
        return self.url

    def fall(self, dice: random.Random) -> None:
        raise NotImplementedError

    def processes(self) -> list[psutil.Process]:
        return []

    def rise(self) -> None:
        raise NotImplementedError


@pytest.fixture
def bank(database_url: str) -> Iterator[Bank]:
    bank = Bank(Engine(database_url))
    yield bank
    bank.close()


@dataclass
class Payment:
    """One charge on a connection of its own, and how it ended."""

    token: str
    body: dict[str, object]
    key: str
    ended: str = ""
    answer: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": self.key,
            "Content-Type": "application/json",
        }

    def send(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("POST", "/api/v1/redemptions", json.dumps(self.body), self.headers)
            answer = connection.getresponse()
            self.answer = answer.read()
            self.ended = str(answer.status)
        except ConnectionRefusedError:
            self.ended = "closed"
        except (OSError, http.client.HTTPException):
            self.ended = "cut"
        finally:
            connection.close()


def payments(url: str, people: People, count: int) -> list[Payment]:
    def issue(db: sa.Connection) -> list[str]:
        return [codes.issue_code(db, people.payers[n % len(people.payers)].resident_id).number for n in range(count)]

    database = Database(url)
    try:
        issued = database.transact(issue)
        database.transact(let_codes_last)
    finally:
        database.dispose()
    till = people.tills[0]
    order = {"merchant_id": till.merchant_id, "points": 1, "confirmed": True}
    return [Payment(till.token, order | {"code": code}, f"key-{code}") for code in issued]


@pytest.mark.long
def test_a_stop_answers_or_refuses_whatever_is_under_way_and_leaves_nothing_half(bank: Bank) -> None:
    url = bank.engine.url
    people = gather(url, payers=60)
    bank.start()
    assert bank.wait_until_ready(), bank.log.read_text()
    waiting = payments(url, people, 600)
    sent: list[Payment] = []

    def pay() -> None:
        while waiting:
            payment = waiting.pop()
            sent.append(payment)
            payment.send(bank.port)
            if payment.ended == "closed":
                return

    threads = [threading.Thread(target=pay) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while sum(payment.ended == "201" for payment in sent) < 2 * CLIENTS:
        time.sleep(0.01)
    assert bank.stop() == 0
    for thread in threads:
        thread.join()
    ends = {payment.ended for payment in sent}
    assert ends <= {"201", "503", "closed", "cut"}
    assert {"201", "closed"} <= ends, "the stop came while charges were under way"
    client = app_on(url).test_client()
    for payment in sent:
        again = client.post("/api/v1/redemptions", json=payment.body, headers=payment.headers)
        assert again.status_code == 201, again.text
        # What was answered stays answered; what was cut off on its way in never happened.
        assert ("Idempotency-Replayed" in again.headers) == (payment.ended == "201"), payment
        assert payment.ended != "201" or again.data == payment.answer
    check(url, charges=len(sent))


def check(url: str, *, charges: int) -> None:
    database = Database(url)
    with database.reading() as db:
        for book in ledger.list_books(db):
            report = ledger.verify(db, book.book_id)
            assert report.is_sound, report.first_fault
        assert db.execute(sa.text("SELECT count(*) FROM redemptions_charges")).scalar_one() == charges
    database.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_second_start_on_the_same_file_is_refused_and_the_first_goes_on(bank: Bank, tmp_path: Path) -> None:
    bank.start()
    assert bank.wait_until_ready(), bank.log.read_text()
    words = [sys.executable, "-m", "moralbank.supervisor", "--port", "0"]
    own = {"MORALBANK_VAR": str(tmp_path / "another"), "DATABASE_URL": bank.engine.url}
    second = subprocess.run(words, env=os.environ | own, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert "is already open (process " in second.stderr
    assert "MORALBANK_VAR and a DATABASE_URL of its own" in second.stderr
    assert bank.is_ready()
    bank.kill_all()
    with Path(f"{bank.engine.url.removeprefix('sqlite:///')}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # A supervisor that was killed keeps nobody out.


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"MORALBANK_VAR": "/dev/null/var"}, "Can't write /dev/null/var (Not a directory)."),
        ({"DATABASE_URL": "sqlite:////nowhere/bank.db"}, "moralbank: no database (DATABASE_URL or MORALBANK_VAR"),
        ({"DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none"}, "moralbank: no database (DATABASE_URL"),
    ],
)
def test_a_place_that_can_not_be_had_is_named_in_one_sentence(
    settings: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "moralbank.supervisor", "--port", "0"]
    environment = os.environ | {"MORALBANK_VAR": str(tmp_path / "var")} | settings
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith(sentence), ended.stderr
    assert ended.stderr.count("\n") <= 2
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_migration_that_is_killed_halfway_leaves_nothing_and_the_next_one_does_it_all(
    engine: str, tmp_path: Path
) -> None:
    with _empty(engine, tmp_path) as url:
        words = [sys.executable, "-c", _SLOW_MIGRATION, url]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "halfway\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert _tables(url) == set()
        schema.migrate(url)
        assert {"ledger_entries", "platform_runs"} <= _tables(url)
        assert _revision(url) == schema.head()


#: Migrates, and stands still when some of the revisions are done and others are not.
_SLOW_MIGRATION = """
import sys, time
from alembic.operations import Operations
from moralbank import schema
create, made = Operations.create_table, []
def create_slowly(self, name, *args, **kwargs):
    made.append(name)
    if len(made) == 12:
        print("halfway", flush=True)
        time.sleep(60)
    return create(self, name, *args, **kwargs)
Operations.create_table = create_slowly
schema.migrate(sys.argv[1])
"""


@contextlib.contextmanager
def _empty(engine: str, folder: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{folder}/empty.db"
        return
    if PG_PORT not in os.environ:
        _ci.missing("no PostgreSQL on this machine (set MORALBANK_PG_BIN)")
    cluster, name = _postgres.Cluster(int(os.environ[PG_PORT])), f"empty_{os.getpid()}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


def _revision(url: str) -> str | None:
    engine = moralbank_db.make_engine(url)
    try:
        with engine.connect() as db:
            return schema.find_revision(db)
    finally:
        engine.dispose()


def _tables(url: str) -> set[str]:
    engine = moralbank_db.make_engine(url)
    try:
        with engine.connect() as db:
            return set(sa.inspect(db).get_table_names())
    finally:
        engine.dispose()
