"""A shop whose database fails in its own way: on a disk of the trial's, or on a PostgreSQL that can be stopped."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from moralbank import ledger, schema
from moralbank.app import create_app
from moralbank.config import Config
from moralbank.db import Database
from tests import _ci, _postgres
from tests._people import bearer
from tests.faults import disk as trial_disk
from tests.faults.disk import Disk
from tests.redemptions.conftest import Street, make_street, show_code

SECRET = "a test key of more than thirty-two characters"


@dataclass
class Shop:
    """Li Yulan's shop as a program at its till sees it, and the bank behind it."""

    app: Flask
    street: Street
    headers: dict[str, str]

    @property
    def database(self) -> Database:
        found: Database = self.app.extensions["moralbank_database"]
        return found

    def code(self) -> str:
        """Let Zhang Jiansan show a payment code."""
        return self.database.transact(show_code, self.street.zhang)

    def codes(self, count: int) -> list[str]:
        """Let him show many codes, and each hold until the trial is over, however slow the machine."""
        found = [self.code() for _ in range(count)]
        self.database.transact(let_codes_last)
        return found

    def charge(self, code: str, key: str, points: int = 3) -> TestResponse:
        order = {"merchant_id": self.street.shop.merchant_id, "points": points, "code": code, "confirmed": True}
        headers = self.headers | {"Idempotency-Key": key}
        return self.app.test_client().post("/api/v1/redemptions", json=order, headers=headers)

    def look(self, path: str) -> TestResponse:
        return self.app.test_client().get(path)

    def failing(self) -> list[str]:
        """Return which checks of readiness fail; the status must say the same."""
        response = self.look("/readyz")
        found: list[str] = response.get_json()["failing"]
        assert response.status_code == (503 if found else 200)
        return found

    def count(self, table: str) -> int:
        with self.database.reading() as db:
            return int(db.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())

    def check_books(self) -> None:
        with self.database.reading() as db:
            for book in ledger.list_books(db):
                report = ledger.verify(db, book.book_id)
                assert report.is_sound, report.first_fault


def let_codes_last(db: sa.Connection) -> None:
    db.execute(sa.text("UPDATE redemptions_codes SET expires_at = '2100-01-01 00:00:00'"))


def open_shop(url: str) -> Shop:
    """Open the shop in an empty bank."""
    app = app_on(url)
    database: Database = app.extensions["moralbank_database"]
    street = database.transact(make_street)
    return Shop(app, street, database.transact(bearer, street.li, "charges:write", "charges:read"))


def restarted(shop: Shop, url: str) -> Shop:
    """Return the same shop after the service was started again."""
    return Shop(app_on(url), shop.street, shop.headers)


def app_on(url: str) -> Flask:
    """Return the application on a database, as a start of the service makes it."""
    app = create_app(Config(url, SECRET, public_url="http://localhost", production=False, debug=False))
    app.testing = True
    return app


def is_outage(response: TestResponse, code: str) -> bool:
    """Tell whether the answer is a 503 problem of this code that says when to come again."""
    problem: dict[str, Any] = response.get_json()
    assert response.content_type == "application/problem+json"
    assert problem["detail"]
    assert int(response.headers["Retry-After"]) > 0
    return (response.status_code, problem["code"]) == (503, code)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    try:
        return Disk(tmp_path / "synced")
    except trial_disk.Unavailable as error:
        _ci.missing(str(error))


@pytest.fixture
def shop_on_disk(disk: Disk, tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The shop on SQLite, on a disk that fails when it is told to; its books must close at the end."""
    path = tmp_path / "bank.db"
    shutil.copy(migrated_sqlite, path)
    shop = open_shop(disk.url(path))
    yield shop
    disk.recover()
    shop.check_books()
    shop.database.dispose()


@pytest.fixture(scope="module")
def cluster() -> Iterator[_postgres.Cluster]:
    """A PostgreSQL of its own, which waits for the disk, for trials that stop it."""
    try:
        cluster = _postgres.start(Path(tempfile.mkdtemp(prefix="moralbank-faults-")), is_durable=True)
    except _postgres.Unavailable as error:
        _ci.missing(str(error))
    yield cluster
    cluster.stop()


@pytest.fixture
def shop_on_server(cluster: _postgres.Cluster, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The shop on a PostgreSQL that can be stopped; its books must close at the end."""
    name = f"faults_{abs(hash(request.node.name))}"
    url = cluster.create_database(name)
    schema.migrate(url)
    shop = open_shop(url)
    yield shop
    if not cluster.is_ready():
        cluster.resume()
    shop.check_books()
    shop.database.dispose()
    cluster.drop_database(name)
