"""The web server as the process it is: what it refuses, whom it waits for, and that a worker's death costs nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from flask import Flask

from moralbank import schema, server

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_SECONDS = 60
HEAD = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


class Running:
    """A web server with two workers on a port of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        url = f"sqlite:///{folder / 'bank.db'}"
        schema.migrate(url)
        (folder / "metrics").mkdir(exist_ok=True)
        settings = {
            "MORALBANK_VAR": str(folder),
            "DATABASE_URL": url,
            "SECRET_KEY": "k" * 40,
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        }
        self.log = folder / "log"
        words = [sys.executable, "-m", "moralbank.server", "--bind", f"127.0.0.1:{self.port}", "--workers", "2"]
        with self.log.open("wb") as log:
            self.process = psutil.Popen(words, cwd=ROOT, env=os.environ | settings, stdout=log, stderr=log)
        self.wait_until_open()

    def wait_until_open(self) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError):
                if self.talk(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
                    b"HTTP/1.1 200"
                ):
                    return
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    def talk(self, octets: bytes, seconds: float = 20) -> bytes:
        """Send octets on a connection of their own and return all that comes until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as line:
            line.sendall(octets)
            heard = b""
            while piece := line.recv(65_536):
                heard += piece
        return heard


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    running = Running(folder)
    yield running
    running.process.terminate()
    assert running.process.wait(timeout=_PATIENCE_SECONDS) == 0


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /healthz" + HEAD + b"\r\n", 200),
        (b"HEAD /healthz" + HEAD + b"\r\n", 200),
        (b"DELETE /healthz" + HEAD + b"\r\n", 405),
        (b"GET /nowhere" + HEAD + b"\r\n", 404),
        (b"GET /" + b"a" * 9_000 + HEAD + b"\r\n", 414),
        (b"GET /healthz" + HEAD + b"X-Long: " + b"a" * 9_000 + b"\r\n\r\n", 431),
        (b"GET /healthz" + HEAD + b"X: 1\r\n" * 200 + b"\r\n", 431),
        (b"POST /login" + HEAD + b"Content-Length: 99999999\r\n\r\n", 413),
        (b"POST /healthz" + HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (b"\x16\x03\x01 what a TLS client says\r\n\r\n", 400),
    ],
)
def test_what_is_asked_well_is_answered_and_all_else_refused(running: Running, octets: bytes, status: int) -> None:
    heard = running.talk(octets)
    assert heard.startswith(b"HTTP/1.1 %d " % status), heard[:200]
    if octets.startswith(b"HEAD"):
        assert heard.endswith(b"\r\n\r\n")


def test_connections_that_say_nothing_keep_nobody_out_and_are_closed(running: Running) -> None:
    with contextlib.ExitStack() as held:
        lines = [held.enter_context(socket.create_connection(("127.0.0.1", running.port))) for _ in range(300)]
        for line in lines:
            line.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        began = time.monotonic()
        assert running.talk(b"GET /healthz" + HEAD + b"\r\n").startswith(b"HTTP/1.1 200")
        assert time.monotonic() - began < server.HEADER_SECONDS
        lines[0].settimeout(_PATIENCE_SECONDS)
        with contextlib.suppress(ConnectionResetError):
            assert lines[0].recv(100) == b""


def test_a_worker_that_dies_is_replaced_and_what_it_counted_stays(running: Running) -> None:
    def counted() -> float:
        heard = running.talk(b"GET /metrics" + HEAD + b"\r\n").decode()
        name = 'moralbank_request_seconds_count{method="GET",route="/healthz",status="200"}'
        return sum(float(line.rpartition(" ")[2]) for line in heard.splitlines() if line.startswith(name))

    for _ in range(20):
        running.talk(b"GET /healthz" + HEAD + b"\r\n")
    before = counted()
    assert before >= 20
    workers = running.process.children()
    assert len(workers) == 2
    workers[0].kill()
    until = time.monotonic() + _PATIENCE_SECONDS
    while (
        len(alive := [one for one in running.process.children() if one.status() != "zombie"]) < 2 or workers[0] in alive
    ):
        assert time.monotonic() < until, running.log.read_text()
        time.sleep(0.05)
    running.wait_until_open()
    assert counted() > before


def test_a_process_opens_as_many_files_as_it_holds_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(server.resource, "getrlimit", lambda _what: (256, 1_000))
    monkeypatch.setattr(server.resource, "setrlimit", lambda _what, limits: given.append(limits))
    assert server._make_room(4_096) == 744
    monkeypatch.setattr(server.resource, "getrlimit", lambda _what: (1_024, server.resource.RLIM_INFINITY))
    assert server._make_room(4_096) == 4_096
    assert given == [(1_000, 1_000), (4_352, server.resource.RLIM_INFINITY)]


def test_templates_and_languages_are_loaded_one_by_one_for_the_processes_to_come(fresh_app: Flask) -> None:
    names = fresh_app.jinja_env.list_templates()
    steps = server.warm(fresh_app)
    next(steps)
    assert fresh_app.jinja_env.cache is not None
    assert [name for _, name in fresh_app.jinja_env.cache] == ["_ui.html"]
    assert len(names) > 100


def test_the_last_request_before_a_stop_is_answered(folder: Path) -> None:
    running = Running(folder)
    with socket.create_connection(("127.0.0.1", running.port)) as line:
        line.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        time.sleep(0.5)
        running.process.terminate()
        time.sleep(0.5)
        line.sendall(b"cde")
        assert line.recv(65_536).startswith(b"HTTP/1.1 400 ")
    assert running.process.wait(timeout=_PATIENCE_SECONDS) == 0


def test_a_server_that_was_killed_amid_connections_leaves_its_port_to_the_next():
    listener = server.bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server.listen(listener)
    with socket.create_connection(("127.0.0.1", port)):
        connection, _ = listener.accept()
        connection.close()  # As the kernel does for a process that dies; the client has not noticed yet.
        listener.close()
        for door in server.doors(server.bind("127.0.0.1", port), 2):
            door.close()


def test_a_port_that_was_claimed_is_nobody_elses():
    first = server.bind("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        server.bind("127.0.0.1", port)
    doors = server.doors(first, 2)
    with pytest.raises(OSError, match="in use"):
        server.bind("127.0.0.1", port)
    for door in doors:
        door.close()
