"""The web server: granian's processes around the application, on a socket that outlives them.

The application is loaded once, before the first process is forked: one that takes another's place has nothing to load,
and who comes between the two waits in the socket's queue.

python -m moralbank.server --bind 127.0.0.1:8000 --workers 1 [module:application]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import multiprocessing
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder

from moralbank.supervised import be_called, end_with, end_with_supervisor

APPLICATION = "moralbank.wsgi:app"
#: Less than the supervisor waits, so that a slow request is cut off here, cleanly.
GRACE_SECONDS = 7
#: How long a client may take to send its next request's headers.
HEADER_SECONDS = 10
#: Connections that a process holds open; more wait at the door. Each takes a file.
CONNECTIONS_MAX = 4_096
#: Connections that wait at the door until a process takes them. The kernel may allow fewer.
BACKLOG = 1_024
_OTHER_FILES = 256


def main() -> None:
    options = _options()
    host, _, port = options.bind.rpartition(":")
    listener = bind(host.strip("[]"), int(port))
    load_modules()
    load(options.application)
    if options.workers == 1:
        listen(listener)
    serve(listener, options.application, workers=options.workers)


def workers_for(url: str) -> int:
    """Return how many processes serve a bank: SQLite has one writer, so more would only queue."""
    return 1 if url.startswith("sqlite") else 2


def bind(host: str, port: int) -> socket.socket:
    """Claim the port, so that no other start gets it, and listen to nothing yet. Raises: OSError, OverflowError."""
    claim = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    claim.bind((host, port))
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # It was for what an earlier server left behind.
    if hasattr(socket, "SO_REUSEPORT"):  # Only now: it was ours alone when we asked for it.
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return claim


def doors(claim: socket.socket, number: int) -> list[socket.socket]:
    """Return so many sockets that listen on the claimed port, the claim among them; the kernel spreads who comes.

    Of processes that share one socket, the one that wakes first takes nearly all who come together.
    """
    opened = [claim]
    for _ in range(number - 1):
        door = socket.socket(claim.family)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        door.bind(claim.getsockname())
        opened.append(door)
    for door in opened:
        listen(door)
    return opened


def listen(door: socket.socket) -> None:
    """Let clients come."""
    # Connections have it from here: those of a killed server would keep the next one from the port for a minute.
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.listen(BACKLOG)


def load_modules() -> None:
    """Import all that serving needs; nothing is built yet and no database touched."""
    with _growing():
        import_module("moralbank.app")
        import_module("moralbank.web.rsgi")


def load(application: str = APPLICATION) -> Any:
    """Return the application, built once in this process and its forks."""
    module, _, name = application.partition(":")
    with _growing():
        return getattr(import_module(module), name)


def warm(application: Any) -> Iterator[None]:
    """Load, piece by piece, what the service's first readers would wait for: its pages' templates and the English.

    First the templates that all pages share.
    """
    from moralbank.web import i18n

    for name in sorted(application.jinja_env.list_templates(), key=lambda name: (name.count("/"), name)):
        application.jinja_env.get_template(name)
        yield
    for language in i18n.LANGUAGES:
        i18n.translations(language)
        yield
    gc.collect()
    gc.freeze()


def serve(listener: socket.socket, application: str = APPLICATION, *, workers: int | None = None) -> None:
    """Serve on a socket that listens, until SIGTERM.

    workers: so many processes, each replaced when it dies; more than one listen by themselves, on the socket's port.
        None means one, with which this ends: somebody else, who has loaded more meanwhile, forks the next.
    """
    be_called("bank-web")
    if sys.platform.startswith("linux"):  # Elsewhere forking isn't safe: granian's processes load by themselves there.
        multiprocessing.set_start_method("fork", force=True)
    connections = _make_room(CONNECTIONS_MAX)
    server = _Server(
        listener,
        application,
        interface=Interfaces.RSGI,
        workers=workers or 1,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=64 * 1024),
        websockets=False,
        backpressure=connections,
        log_level=LogLevels.warning,
        respawn_failed_workers=workers is not None,
        workers_kill_timeout=GRACE_SECONDS,
    )
    server.on_startup(end_with_supervisor)
    server.serve(target_loader=partial(enter, os.getpid()))


class _Server(Granian):
    """Granian on a socket that is there already, as it does by itself with a Unix domain socket.

    Left alone, its process on Linux would listen by itself, and take what waits at its door with it when it dies.
    """

    def __init__(self, listener: socket.socket, application: str, **settings: Any) -> None:
        host, port, *_ = listener.getsockname()
        super().__init__(application, address=host, port=port, **settings)
        self._listener = listener

    def _init_shared_socket(self) -> None:
        if self.workers > 1:
            super()._init_shared_socket()
            return
        self._ssp = None
        self._sso = self._listener
        self._sso.set_inheritable(True)
        self._sfd = self._sso.fileno()
        self._shd = SocketHolder(self._sfd, False, BACKLOG)  # No Unix socket.


def enter(parent: int, application: str) -> Any:
    """Return what granian calls, in a process that begins to serve as a child of this parent."""
    # Until it serves nothing is under way: a worker that is told to stop while it loads just ends.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    end_with(parent)
    from moralbank.web.rsgi import Entrance

    _forget_dead_workers()
    return Entrance(load(application))


@contextlib.contextmanager
def _growing() -> Iterator[None]:
    """Load without looking for garbage: there is none, and what is loaded stays, in memory that forks share."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m moralbank.server")
    parser.add_argument("--bind", required=True, help="address and port to listen on")
    parser.add_argument("--workers", type=int, default=1, help="number of processes (default: %(default)s)")
    parser.add_argument("application", nargs="?", default=APPLICATION)
    return parser.parse_args()


def _make_room(connections: int) -> int:
    """Let this process and its workers open the files they need, or all they may; return how many connections fit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return max(allowed - _OTHER_FILES, 64)


def _forget_dead_workers() -> None:
    """Forget the live gauges of workers that have died, or /metrics would count them for ever."""
    from prometheus_client import multiprocess

    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    for file in Path(folder).glob("gauge_live*_*.db") if folder else ():
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            multiprocess.mark_process_dead(pid)


if __name__ == "__main__":
    main()
