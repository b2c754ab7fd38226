"""The web server: granian's processes around the application, as scripts/serve starts them.

python -m moralbank.server --bind 127.0.0.1:8000 --workers 1 [module:application]
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from moralbank.supervised import end_with, end_with_supervisor

APPLICATION = "moralbank.wsgi:app"
#: Less than the supervisor waits, so that a slow request is cut off here, cleanly.
GRACE_SECONDS = 7
#: How long a client may take to send its next request's headers.
HEADER_SECONDS = 10
#: Connections that a process holds open; more wait at the door. Each takes a file.
CONNECTIONS_MAX = 4_096
_OTHER_FILES = 256


def main() -> None:
    options = _options()
    host, _, port = options.bind.rpartition(":")
    connections = _make_room(CONNECTIONS_MAX)
    server = Granian(
        options.application,
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.RSGI,
        workers=options.workers,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=64 * 1024),
        websockets=False,
        backpressure=connections,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_SECONDS,
    )
    server.on_startup(end_with_supervisor)
    server.serve(target_loader=partial(load, os.getpid()))


def load(parent: int, application: str) -> Any:
    """Return the application in a worker process of this parent."""
    # Until it serves nothing is under way: a worker that is told to stop while it loads just ends.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    end_with(parent)
    from moralbank.web.rsgi import Entrance

    _forget_dead_workers()
    module, _, name = application.partition(":")
    return Entrance(getattr(import_module(module), name))


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
