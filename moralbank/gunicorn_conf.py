"""How gunicorn runs the web processes; scripts/serve adds the address and the number of workers."""

from __future__ import annotations

from typing import Any

from prometheus_client import multiprocess

from moralbank.supervised import end_with_supervisor

wsgi_app = "moralbank.wsgi:app"
worker_class = "gthread"
threads = 32  # They mostly wait for a common commit: the more wait, the more it carries.
graceful_timeout = 7  # Less than the supervisor waits, so that a slow request is cut off here, cleanly.
control_socket_disable = True  # It would open a socket under the home directory, for a tool nobody here uses.
loglevel = "warning"


def on_starting(server: Any) -> None:
    end_with_supervisor()


def child_exit(server: Any, worker: Any) -> None:
    """Forget a dead worker's live gauges, or /metrics would count them for ever."""
    multiprocess.mark_process_dead(worker.pid)
