"""Posting while entries are sealed and signed beside while they are not, how long that takes, and catching up."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from moralbank import ledger
from moralbank.db import Database
from moralbank.transparency import Log, queries
from moralbank.transparency.jobs import Integrator
from scripts.bench_engines import Engines
from scripts.bench_flat import Books
from scripts.bench_post import ROOT, Posting
from scripts.bench_table import Family, Measure, Row

CLIENTS = 16
#: The lag is of so many times longer rounds, since a busy log is signed every few seconds.
LONGER = 6
_LAGS = ("sealed p50", "sealed p99", "signed p50", "signed p99")
_PATIENCE_SECONDS = 60


def families(engines: Engines, books: Books, engine: str, seconds: float) -> Iterator[Family]:
    rows = (
        Row(f"post, {CLIENTS} threads, sealed and signed meanwhile / without", "sealing", "alone", 0.95, 1),
        Row("from posting to its place in the log: p50", "sealed p50", None, unit="ms"),
        Row("from posting to its place in the log: p99", "sealed p99", None, 1_000, unit="ms", at_most=True),
        Row("from posting to a signed checkpoint: p50", "signed p50", None, unit="ms"),
        Row("from posting to a signed checkpoint: p99", "signed p99", None, 10_000, unit="ms", at_most=True),
    )
    yield Family("sealing", engine, rows, partial(_open, engines, engine, seconds))
    name = f"sealing {books.sizes[-1]:,} entries that waited, leaves"
    behind = (Row(name, "caught up", None, unit="/s"),)
    yield Family("sealing", engine, behind, partial(_behind, books), warms_up=False, rounds_max=1)


@contextmanager
def _open(engines: Engines, engine: str, seconds: float) -> Iterator[tuple[Measure, ...]]:
    url = engines.database(engine)
    with (
        closing(Posting(url, engine, seconds * LONGER)) as posting,
        tempfile.TemporaryDirectory() as home,
        closing(Sealing(url, Path(home))) as sealing,
    ):
        post = partial(posting.rate, "award", CLIENTS, processes=2)
        yield Measure(("alone",), post), Measure(("sealing", *_LAGS), lambda: sealing.watch(post))


class Sealing:
    """A process that seals and signs when it is told to, and what the database says of how long that took."""

    def __init__(self, url: str, home: Path) -> None:
        self._database = Database(url)
        words = [sys.executable, "-m", "scripts.bench_sealer"]
        self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._send({"url": url, "home": str(home)})

    def watch(self, post: Callable[[], tuple[float]]) -> tuple[float, ...]:
        """Seal and sign while posting; return its rate and the lags in milliseconds of all that was posted."""
        self._ask(on=True)
        first = self._all_signed()
        [rate] = post()
        last = self._all_signed()
        self._ask(on=False)
        return (rate, *self._lags(first, last))

    def close(self) -> None:
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._database.dispose()

    def _all_signed(self) -> int:
        """Wait until everything posted is signed; return the size of the log then."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with self._database.reading() as db:
                [(book, last)] = ledger.last_seqs(db).items()
                head = queries.find_head(db, book, Log.LEDGER)
                signed = queries.latest_checkpoint(db, book, Log.LEDGER)
            if head and signed and head.last_seq == last and signed.size == head.size:
                return head.size
            time.sleep(0.1)
        raise RuntimeError("what was posted was not sealed and signed")

    def _lags(self, first: int, last: int) -> list[float]:
        """Return p50 and p99 of both lags, in milliseconds, of the leaves from first to last."""
        with self._database.reading() as db:
            [book] = ledger.last_seqs(db)
            leaves = queries.list_leaves(db, book, Log.LEDGER, first, last - first)
            sealed = queries.list_sealed_at(db, book, Log.LEDGER, first)
            signed = queries.list_checkpoints(db, book, Log.LEDGER, first, last)
        lags: tuple[list[float], list[float]] = ([], [])
        for index, leaf in leaves:
            posted = datetime.fromisoformat(json.loads(leaf)["at"])
            while sealed[0][0] <= index:
                sealed.pop(0)
            while signed[0].size <= index:
                signed.pop(0)
            lags[0].append((sealed[0][1] - posted).total_seconds() * 1_000)
            lags[1].append((signed[0].signed_at - posted).total_seconds() * 1_000)
        return [_part(lag, share) for lag in lags for share in (0.5, 0.99)]

    def _ask(self, **job: bool) -> None:
        self._send(job)
        assert self._process.stdout is not None, "it was started with a pipe"
        if not self._process.stdout.readline():
            raise RuntimeError("the sealing process ended; its reason is above")

    def _send(self, job: object) -> None:
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()


def _part(lags: list[float], share: float) -> float:
    return sorted(lags)[int(share * (len(lags) - 1))]


@contextmanager
def _behind(books: Books) -> Iterator[tuple[Measure, ...]]:
    grown = books.of(books.sizes[-1])
    yield (Measure(("caught up",), lambda: (_catch_up(grown.database),)),)


def _catch_up(database: Database) -> float:
    """Return the leaves of a book that are sealed in a second, when all of it waits."""
    started = time.perf_counter()
    added = Integrator(database, "bench").cycle()
    return added / (time.perf_counter() - started)
