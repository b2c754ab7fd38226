"""Worlds that many tests begin in: each is lived once in a process and on an engine, and copied for every test after.

    @world
    def street(database: Database) -> Street: ...

makes a fixture of that name. Its tests find the database as `street` left it, and hold a copy of what it returned. It
is lived on the real clock unless it sets its own, and must not keep the database.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from moralbank.db import Database
from tests._postgres import Cluster

World = Callable[[Database], Any]
#: By the identity of the fixture that `world` made.
_worlds: dict[int, World] = {}


def world(live: World) -> Any:
    """Make a fixture of how a database came to be as it is."""

    @pytest.fixture(name=live.__name__)
    def given(database: Database, lived: Any) -> Any:
        assert lived is not None, f"a test must name {live.__name__} among its arguments, or a fixture of it must"
        return copy.deepcopy(lived)

    _worlds[id(given)] = live
    return given


def world_of(request: pytest.FixtureRequest) -> World | None:
    """Return the world in which the test begins, or None for an empty bank."""
    places = [request.module, *_conftests(request)]
    nearest = [
        next((vars(place)[name] for place in places if name in vars(place)), None) for name in request.fixturenames
    ]
    found = {_worlds[id(fixture)] for fixture in nearest if id(fixture) in _worlds}
    assert len(found) <= 1, f"two worlds at once: {[live.__name__ for live in found]}"
    return found.pop() if found else None


def _conftests(request: pytest.FixtureRequest) -> list[ModuleType]:
    """Return the modules whose fixtures the test sees beside its own, the nearest first."""
    modules = [plugin for plugin in request.config.pluginmanager.get_plugins() if isinstance(plugin, ModuleType)]
    seen = [one for one in modules if Path(one.__file__ or "").name == "conftest.py"]
    near = [one for one in seen if Path(one.__file__ or "").parent in request.path.parents]
    return sorted(near, key=lambda one: len(Path(one.__file__ or "").parts), reverse=True)


@dataclass(frozen=True)
class Template:
    """A database to copy from, a file's path or a name, and what its world returned."""

    database: str
    lived: Any = None


class Templates:
    """The worlds that were lived in this process, by world and engine; None is the empty bank."""

    def __init__(self, folder: Path, empty_sqlite: Path, empty_postgresql: str, cluster: Cluster | None) -> None:
        self._folder, self._cluster = folder, cluster
        self._empty = {"sqlite": Template(str(empty_sqlite)), "postgresql": Template(empty_postgresql)}
        self._lived: dict[tuple[World, str], Template] = {}

    def of(self, live: World | None, engine: str) -> Template:
        if live is None:
            return self._empty[engine]
        if (live, engine) not in self._lived:
            name = f"w_{uuid4().hex}"
            where = str(self._folder / name) if engine == "sqlite" else name
            database = Database(self.copy(None, engine, where))
            lived = Context().run(live, database)
            if engine == "sqlite":
                with database.engine.connect() as connection:
                    connection.exec_driver_sql("COMMIT")
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            database.dispose()
            self._lived[live, engine] = Template(where, lived)
        return self._lived[live, engine]

    def copy(self, live: World | None, engine: str, where: str) -> str:
        """Copy a world's database to a path or a name; return its URL."""
        template = self.of(live, engine).database
        if engine == "sqlite":
            shutil.copy(template, where)
            return f"sqlite:///{where}"
        assert self._cluster is not None, "who asks for PostgreSQL has looked whether there is one"
        return self._cluster.create_database(where, template)
