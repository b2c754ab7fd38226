"""Both engines for every test that touches a database, and books that must close after each."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import settings
from jinja2 import FileSystemBytecodeCache

from moralbank import db as moralbank_db
from moralbank import ledger, schema
from moralbank.config import Config
from moralbank.db import Database
from tests import _ci, _postgres
from tests._browser import find_chromium
from tests._worlds import Templates, world_of

PG_PORT = "MORALBANK_TEST_PG_PORT"
TEMPLATE = "moralbank_template"

os.environ.setdefault("MORALBANK_CHEAP_HASHES", "1")
# How long an example took says something of the machine and nothing of the code.
settings.register_profile("moralbank", deadline=None)
settings.load_profile("moralbank")

_cluster: _postgres.Cluster | None = None
_engines: dict[str, sa.Engine] = {}
_make_engine = moralbank_db.make_engine


def _make_engine_like_the_first(url: str) -> sa.Engine:
    """Make an engine that has what was compiled for the first of its kind in this process.

    To compile its statements anew was a sixth of what a test cost.
    """
    engine = _make_engine(url)
    first = _engines.setdefault(engine.dialect.name, engine)
    engine.dialect = engine.pool._dialect = first.dialect  # What is compiled is found by the dialect.
    engine._compiled_cache = first._compiled_cache
    return engine


moralbank_db.make_engine = _make_engine_like_the_first


def pytest_configure(config: pytest.Config) -> None:
    """Start one PostgreSQL for the whole run, in the controlling process, and migrate its template once."""
    global _cluster
    if hasattr(config, "workerinput") or PG_PORT in os.environ or config.option.collectonly:
        return
    try:
        _cluster = _postgres.start(_postgres.make_folder())
    except _postgres.Unavailable as error:
        if _ci.is_ci():
            raise pytest.UsageError(f"CI needs PostgreSQL: {error}") from error
        return
    schema.migrate(_cluster.create_database(TEMPLATE))
    os.environ[PG_PORT] = str(_cluster.port)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each process begin with its share of the long ones, so that none is at one alone when the others are done.

    xdist hands out a fourth of all tests at the start, in stretches, and the rest as they are asked for.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    stretch = max(len(items) // (4 * processes), 2)
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    items.clear()
    for number in range(processes):
        share = long[number::processes]
        rest = max(stretch - len(share), 0)
        items += [*share, *short[:rest]]
        del short[:rest]
    items += short


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by what lives as long as the run: modules, and thousands of collected tests.

    Looked through again and again, these cost about a twentieth of the tests' time.
    """
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _cluster is not None:
        os.environ.pop(PG_PORT, None)
        _cluster.stop()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    schema.migrate(f"sqlite:///{path}")
    engine = moralbank_db.make_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Templates:
    port = os.environ.get(PG_PORT)
    cluster = _postgres.Cluster(int(port)) if port else None
    return Templates(tmp_path_factory.mktemp("worlds"), migrated_sqlite, TEMPLATE, cluster)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, templates: Templates) -> Iterator[str]:
    """The URL of a database of its own, on each engine in turn: migrated, and as the test's world left it or empty."""
    world = world_of(request)
    if request.param == "sqlite":
        yield templates.copy(world, "sqlite", str(request.getfixturevalue("tmp_path") / "moralbank.db"))
        return
    if PG_PORT not in os.environ:
        _ci.missing("no PostgreSQL on this machine (set MORALBANK_PG_BIN)")
    name = f"t_{uuid4().hex}"
    yield templates.copy(world, "postgresql", name)
    _postgres.Cluster(int(os.environ[PG_PORT])).drop_database(name)


@pytest.fixture
def lived(request: pytest.FixtureRequest, database: Database, templates: Templates) -> Any:
    """What the test's world returned when it was lived; None in an empty bank."""
    world = world_of(request)
    return None if world is None else templates.of(world, database.engine.dialect.name).lived


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database of its own; when the test ends, every book in it must close."""
    database = Database(database_url)
    yield database
    with database.reading() as db:
        for book in ledger.list_books(db):
            report = ledger.verify(db, book.book_id)
            assert report.is_sound, report.first_fault
    database.dispose()


@pytest.fixture
def config(database_url: str) -> Config:
    return Config(
        database_url=database_url,
        secret_key="a test key of more than thirty-two characters",
        public_url="http://localhost",
        production=False,
        debug=False,
    )


CHROMIUM_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The one browser of the run: its driver can be started only once in a process."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = find_chromium()
    if path is None:
        _ci.missing("no Chromium on this machine (set MORALBANK_CHROMIUM)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """The templates as compiled by the first test that shows them: an application a test would compile them anew."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def fresh_app(config: Config, database: Database, compiled_templates: FileSystemBytecodeCache) -> Flask:
    """An application of this test's own, to which it may add routes."""
    return make_app(config, database, compiled_templates)


@pytest.fixture(scope="session")
def built_apps() -> dict[str, LentApp]:
    """The applications of this process, by engine."""
    return {}


@pytest.fixture
def app(
    config: Config, database: Database, compiled_templates: FileSystemBytecodeCache, built_apps: dict[str, LentApp]
) -> Flask:
    """The application on this test's database; to build one takes longer than most tests, so they share it in turn."""
    engine = database.engine.dialect.name
    if engine not in built_apps:
        built_apps[engine] = LentApp(make_app(config, database, compiled_templates))
    return built_apps[engine].lend(config, database)


def make_app(config: Config, database: Database, templates: FileSystemBytecodeCache) -> Flask:
    from moralbank.app import create_app

    app = create_app(config, database)
    app.jinja_env.bytecode_cache = templates
    app.testing = True
    return app


class LentApp:
    """An application that forgets, from test to test, what it was told and which database it had."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._reference = app.wsgi_app.reference  # type: ignore[attr-defined]
        self._config, self._extensions = dict(app.config), dict(app.extensions)
        self._client_class = app.test_client_class
        self._before = {name: list(functions) for name, functions in app.before_request_funcs.items()}

    def lend(self, config: Config, database: Database) -> Flask:
        from moralbank.app import SHORT_READS, SHORT_WAYS
        from moralbank.web import db as web_db
        from moralbank.web import outages
        from moralbank.web.front import Front

        app = self._app
        app.test_client_class = self._client_class  # A test may have made it one that sends forms.
        app.config.clear()
        app.config.update(self._config | {"MORALBANK": config})
        app.extensions.clear()
        app.extensions.update(self._extensions)
        app.before_request_funcs.clear()
        app.before_request_funcs.update({name: list(functions) for name, functions in self._before.items()})
        outages.init_app(app)
        web_db.init_app(app, database)
        app.wsgi_app = self._reference  # type: ignore[method-assign]
        app.wsgi_app = Front(app, database, SHORT_WAYS, SHORT_READS)  # type: ignore[method-assign]
        return app


@pytest.fixture
def client(app):
    return app.test_client()
