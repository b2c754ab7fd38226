"""The real service on an engine that can be felled: what a fault campaign starts, kills, freezes and starts again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil

from moralbank import schema
from tests import _postgres
from tests.faults.disk import Disk

ROOT = Path(__file__).resolve().parent.parent
_DISK = "trial"
RECOVERY_SECONDS = 60


class Engine(Protocol):
    """A database of the campaign's own."""

    name: str
    #: How the service reaches it, and how whoever looks at it afterwards does.
    url: str
    plain_url: str
    environment: dict[str, str]

    def fall(self, dice: random.Random) -> None:
        """Lose what a machine that falls over loses; none of the service's processes lives any more."""

    def processes(self) -> list[psutil.Process]:
        """Return the engine's own processes."""

    def rise(self) -> None:
        """Come back after a fall."""


class Sqlite:
    """A SQLite file on a disk that keeps only what was synced."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bank.db"
        self._disk = Disk(folder / "synced", _DISK)
        self.url = self._disk.url(self._path)
        self.plain_url = f"sqlite:///{self._path}"
        self.environment = {"MORALBANK_TRIAL_DISK": f"{_DISK}:{folder / 'synced'}"}

    def fall(self, dice: random.Random) -> None:
        self._disk.cut(self._path, dice)

    def processes(self) -> list[psutil.Process]:
        return []

    def rise(self) -> None:
        """A file is there when it is looked for."""


class Postgresql:
    """A PostgreSQL that waits for the disk, and whose processes can all be killed."""

    name = "PostgreSQL"

    def __init__(self, cluster: _postgres.Cluster) -> None:
        self._cluster = cluster
        self.url = self.plain_url = cluster.create_database("faults")
        self.environment: dict[str, str] = {}

    def fall(self, dice: random.Random) -> None:
        self._cluster.kill()

    def processes(self) -> list[psutil.Process]:
        return self._cluster.processes()

    def rise(self) -> None:
        self._cluster.resume()


@contextlib.contextmanager
def open_engine(name: str) -> Iterator[Engine]:
    """Give an empty, migrated database of the campaign's own, gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="moralbank-faults-"))
    try:
        if name == "sqlite":
            engine: Engine = Sqlite(folder)
            schema.migrate(engine.url)
            yield engine
        else:
            cluster = _postgres.start(folder / "pg", is_durable=True)
            try:
                engine = Postgresql(cluster)
                schema.migrate(engine.url)
                yield engine
            finally:
                cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Bank:
    """The service as scripts/serve runs it: a supervisor, its web server, its scheduler and its signer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._folder = Path(tempfile.mkdtemp(prefix="moralbank-faults-var-"))
        self.log = self._folder / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: psutil.Popen | None = None

    def start(self) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "faults" / "startup")])
        settings = {"MORALBANK_VAR": str(self._folder / "var"), "DATABASE_URL": self.engine.url, "PYTHONPATH": path}
        words = [sys.executable, "-m", "moralbank.supervisor", "--port", str(self.port)]
        environment = os.environ | settings | self.engine.environment
        with self.log.open("ab") as log:
            self._process = psutil.Popen(words, env=environment, stdout=log, stderr=log, cwd=ROOT)

    def keep_running(self) -> bool:
        """Start the service again when its supervisor is gone, as the machine would; tell whether that was so."""
        if self._process is not None and self._process.poll() is None:
            return False
        self.start()
        return True

    def stop(self) -> int:
        """Stop in good order and return the exit status."""
        assert self._process is not None, "stopped before it was started"
        self._process.send_signal(signal.SIGTERM)
        return int(self._process.wait(timeout=30))

    def kill_all(self) -> None:
        """End every process of the service at once, as a machine that falls over does."""
        family = self.family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)

    def family(self) -> list[psutil.Process]:
        """Return the supervisor and all that descend from it."""
        if self._process is None or self._process.poll() is not None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._process, *self._process.children(recursive=True)]
        return []

    def scheduler(self) -> list[psutil.Process]:
        return [process for process in self._children() if _is_named(process, "moralbank.scheduler")]

    def signer(self) -> list[psutil.Process]:
        return [process for process in self._children() if _is_named(process, "moralbank.signer")]

    def web_server(self) -> list[psutil.Process]:
        """Return the web server's first process."""
        others = ("moralbank.scheduler", "moralbank.signer")
        return [process for process in self._children() if not any(_is_named(process, name) for name in others)]

    def web_workers(self) -> list[psutil.Process]:
        """Return the processes that answer, or the first one where it answers itself."""
        found = []
        for first in self.web_server():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += first.children(recursive=True) or [first]
        return found

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status == 200 and json.loads(answer.read())["failing"] == []
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()

    def wait_until_ready(self, seconds: float = RECOVERY_SECONDS) -> bool:
        """Wait until the bank is ready by itself; False when it takes longer."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.is_ready():
                return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        self.kill_all()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return [] if self._process is None else list(self._process.children())
        return []


def _is_named(process: psutil.Process, word: str) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return any(word in part for part in process.cmdline())
    return False
