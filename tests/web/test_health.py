"""Whether the service says truly that it may be used; what it looks at is in tests/test_startup.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from moralbank.app import create_app
from moralbank.config import ConfigError
from moralbank.db import Database

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
    sound = ["append_only", "clock", "database", "durable", "migrated", "role", "undamaged", "writable"]
    assert list(response.get_json()["checks"]) == sound


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
