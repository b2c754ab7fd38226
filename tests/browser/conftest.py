"""One Chromium for the run, a bank with a town for each test, and windows that tolerate no fault."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from moralbank.db import Database
from tests import _ci, _postgres
from tests._browser import PATIENCE
from tests.browser._bank import Bank
from tests.browser._town import Town, build
from tests.conftest import PG_PORT, TEMPLATE

#: How long a window waits for what must come: a machine with much else to do takes its time.
PATIENCE_MS = 60_000
SIZES = {"phone": (360, 780), "counter": (1024, 600), "desk": (1280, 800), "screen": (1920, 1080)}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> tuple[Path, Town]:
    """A SQLite file with the town in it, to copy from."""
    path = tmp_path_factory.mktemp("town") / "town.db"
    shutil.copy(migrated_sqlite, path)
    database = Database(f"sqlite:///{path}")
    town = database.transact(build)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path, town


@pytest.fixture
def bank(request: pytest.FixtureRequest) -> Iterator[Bank]:
    """A bank of this test's own, on SQLite; parametrized indirectly with "postgresql", on that."""
    if getattr(request, "param", "sqlite") == "sqlite":
        path, town = request.getfixturevalue("built")
        own = request.getfixturevalue("tmp_path") / "moralbank.db"
        shutil.copy(path, own)
        bank = Bank(f"sqlite:///{own}", town)
        yield bank
        bank.close()
        return
    if PG_PORT not in os.environ:
        _ci.missing("no PostgreSQL on this machine (set MORALBANK_PG_BIN)")
    cluster, name = _postgres.Cluster(int(os.environ[PG_PORT])), f"t_{uuid4().hex}"
    url = cluster.create_database(name, TEMPLATE)
    database = Database(url)
    town = database.transact(build)
    database.dispose()
    bank = Bank(url, town)
    yield bank
    bank.close()
    cluster.drop_database(name)


@dataclass
class Windows:
    """Opens windows at the bank and notes everything that should not happen in them."""

    chromium: Any
    bank: Bank
    faults: list[str] = field(default_factory=list)
    #: Set by a test that cuts the network itself.
    is_cut: bool = False
    _contexts: list[Any] = field(default_factory=list)

    def open(self, who: str | None = None, size: str = "phone", path: str | None = None, **options: Any) -> Any:
        """Open a window of a size for somebody who has signed in (None: for a stranger), perhaps at a path."""
        width, height = SIZES[size]
        options = {"viewport": {"width": width, "height": height}, "locale": "zh-CN", **options}
        context = self.chromium.new_context(base_url=self.bank.url, **options)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(PATIENCE)
        self._contexts.append(context)
        if who is not None:
            context.add_cookies([self.bank.cookie_of(who)])
        context.on("console", self._note_console)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("request", self._note_request)
        context.on("response", self._note_response)
        page = context.new_page()
        if path is not None:
            page.goto(path)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _note_console(self, message: Any) -> None:
        # Chromium reports every 4xx answer in these words; refusals are part of the flows, 5xx are noted below.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text}")
        elif message.type == "error" and "net::" in message.text and not self.is_cut:
            self.faults.append(f"network: {message.text} {message.location}")

    def _note_request(self, request: Any) -> None:
        if request.url.startswith(("data:", "blob:")):
            return
        if urlsplit(request.url).netloc != urlsplit(self.bank.url).netloc:
            self.faults.append(f"another host: {request.url}")

    def _note_response(self, response: Any) -> None:
        is_static = urlsplit(response.url).path.startswith("/static/")
        if response.status >= 500 or (is_static and response.status >= 400):
            self.faults.append(f"{response.status}: {response.url}")


@pytest.fixture
def windows(chromium: Any, bank: Bank) -> Iterator[Windows]:
    """Windows at this test's bank: no script may fail in them, and nothing may come from elsewhere."""
    windows = Windows(chromium, bank)
    yield windows
    windows.close()
    assert windows.faults == []
