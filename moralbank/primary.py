"""Reaches, of several PostgreSQL servers that hold the same data, the one that decides, and lets go of a silent one."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

#: Seconds for a server to take a connection, before the next host of the URL is asked.
CONNECT_SECONDS = 3
#: A machine that vanished says nothing; the kernel gives it up after about ten seconds, asked for or waited for.
_LIVENESS = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
#: Where PostgreSQL waits for its synchronous standby. A wait that is cancelled there warns and then tells success.
_STANDBY_WAIT = "SyncRepWaitForLSN"
_CANCELLED = "moralbank_wait_cancelled"
_TICK_SECONDS = 1.0
#: So long an answer may take before the server is asked whether it is still there.
_WAIT_SECONDS = 3.0
#: So many times in a row it must fail to say so: a busy server may be late once.
_SILENCES = 2


def connection_settings(given: Container[str]) -> dict[str, object]:
    """Return the driver's settings for a URL that has `given` some itself.

    Nothing is decided from a replica: of the URL's hosts the one that takes writes is chosen, and a server that takes
    none is refused, whatever the URL says.
    """
    chosen: dict[str, object] = {name: value for name, value in _LIVENESS.items() if name not in given}
    return chosen | {"target_session_attrs": "read-write"}


def wait_for_standbys(engine: Engine) -> None:
    """Have every commit of the engine wait until the standbys have it, although somebody cancels the waiting.

    PostgreSQL tells success to whose wait was cancelled (pg_cancel_backend, statement_timeout), and what only the
    primary has is lost with it. So the wait is taken up again, for a message that stands behind that commit in the log.
    """
    commit = engine.dialect.do_commit

    def on_connect(dbapi: Any, record: Any) -> None:
        def on_notice(notice: Any) -> None:
            if notice.source_function == _STANDBY_WAIT:
                record.info[_CANCELLED] = True

        dbapi.add_notice_handler(on_notice)
        dbapi.execute("SET statement_timeout = 0")

    def do_commit(dbapi: Any) -> None:
        commit(dbapi)
        while dbapi.info.pop(_CANCELLED, False):
            dbapi.driver_connection.execute("SELECT pg_logical_emit_message(true, 'moralbank', '')")

    sa.event.listen(engine, "connect", on_connect)
    engine.dialect.do_commit = do_commit  # type: ignore[method-assign, assignment]


def watch(engine: Engine) -> None:
    """Cut the engine's connections to a server that froze, so that whoever waits for it gets a fault and goes on.

    The kernel of a frozen server's machine still confirms what is sent, so no setting of the connection notices.
    """
    watcher = _Watch()
    sa.event.listen(engine, "connect", watcher.on_connect)
    sa.event.listen(engine, "checkout", watcher.on_checkout)
    sa.event.listen(engine, "checkin", watcher.on_checkin)
    sa.event.listen(engine, "close", watcher.on_close)


@dataclass(slots=True)
class _Line:
    """An open connection: its server, and since when somebody waits for it."""

    server: tuple[tuple[str, str], ...]
    #: Our own name for the connection's socket: the driver's may be closed, and its number given away, at any moment.
    socket: socket.socket
    password: str
    since_seconds: float | None = None


class _Watch:
    """Asks a server that somebody has waited for whether it is there; its thread ends with the last connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Any, _Line] = {}
        self._is_running = False

    def on_connect(self, dbapi: Any, _record: object) -> None:
        server = tuple(sorted(dbapi.info.get_parameters().items()))
        with self._lock:
            self._lines[dbapi] = _Line(server, socket.socket(fileno=os.dup(dbapi.fileno())), dbapi.info.password)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="watch of the primary", daemon=True).start()

    def on_checkout(self, dbapi: Any, _record: object, _proxy: object) -> None:
        if line := self._lines.get(dbapi):
            line.since_seconds = time.monotonic()

    def on_checkin(self, dbapi: Any, _record: object) -> None:
        if line := self._lines.get(dbapi):
            line.since_seconds = None

    def on_close(self, dbapi: Any, _record: object) -> None:
        with self._lock:
            if line := self._lines.pop(dbapi, None):
                line.socket.close()

    def _run(self) -> None:
        silences: Counter[tuple[tuple[str, str], ...]] = Counter()
        while True:
            time.sleep(_TICK_SECONDS)
            with self._lock:
                if not self._lines:
                    self._is_running = False
                    return
                long_ago = time.monotonic() - _WAIT_SECONDS
                waited_for = {
                    line.server: line.password
                    for line in self._lines.values()
                    if line.since_seconds is not None and line.since_seconds < long_ago
                }
            silences = Counter({server: silences[server] for server in waited_for})
            for server, password in waited_for.items():
                if _answers(dict(server), password):
                    silences[server] = 0
                    self._wait_anew(server)
                else:
                    silences[server] += 1
                    if silences[server] >= _SILENCES:
                        self._cut(server)

    def _wait_anew(self, server: tuple[tuple[str, str], ...]) -> None:
        now = time.monotonic()
        with self._lock:
            for line in self._lines.values():
                if line.server == server and line.since_seconds is not None:
                    line.since_seconds = now

    def _cut(self, server: tuple[tuple[str, str], ...]) -> None:
        with self._lock:
            for line in self._lines.values():
                if line.server == server:
                    with contextlib.suppress(OSError):  # It is broken already.
                        line.socket.shutdown(socket.SHUT_RDWR)


def _answers(server: dict[str, str], password: str) -> bool:
    """Tell whether the server says anything: only silence is a fault that the kernel doesn't report."""
    import psycopg

    settings: dict[str, Any] = server | {"connect_timeout": str(CONNECT_SECONDS)}
    try:
        psycopg.connect(**settings, password=password or None).close()
    except psycopg.errors.ConnectionTimeout:
        return False
    except psycopg.Error:
        return True
    return True
