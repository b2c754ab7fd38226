"""Starts web servers for the bench: the service in the very shape of scripts/serve, and the floors' plain gunicorn."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moralbank.server import workers_for

ROOT = Path(__file__).resolve().parent.parent
SERVICE, BENCH_APP, BARE_APP = "moralbank.wsgi:app", "scripts.bench_app:app", "scripts.bench_bare:app"
#: The floor's shape stays what it is, whatever the service's becomes.
_BARE_SHAPE = ["--worker-class", "gthread", "--threads", "8", "--no-control-socket"]


@dataclass(frozen=True, slots=True)
class Server:
    """A web server that answers on a port of this machine."""

    port: int
    pid: int


@contextmanager
def serve(url: str, application: str) -> Iterator[Server]:
    """Serve an application as scripts/serve would."""
    with _free_port() as port:
        workers = str(workers_for(url))
        words = ["-m", "moralbank.server", "--bind", f"127.0.0.1:{port}", "--workers", workers, application]
    with _running(url, port, words) as server:
        yield server


@contextmanager
def serve_bare(url: str) -> Iterator[Server]:
    """Serve the bare route by gunicorn with threads, as many processes as the service had in the beginning."""
    with _free_port() as port:
        workers = "1" if url.startswith("sqlite") else "2"
        words = ["-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", workers, *_BARE_SHAPE, BARE_APP]
    with _running(url, port, words) as server:
        yield server


@contextmanager
def _running(url: str, port: int, words: Sequence[str]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="moralbank-bench-var-") as var, tempfile.TemporaryFile() as log:
        metrics = Path(var) / "metrics"
        metrics.mkdir()
        env = os.environ | {
            "DATABASE_URL": url,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "MORALBANK_VAR": var,
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        }
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            _wait_for(port, process)
            yield Server(port, process.pid)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-4_000:])
            raise
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(f"a web server ended with status {process.returncode} before it answered")
        time.sleep(0.05)
    raise RuntimeError("a web server did not answer within 30 s")


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]
