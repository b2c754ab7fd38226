"""Whether the service says truly that it may be used; what it looks at is in tests/test_startup.py."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.app import create_app
from moralbank.config import ConfigError
from moralbank.db import Database
from moralbank.transparency import Log, heads, integrate
from moralbank.transparency.jobs import record_broken
from moralbank.transparency.service import resolve_refusal
from moralbank.transparency.signer import Signer
from moralbank.transparency.signer_memory import Place, Verdict
from moralbank.transparency.signing_keys import KeyFile
from moralbank.web import outages
from tests.ledger.conftest import open_test_book

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def as_owner(database_url: str, *statements: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as db:
        for statement in statements:
            db.exec_driver_sql(statement)
    engine.dispose()


def failing(client) -> list[str]:
    response = client.get("/readyz")
    body = response.get_json()
    assert response.status_code == (503 if body["failing"] else 200)
    return body["failing"]


def test_the_process_says_that_it_lives(client):
    response = client.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_a_migrated_database_is_ready_check_by_check(client):
    response = client.get("/readyz")
    assert response.status_code == 200
    sound = "append_only books clock database durable migrated role sealed undamaged writable"
    assert list(response.get_json()["checks"]) == sound.split()


def test_a_database_behind_the_code_is_not_ready(client, database_url):
    as_owner(database_url, "UPDATE alembic_version SET version_num = '0001_ledger'")
    assert failing(client) == ["migrated"]


def test_an_empty_database_is_not_ready(config, tmp_path):
    config = replace(config, database_url=f"sqlite:///{tmp_path}/empty.db")
    assert failing(create_app(config).test_client()) == ["migrated"]


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://somebody:secret@127.0.0.1:1/none?connect_timeout=1"]
)
@ON_SQLITE
def test_a_database_out_of_reach_is_not_ready_and_its_address_stays_private(config, url):
    client = create_app(replace(config, database_url=url)).test_client()
    assert client.get("/healthz").status_code == 200
    assert failing(client) == ["database"]
    text = client.get("/readyz").get_data(as_text=True)
    assert "somebody" not in text
    assert "nowhere" not in text


@ON_SQLITE
def test_what_a_start_would_refuse_makes_a_running_service_unready(client, database_url):
    as_owner(database_url, "DROP TRIGGER ledger_postings_no_delete")
    assert failing(client) == ["append_only"]
    assert "guard-broken" in client.get("/readyz").get_json()["checks"]["append_only"]


@ON_POSTGRESQL
def test_what_a_trial_may_do_without_is_said_and_keeps_nobody_away(client):
    checks = client.get("/readyz").get_json()["checks"]
    assert checks["durable"].startswith("ok for a trial, but not-durable: fsync and full_page_writes are off")
    assert failing(client) == []


@ON_SQLITE
def test_production_starts_on_a_sound_database_and_on_no_other(config, database_url):
    sound = replace(config, production=True, public_url="https://bank.example")
    create_app(sound)
    as_owner(database_url, "DROP TRIGGER ledger_entries_no_update")
    with pytest.raises(ConfigError, match=r"guard-broken: .*ledger_entries_no_update"):
        create_app(sound, Database(database_url))


def sealed(client) -> str:
    return client.get("/readyz").get_json()["checks"]["sealed"]


def test_entries_that_wait_too_long_for_the_log_or_a_checkpoint_are_told_and_an_idle_bank_is_calm(
    client, database, tmp_path, monkeypatch
):
    book = database.transact(open_test_book)
    database.transact(ledger.post, book.award("a", book.guiying, 5))
    later = clock.now() + timedelta(minutes=2)
    assert sealed(client) == "ok"
    with clock.at(later):
        assert sealed(client).startswith("log-behind: 1 of book NS-00 wait, the first for 1")
        monkeypatch.setattr("moralbank.web.health.STARTED_AT", later - timedelta(seconds=5))
        assert sealed(client) == "ok", "nobody could seal while the bank was shut"
        monkeypatch.undo()
    database.transact(integrate.integrate, book.book, Log.LEDGER)
    with clock.at(later):
        assert sealed(client).startswith("checkpoint-behind: 1 leaves of book NS-00 are in no checkpoint for 1")
        assert "sealed" in failing(client)
    office = KeyFile(tmp_path / "signing.key"), Place(tmp_path / "signer")
    Signer(database, *office, "bank.example").cycle()
    with clock.at(later + timedelta(days=400)):
        assert sealed(client) == "ok"


def test_a_tree_that_was_not_signed_makes_the_service_unready_until_it_is_resolved(client, database):
    book = database.transact(open_test_book)
    database.transact(record_broken, heads.Head(book.book, Log.LEDGER, 7, b"", b"", 0, 0, 0, 0, None))
    assert sealed(client) == "tree-refused: 1 not signed, see moralbank transparency status"
    database.transact(resolve_refusal, Place(Path("nowhere")), 1, Verdict("admin", "a trial", False))
    assert failing(client) == []


def test_a_write_that_waits_turns_it_red_within_seconds_and_its_end_green(client, database_url, monkeypatch):
    monkeypatch.setattr(outages, "PATIENCE_SECONDS", 0.3)
    assert failing(client) == []
    monkeypatch.setattr(outages, "PROOF_SECONDS", 0)
    engine = sa.create_engine(database_url)
    is_sqlite = database_url.startswith("sqlite")
    with engine.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "LOCK TABLE platform_leases IN EXCLUSIVE MODE")
        for _ in range(3):
            began = time.monotonic()
            response = client.get("/readyz")
            assert time.monotonic() - began < 3
            assert response.status_code == 503
            assert response.get_json()["failing"] == ["writable"]
            assert "a write has waited for" in response.get_json()["checks"]["writable"]
        assert sum(thread.name == "proof" for thread in threading.enumerate()) == 1, "one waits, not one for each asker"
        holder.rollback()
    engine.dispose()
    until = time.monotonic() + 20
    while failing(client):
        assert time.monotonic() < until
