"""The service over HTTP beside a bare Flask route, hello and R: charges, check-ins, bulk, reads, replays, memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial

import psutil

from scripts.bench_engines import Engines
from scripts.bench_floor import PURSES, Plain, make_purses
from scripts.bench_load import Client, Job, Load, request
from scripts.bench_servers import BARE_APP, BENCH_APP, Server, serve, serve_bare
from scripts.bench_table import Family, Measure, Row
from scripts.bench_town import BULK, RESIDENTS, Town

MANY, FEW = 64, 8
#: At so many sessions everybody is scanned in bulk, or a round would be over before it has begun.
BULK_SESSIONS = 4

ROWS = (
    Row("HTTP charge, 8 connections / bare route", "charge 8", "bare 8", 0.5),
    Row("ledger redemption over HTTP, 64 connections / bare route", "redemption", "bare 64", 4),
    Row("ledger redemption over HTTP, 64 connections / R", "redemption", "R", None, 1),
    Row("ledger redemption over HTTP, 64 connections: p99", "redemption p99", None, None, 35, "ms", at_most=True),
    Row("whole counter charge over HTTP, 64 connections / bare route", "charge 64", "bare 64", 1.5, 4),
    Row("check-in over HTTP, 64 connections, one session / bare route", "check-in", "bare 64", 1.5, 4),
    Row("bulk check-ins, 100 items a request / R", "bulk", "R", 3, 8),
    Row("balance over HTTP / hello on the same server", "balance", "hello", 0.5, 0.8),
    Row("last 20 lines over HTTP / hello on the same server", "lines", "hello", 0.5, 0.8),
    Row("replay of a known key / first time", "replay", "charge 64", 1, 2),
    Row("charge, 1 client: p50 / p50 of the bare route", "charge p50", "bare p50", 1, 0.6, "ms", at_most=True),
)


def families(engines: Engines, engine: str, seconds: float, entries: int) -> Iterator[Family]:
    yield Family("http", engine, ROWS, partial(_open, engines, engine, seconds))
    name = f"memory of a web process after {entries:,} entries of work"
    memory = (Row(name, "memory", None, 200, 120, "MB", at_most=True),)
    yield Family("memory", engine, memory, partial(_remember, engines, engine, entries), warms_up=False, rounds_max=1)


@contextmanager
def _open(engines: Engines, engine: str, seconds: float) -> Iterator[tuple[Measure, ...]]:
    url = engines.database(engine)
    plain = Plain(url)
    make_purses(plain)
    plain.close()
    with ExitStack() as stack:
        town = stack.enter_context(closing(Town(url, acts_of(seconds))))
        client = stack.enter_context(closing(Client()))
        bare = stack.enter_context(serve_bare(url))
        ours = stack.enter_context(serve(url, BENCH_APP))
        same = stack.enter_context(serve(url, BARE_APP))
        yield HttpBench(town, client, bare, ours, same, seconds).measures(engines)


def acts_of(seconds: float) -> int:
    """Return how many acts a round has where each needs another resident: fewer in a quick run."""
    return min(RESIDENTS, max(BULK, int(seconds * 1_000)))


class HttpBench:
    """Three servers: the bare route, the service, and hello in the service's shape."""

    def __init__(self, town: Town, client: Client, bare: Server, ours: Server, same: Server, seconds: float) -> None:
        self._town, self._client, self._seconds = town, client, seconds
        self._bare, self._ours, self._same = bare, ours, same
        self._acts = acts_of(seconds)
        self._charged: list[bytes] = []
        self._purses = [
            request("POST", "/charge", json.dumps({"account": account, "points": 1}).encode())
            for account in range(PURSES)
        ]

    def measures(self, engines: Engines) -> tuple[Measure, ...]:
        def rate(name: str, load: Callable[[], Load], items: int = 1) -> Measure:
            return Measure((name,), lambda: (load().rate * items,))

        hello = [request("GET", "/hello")]
        town, acts = self._town, self._acts
        return (
            Measure(("R",), lambda: (engines.pgbench(self._seconds),)),
            rate("bare 8", lambda: self._for_a_while(self._bare, self._purses, FEW)),
            rate("charge 8", lambda: self._once(town.charges(acts), FEW)),
            rate("bare 64", lambda: self._for_a_while(self._bare, self._purses, MANY)),
            Measure(("redemption", "redemption p99"), self._redeem),
            rate("charge 64", self._charge),
            rate("replay", lambda: self._once(self._charged, MANY)),
            rate("check-in", lambda: self._once(town.check_ins(acts), MANY)),
            rate("bulk", lambda: self._once(town.bulk_check_ins(BULK_SESSIONS, acts), FEW), BULK),
            rate("hello", lambda: self._for_a_while(self._same, hello, MANY)),
            rate("balance", lambda: self._for_a_while(self._ours, town.reads("balance"), MANY)),
            rate("lines", lambda: self._for_a_while(self._ours, town.reads("lines?limit=20"), MANY)),
            Measure(("bare p50",), lambda: (self._for_a_while(self._bare, self._purses, 1).p50_ms,)),
            Measure(("charge p50",), lambda: (self._once(town.charges(min(acts, 200)), 1).p50_ms,)),
        )

    def _redeem(self) -> tuple[float, float]:
        load = self._once(self._town.redemptions(2 * self._acts), MANY)
        return load.rate, load.p99_ms

    def _charge(self) -> Load:
        self._charged = self._town.charges(self._acts)
        return self._once(self._charged, MANY)

    def _once(self, requests: Sequence[bytes], connections: int) -> Load:
        return self._client.run(Job(self._ours.port, requests, connections))

    def _for_a_while(self, server: Server, requests: Sequence[bytes], connections: int) -> Load:
        return self._client.run(Job(server.port, requests, connections, self._seconds))


@contextmanager
def _remember(engines: Engines, engine: str, entries: int) -> Iterator[tuple[Measure, ...]]:
    url = engines.database(engine)
    with ExitStack() as stack:
        town = stack.enter_context(closing(Town(url, min(RESIDENTS, max(BULK, entries // BULK)))))
        client = stack.enter_context(closing(Client()))
        server = stack.enter_context(serve(url, BENCH_APP))
        yield (Measure(("memory",), lambda: (_megabytes_after(server, client, town, entries),)),)


def _megabytes_after(server: Server, client: Client, town: Town, entries: int) -> float:
    """Return the memory of the largest web process after so many entries, a hundred a request."""
    for first in range(0, entries, 100_000):
        requests = town.redemptions_in_bulk(min(100_000, entries - first) // BULK)
        client.run(Job(server.port, requests, FEW))
    parent = psutil.Process(server.pid)
    return max(process.memory_info().rss for process in parent.children() or [parent]) / 1e6
