"""Starts what the bench runs on: databases of its own on both engines, and pgbench, whose rate is the unit R."""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import ExitStack
from functools import cached_property
from itertools import count
from pathlib import Path
from types import TracebackType

from moralbank import schema
from tests import _postgres

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
ENGINES = (SQLITE, POSTGRESQL)
#: R is the best of these, as in docs/PERFORMANCE.md.
PGBENCH_CLIENTS = (8, 16)


class Engines:
    """A folder for SQLite files and one durable PostgreSQL cluster, both gone when this ends."""

    def __init__(self, *, is_quick: bool) -> None:
        self._stack = ExitStack()
        self._names = (f"bench_{number}" for number in count(1))
        self._is_quick = is_quick
        # As many branches as clients, so that pgbench's own hot rows don't make R small.
        self._scale = 1 if is_quick else max(PGBENCH_CLIENTS)

    def __enter__(self) -> Engines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def database(self, engine: str) -> str:
        """Create an empty, migrated database and return its URL."""
        name = next(self._names)
        url = f"sqlite:///{self._folder / name}.db" if engine == SQLITE else self._cluster.create_database(name)
        schema.migrate(url)
        return url

    def empty_database(self) -> str:
        """Create a database on the cluster without any tables and return its URL."""
        return self._cluster.create_database(next(self._names))

    def pgbench(self, seconds: float) -> float:
        """Return R: PostgreSQL's own TPC-B-like transactions per second, on the same durable cluster."""
        return max(self._pgbench(clients, seconds) for clients in PGBENCH_CLIENTS)

    def _pgbench(self, clients: int, seconds: float) -> float:
        # It counts in whole seconds.
        length = ["--transactions", "20"] if self._is_quick else ["--time", str(max(1, round(seconds)))]
        printed = self._pgbench_command("--no-vacuum", "--client", str(clients), "--jobs", "2", *length)
        found = re.search(r"tps = ([\d.]+)", printed)
        if not found:
            raise RuntimeError(f"pgbench printed no rate: {printed}")
        return float(found[1])

    @cached_property
    def _pgbench_database(self) -> str:
        name = next(self._names)
        self._cluster.create_database(name)
        return name

    def _pgbench_command(self, *words: str, is_filled: bool = True) -> str:
        if is_filled:
            self._fill  # noqa: B018 - filled once, before the first run
        command = [
            str(_postgres.find_binaries() / "pgbench"), "--host", "127.0.0.1", "--port", str(self._cluster.port),
            "--username", _postgres.USER, *words, self._pgbench_database,
        ]  # fmt: skip
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    @cached_property
    def _fill(self) -> None:
        self._pgbench_command("--initialize", "--quiet", "--scale", str(self._scale), is_filled=False)

    @cached_property
    def _folder(self) -> Path:
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="moralbank-bench-")))

    @cached_property
    def _cluster(self) -> _postgres.Cluster:
        cluster = _postgres.start(Path(tempfile.mkdtemp(prefix="moralbank-bench-pg-")), is_durable=True)
        self._stack.callback(cluster.stop)
        return cluster
