"""Behind scripts/serve: readies the database, then keeps web server, scheduler and signer running until told to stop.

It loads the application, and never uses it: the web server's processes are forks of this one, so that the next is there
as soon as one dies, while the port stays here. Speaks to the person at the terminal; the children write their own logs.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import os
import secrets
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from moralbank import server
from moralbank.children import SIGNALS, Child, Fork, program
from moralbank.config import Config, MessagesConfig
from moralbank.supervised import SUPERVISOR, end_with_supervisor

_STOP_SECONDS = 9
#: What is left when nothing is.
_WARM = object()
#: How often children are looked at when nothing is heard of them.
_TURN_SECONDS = 0.2
#: What a warming supervisor leaves of the processor to those who serve: all of it for so long, between two pieces.
_BREATH_SECONDS = 0.05
#: A web server has nothing to load: when it can't serve, it ends sooner than this.
_QUICK_SECONDS = 3


def main() -> int:
    """Ready everything, serve until a signal comes, and return the exit status."""
    options = _options()
    os.umask(0o077)
    listener = _claim_port(options.host, options.port)
    shown = options.host if options.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared, not bound
    os.environ.setdefault("PUBLIC_URL", f"http://{shown}:{options.port}")
    try:
        var = _make_var()
        config = Config.from_env()  # A setting that can't be meant is refused here, once, not by every worker.
        MessagesConfig.from_env()
        url = config.database_url
        held = [_hold(place) for place in _places(var, url)]  # By our forks too, so until the last of them is gone.
        metrics = _make_metrics(var)
    except OSError as error:
        sys.exit(f"Can't write {error.filename} ({error.strerror}). Mend that, or name another place in MORALBANK_VAR.")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    os.environ[SUPERVISOR] = str(os.getpid())
    server.load_modules()
    # In a process of its own: the application is built meanwhile, and what we fork from has never had a connection.
    readying = Fork(partial(_ready_database, url, demo=options.demo, production=config.production), own_group=False)
    application = server.load()
    status = readying.wait()
    if status == 0:
        doors = server.doors(listener, server.workers_for(url))
        webs = [_web_server(door, doors) for door in doors]
        # The scheduler lets the web server, which somebody is waiting for, have the processor first.
        scheduler = Child("scheduler", program("-m", "moralbank.scheduler"), after_seconds=2)
        signer = Child("signer", program("-m", "moralbank.signer"), after_seconds=3)
        status = _run([*webs, scheduler, signer], doors, shown, server.warm(application))
    for lock in held:
        lock.close()
    return status


def _web_server(door: socket.socket, doors: list[socket.socket]) -> Child:
    """Return the child that serves at a door; each successor finds there whoever came in between."""

    def serve() -> None:
        for other in doors:
            if other is not door:
                other.close()
        server.serve(door)

    return Child("web server", partial(Fork, serve), quick_seconds=_QUICK_SECONDS)


def _run(children: list[Child], doors: list[socket.socket], shown: str, warming: Iterator[None]) -> int:
    """Keep the children running until a signal says stop, or one of them can't.

    doors: the sockets of the web servers, which are closed when all is to stop.
    shown: our address as people say it.
    warming: done step by step meanwhile, for the web servers to come; the first mustn't wait for it.
    """
    bell = _hang_bell()
    status, is_open, is_warm, is_told_to_stop = 0, False, False, False
    try:
        while not is_told_to_stop:
            for child in children:
                child.keep_running()
            failed = next((child for child in children if child.cannot_run), None)
            if failed:
                _say(f"The {failed.name} keeps failing; its reason is in the lines above. Stopping.")
                status = 1
                break
            if is_open:
                is_warm = is_warm or next(warming, _WARM) is _WARM
            else:
                is_open = _announce(shown, doors[0].getsockname()[1])
            is_told_to_stop = _heard(bell, _BREATH_SECONDS if is_open and not is_warm else _TURN_SECONDS)
    finally:
        for door in doors:
            door.close()  # Whoever comes now is refused at once.
        deadline = time.monotonic() + _STOP_SECONDS
        for child in children:
            child.terminate()
        for child in children:
            child.wait(deadline - time.monotonic())
    _say("已停止 · stopped")
    return status


def _hang_bell() -> socket.socket:
    """Return a socket on which the numbers of our signals arrive, and end none of our calls by themselves."""
    bell, clapper = socket.socketpair()
    for side in (bell, clapper):
        side.setblocking(False)
    signal.set_wakeup_fd(clapper.detach())
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    return bell


def _heard(bell: socket.socket, seconds: float) -> bool:
    """Wait for so long, or until a child ends; tell whether somebody wants us to stop."""
    if not select.select([bell], [], [], seconds)[0]:
        return False
    return any(number != signal.SIGCHLD for number in bell.recv(4_096))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/serve", description="Open the bank and keep it open until Ctrl-C.")
    parser.add_argument("--demo", action="store_true", help="fill an empty bank with a believable district")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    return parser.parse_args()


def _claim_port(host: str, port: int) -> socket.socket:
    """Claim the port, or end, saying why not."""
    try:
        return server.bind(host, port)
    except (OSError, OverflowError) as error:
        sys.exit(
            f"Can't listen on {host}:{port} ({getattr(error, 'strerror', None) or error}). Stop what uses it, "
            f"or choose another port: scripts/serve --port 8001"
        )


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
    end_with_supervisor()
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


def _announce(host: str, port: int) -> bool:
    """Say where the bank is if it answers by now, and tell whether it does."""
    probe = http.client.HTTPConnection(host, port, timeout=1)  # Unlike urllib, it asks no proxy.
    try:
        probe.request("GET", "/healthz")
        probe.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        probe.close()
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _say(f"道德银行已开门 · the bank is open: {address}  (Ctrl-C 停止 · stops it)")
    return True


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
