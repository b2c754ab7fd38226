"""Prints how long the bank takes from nothing running to ready, and a backup drill, on a book of a given size.

python -m scripts.bench_start                     grows a book of 1,000,000 entries on SQLite first
python -m scripts.bench_start --engine PostgreSQL --entries 100000
python -m scripts.bench_start --var FOLDER        keeps the grown bank there, and takes the one that is there
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from moralbank import ledger, setup, startup
from moralbank.backup import service
from moralbank.backup.service import Steps
from moralbank.db import Database
from scripts.bench_engines import ENGINES, SQLITE, Engines
from scripts.bench_grown import Grown

ENTRIES, STARTS = 1_000_000, 7
_PATIENCE_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--engine", choices=ENGINES, default=SQLITE)
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--var", type=Path, help="a folder for the bank, kept (SQLite only)")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = chosen.var or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moralbank-start-")))
        url = _bank(stack, chosen.engine, folder, chosen.entries)
        _print_size(url)
        starts = [_start(url, folder) for _ in range(chosen.starts)]
        for what, column in zip(("seconds", "of them on a processor"), zip(*starts, strict=True), strict=True):
            print(f"start to ready, {what}: {statistics.median(column):.2f} ({min(column):.2f}–{max(column):.2f})")
        _print_checks(url)
        steps = Steps()
        service.drill(url, os.urandom(32), steps)
        for name, took in steps.seconds.items():
            print(f"drill, {name}: {took:.1f} s")


def _bank(stack: ExitStack, engine: str, folder: Path, entries: int) -> str:
    """Return the URL of a bank with so many entries, grown now unless it is there already."""
    url = f"sqlite:///{folder / 'moralbank.db'}"
    if engine == SQLITE:
        if (folder / "moralbank.db").exists():
            return url
        folder.mkdir(parents=True, exist_ok=True)
        from moralbank import schema

        schema.migrate(url)
    else:
        url = stack.enter_context(Engines(is_quick=False)).database(engine)
    began = time.monotonic()
    grown = Grown(url, entries)
    setup.first_start(grown.database)
    grown.database.dispose()
    print(f"grown in {time.monotonic() - began:.0f} s")
    return url


def _print_size(url: str) -> None:
    database = Database(url)
    with database.reading() as db:
        last = [ledger.list_entries(db, book.book_id, ledger.EntryFilter(), limit=1) for book in ledger.list_books(db)]
    database.dispose()
    print(f"{url.split(':')[0]}: {sum(entry.seq for entries in last for entry in entries):,} entries")


def _start(url: str, folder: Path) -> tuple[float, float]:
    """Start the service as scripts/serve does; return the seconds until /readyz says yes, and its processor seconds.

    The latter tell more than the former on a machine that others use too.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = dict(os.environ, DATABASE_URL=url, MORALBANK_VAR=str(folder))
    words = [sys.executable, "-m", "moralbank.supervisor", "--port", str(port)]
    began = time.monotonic()
    bank = psutil.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _is_ready(port):
            if time.monotonic() - began > _PATIENCE_SECONDS:
                raise TimeoutError("it was not ready within a minute")
            time.sleep(0.01)
        seconds = time.monotonic() - began
        times = [process.cpu_times() for process in (bank, *bank.children(recursive=True))]
        return seconds, sum(spent.user + spent.system for spent in times)
    finally:
        bank.terminate()
        bank.wait()


def _is_ready(port: int) -> bool:
    probe = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        probe.request("GET", "/readyz")
        return probe.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        probe.close()


def _print_checks(url: str) -> None:
    database = Database(url)
    startup.look(database)
    began = time.monotonic()
    startup.look(database)
    print(f"all checks, warm: {(time.monotonic() - began) * 1000:.0f} ms")
    database.dispose()


if __name__ == "__main__":
    main()
