"""Behind scripts/serve: readies the database, then keeps web server, scheduler and signer running until told to stop.

Loads no Flask itself. Speaks to the person at the terminal; the children write their own logs.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO

from moralbank.config import Config, MessagesConfig
from moralbank.supervised import SUPERVISOR

_STOP_SECONDS = 9
_QUICK_SECONDS = 10
_QUICK_DEATHS_MAX = 5


class Child:
    """One process that should always run, and how often it has lately failed to."""

    def __init__(self, name: str, words: list[str], *, after_seconds: float = 0) -> None:
        self.name = name
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._next_start_at = time.monotonic() + after_seconds
        self.quick_deaths = 0

    def keep_running(self) -> None:
        """Start the child if it isn't running and its turn has come; count a death soon after its start."""
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._bury(self._process.returncode)
        if time.monotonic() >= self._next_start_at:
            self._started_at = time.monotonic()
            # A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which then stops us in order.
            self._process = subprocess.Popen([sys.executable, *self._words], process_group=0)

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for the child's end; after `seconds`, end it and all it started."""
        if self._process is None:
            return
        try:
            self._process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            _say(f"The {self.name} did not stop in time and was ended.")
        _end_group(self._process)

    def _bury(self, status: int) -> None:
        lived = time.monotonic() - self._started_at
        if self._process is not None:
            _end_group(self._process)
        self._process = None
        self.quick_deaths = self.quick_deaths + 1 if lived < _QUICK_SECONDS else 1
        pause = 0.5 * 2 ** (self.quick_deaths - 1)
        self._next_start_at = time.monotonic() + pause
        _say(f"The {self.name} ended unexpectedly (status {status}) after {lived:.0f} s.")


def main() -> int:
    """Ready everything, serve until a signal comes, and return the exit status."""
    options = _options()
    os.umask(0o077)
    port = _claim_port(options.host, options.port)
    shown = options.host if options.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared, not bound
    os.environ.setdefault("PUBLIC_URL", f"http://{shown}:{options.port}")
    try:
        var = _make_var()
        config = Config.from_env()  # A setting that can't be meant is refused here, once, not by every worker.
        MessagesConfig.from_env()
        url = config.database_url
        held = [_hold(place) for place in _places(var, url)]
        metrics = _make_metrics(var)
    except OSError as error:
        sys.exit(f"Can't write {error.filename} ({error.strerror}). Mend that, or name another place in MORALBANK_VAR.")
    _ready_database(url, demo=options.demo, production=config.production)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    os.environ[SUPERVISOR] = str(os.getpid())
    bind = f"[{options.host}]:{options.port}" if ":" in options.host else f"{options.host}:{options.port}"
    web = web_server(bind, url)
    # The scheduler lets the web server, which somebody is waiting for, have the processor first.
    scheduler = Child("scheduler", ["-m", "moralbank.scheduler"], after_seconds=2)
    signer = Child("signer", ["-m", "moralbank.signer"], after_seconds=3)
    children = [Child("web server", web), scheduler, signer]
    threading.Thread(target=_announce, args=(shown, options.port), daemon=True).start()
    status = _run(children)
    for lock in held:
        lock.close()
    port.close()
    return status


def web_server(bind: str, url: str, *application: str) -> list[str]:
    """Return the words after `python` that start the web server; scripts/bench measures this very shape.

    application: `module:name` to serve in place of the service's own.
    """
    workers = 1 if url.startswith("sqlite") else 2  # SQLite has one writer: more processes would only queue.
    return ["-m", "moralbank.server", "--bind", bind, "--workers", str(workers), *application]


def _run(children: list[Child]) -> int:
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    status = 0
    try:
        while not stop.wait(0.2):
            for child in children:
                child.keep_running()
            failed = next((child for child in children if child.quick_deaths >= _QUICK_DEATHS_MAX), None)
            if failed:
                _say(f"The {failed.name} keeps failing; its reason is in the lines above. Stopping.")
                status = 1
                break
    finally:
        deadline = time.monotonic() + _STOP_SECONDS
        for child in children:
            child.terminate()
        for child in children:
            child.wait(deadline - time.monotonic())
    _say("已停止 · stopped")
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/serve", description="Open the bank and keep it open until Ctrl-C.")
    parser.add_argument("--demo", action="store_true", help="fill an empty bank with a believable district")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    return parser.parse_args()


def _claim_port(host: str, port: int) -> socket.socket:
    """Bind the port and listen to nothing, so that no other start gets it; the web server's processes share it."""
    claim = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        claim.bind((host, port))
    except (OSError, OverflowError) as error:
        sys.exit(
            f"Can't listen on {host}:{port} ({getattr(error, 'strerror', None) or error}). Stop what uses it, "
            f"or choose another port: scripts/serve --port 8001"
        )
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # It was for what an earlier server left behind.
    if hasattr(socket, "SO_REUSEPORT"):  # Only now: it was ours alone when we asked for it.
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return claim


def _make_var() -> Path:
    """Make the private directory of everything this installation writes, and its secret key, once."""
    var = Path(os.environ.get("MORALBANK_VAR", "var"))
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = var / "secret.key"
    if not key.exists():
        # Linked into place whole: of two starts at once one wins, and neither reads half a key.
        draft = var / f"secret.key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48) + "\n")
        try:
            key.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return var


def _places(var: Path, url: str) -> list[Path]:
    """Return what one start keeps to itself: its directory, and a SQLite file, whose writers share one process."""
    places = [var / "serve.lock"]
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///").partition("?")[0].removeprefix("file:"))
        if file.parent.is_dir():  # Otherwise there will be no database, and that is said where it is opened.
            places.append(file.with_name(f"{file.name}.lock"))
    return places


def _hold(place: Path) -> IO[str]:
    """Lock a place for as long as this process lives, or end, naming who has it."""
    lock = place.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        sys.exit(
            f"The bank in {place.parent} is already open (process {lock.read().strip()}). Stop that one first, or give "
            f"this one a MORALBANK_VAR and a DATABASE_URL of its own."
        )
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _make_metrics(var: Path) -> Path:
    """Make an empty directory for the workers' counters: those of an earlier run belong to dead processes."""
    metrics = var / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    return metrics


def _ready_database(url: str, *, demo: bool, production: bool) -> None:
    """Migrate; look whether it may be served from; give a new bank its first administrator, and a district if asked."""
    import sqlalchemy as sa

    from moralbank import schema, setup, startup
    from moralbank.db import Database
    from moralbank.errors import MoralBankError

    try:
        schema.migrate(url)
    except MoralBankError as refusal:
        sys.exit(f"moralbank: {refusal}")
    except sa.exc.OperationalError as error:
        sys.exit(f"moralbank: no database (DATABASE_URL or MORALBANK_VAR names it): {error.orig}")
    database = Database(url)
    try:
        if production:
            startup.refuse_unsafe(database)
        else:
            for finding in startup.failing(startup.look(database), production=False):
                _say(f"Not safe for real points: {finding}")
        if demo:
            from moralbank import demo as district

            # Before the first start, which opens a hub of its own where there is none.
            district.load(database)
        password = setup.first_start(database)
        if password is not None:
            _say(f"第一位管理员 · first administrator: {setup.ADMINISTRATOR} / {password}")
            _say("密码只显示这一次，请记下 · this password is shown only now: write it down.")
        if demo:
            _say(district.card(database))
    finally:
        database.dispose()


def _announce(host: str, port: int) -> None:
    """Say where the bank is once it answers."""
    while True:
        probe = http.client.HTTPConnection(host, port, timeout=5)  # Unlike urllib, it asks no proxy.
        try:
            probe.request("GET", "/healthz")
            probe.getresponse()
            break
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        finally:
            probe.close()
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _say(f"道德银行已开门 · the bank is open: {address}  (Ctrl-C 停止 · stops it)")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a child's process group: workers whose master is gone would keep the port."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    process.wait()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
