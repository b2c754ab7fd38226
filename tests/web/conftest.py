"""An API of trials, and somebody who may use it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache

from moralbank.config import Config
from moralbank.db import Database
from tests._people import bearer, make_branch_tree, make_login
from tests.conftest import LentApp, make_app
from tests.web import _trials


class Caller:
    """A caller of the API with a token of their own."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self.client = client
        self.headers = headers

    def get(self, path: str, **keywords: Any) -> Any:
        headers = self.headers | keywords.pop("headers", {})
        return self.client.get(f"/api/v1{path}", headers=headers, **keywords)

    def post(self, path: str, json: Any = None, *, key: str = "key-00000001", **keywords: Any) -> Any:
        return self.send("POST", path, json=json, key=key, **keywords)

    def send(self, method: str, path: str, *, key: str = "key-00000001", **keywords: Any) -> Any:
        headers = self.headers | {"Idempotency-Key": key} | keywords.pop("headers", {})
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **keywords)


@pytest.fixture
def trial_app(
    config: Config, database: Database, compiled_templates: FileSystemBytecodeCache, built_apps: dict[str, LentApp]
) -> Flask:
    """The application with the operations of _trials.py added, built once as the others are."""
    _trials.make_table(config.database_url)
    name = f"trials on {database.engine.dialect.name}"
    if name not in built_apps:
        app = make_app(config, database, compiled_templates)
        _trials.add_to(app)
        built_apps[name] = LentApp(app)
    return built_apps[name].lend(config, database)


@pytest.fixture
def callers(trial_app: Flask, database: Database) -> list[Caller]:
    """Mei and Bo, two members of staff at the same station, each with a token."""
    tree = database.transact(make_branch_tree)
    found = []
    for _ in range(2):
        login = database.transact(make_login, "staff", tree["NS-01"])
        headers = database.transact(bearer, login, "branches:read", "awards:write")
        found.append(Caller(trial_app.test_client(), headers))
    return found


@pytest.fixture
def mei(callers: list[Caller]) -> Caller:
    return callers[0]


@pytest.fixture
def bo(callers: list[Caller]) -> Caller:
    return callers[1]


@pytest.fixture
def count_trials(database: Database) -> Any:
    """How many trials were made."""

    def count() -> int:
        with database.reading() as db:
            return db.execute(sa.select(sa.func.count()).select_from(_trials.trials)).scalar_one()

    return count
