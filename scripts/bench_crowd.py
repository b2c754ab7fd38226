"""Crowds at one session, through HTTP, on what scripts/serve runs: who comes in a minute, all at once, and at random.

Each trial ends with the leader's signature and counts what was credited; anything but one credit a person is an error.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from moralbank import schema
from scripts.bench_load import Client, Job
from scripts.bench_people import SECRET_KEY, People
from scripts.faults_bank import Bank, Engine, Postgresql
from tests import _postgres

PEOPLE, SECONDS, RUSH, RANDOM_POSTS = 1_000, 60.0, 5_000, 100_000
SESSIONS = 8
KILL_SECONDS = 10.0
CONNECTIONS = 64
_PATIENCE_SECONDS = 120


@dataclass
class PlainFile:
    """A SQLite file on the machine's own disk."""

    folder: Path
    name: str = "SQLite"
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.url = self.plain_url = f"sqlite:///{self.folder / 'bank.db'}"

    def fall(self, dice: random.Random) -> None:
        raise NotImplementedError("this machine stays up")

    def rise(self) -> None:
        raise NotImplementedError("this machine stays up")

    def processes(self) -> list[psutil.Process]:
        return []


@contextlib.contextmanager
def opened(name: str) -> Iterator[Engine]:
    """Give an empty, migrated database that waits for the disk."""
    with tempfile.TemporaryDirectory(prefix="moralbank-crowd-") as folder:
        if name == "sqlite":
            engine: Engine = PlainFile(Path(folder))
            schema.migrate(engine.url)
            yield engine
            return
        cluster = _postgres.start(Path(folder) / "pg", is_durable=True)
        try:
            engine = Postgresql(cluster)
            schema.migrate(engine.url)
            yield engine
        finally:
            cluster.stop()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the people of a trial met, in seconds from the first try to the answer, and what it came to."""

    name: str
    latencies: Sequence[float]
    seconds: float
    expected: int
    credited: int
    distinct: int
    more: str = ""

    @property
    def is_right(self) -> bool:
        return self.expected == self.credited == self.distinct

    def __str__(self) -> str:
        def share(part: float) -> str:
            ordered = sorted(self.latencies)
            return f"{ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000:.0f} ms"

        rate = len(self.latencies) / self.seconds
        return (
            f"{self.name}: {len(self.latencies):,} posts in {self.seconds:.1f} s ({rate:.0f}/s), "
            f"p50 {share(0.5)}, p95 {share(0.95)}, p99 {share(0.99)}; {self.credited:,} credits for {self.expected:,} "
            f"expected, {self.distinct:,} distinct{self.more}"
        )


def run(scale: float, engine_name: str, only: str = "") -> None:
    """Run the trials at a share of their size and print what came of each; end with 1 when a credit is wrong."""
    wrong = 0
    for name in ["sqlite", "postgresql"] if engine_name == "both" else [engine_name]:
        for outcome in trials(name, scale, only):
            print(outcome, flush=True)
            wrong += not outcome.is_right
    if wrong:
        sys.exit(f"{wrong} trials credited something else than was to be credited.")


def trials(engine_name: str, scale: float, only: str = "") -> Iterator[Outcome]:
    """Run the trials on one engine, one bank for all."""
    comers, rush = max(10, int(PEOPLE * scale)), max(10, int(RUSH * scale))
    with opened(engine_name) as engine:
        engine.environment["SECRET_KEY"] = SECRET_KEY
        people = People(engine.plain_url, rush)
        bank = Bank(engine)
        try:
            bank.start()
            if not bank.wait_until_ready():
                raise SystemExit(f"The bank did not open: {bank.log.read_text(errors='replace')[-2000:]}")
            seconds = max(3.0, SECONDS * scale)
            each = (
                ("a minute", lambda: _minute(people, bank, engine.name, comers, seconds, 0)),
                ("killed", lambda: _minute(people, bank, engine.name, comers, seconds, min(KILL_SECONDS, seconds / 3))),
                ("at once", lambda: _rush(people, bank, engine.name, rush)),
                ("random", lambda: _random(people, bank, engine.name, max(200, int(RANDOM_POSTS * scale)))),
            )
            for name, trial in each:
                if only in name:
                    yield trial()
        finally:
            bank.close()
            people.close()


def _minute(people: People, bank: Bank, engine: str, number: int, seconds: float, kills_every: float) -> Outcome:
    """Let people come over a time, half of them posting twice, perhaps while a worker is killed now and then."""
    dice = random.Random(number)  # noqa: S311 - arrivals, no secret
    session_id = people.open_session()
    posts = people.taps(session_id, number)
    arrivals = [(dice.uniform(0, seconds), post) for post in posts]
    # Every second person presses again within three seconds; the receipt makes it the same scan.
    arrivals += [(at + dice.uniform(0.05, 3), post) for at, post in arrivals[: number // 2]]
    arrivals.sort(key=lambda arrival: arrival[0])
    stop = threading.Event()
    killed: list[int] = []
    killer = threading.Thread(target=_kill, args=(bank, kills_every, stop, killed))
    if kills_every:
        killer.start()
    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as crowd:
        done = [crowd.submit(_arrive, bank.port, began + at, post) for at, post in arrivals]
        latencies = [one.result() for one in done]
    lasted = time.perf_counter() - began
    stop.set()
    if kills_every:
        killer.join()
        bank.wait_until_ready()
    credited, distinct = people.sign_off(session_id)
    more = f", {len(killed)} workers killed" if kills_every else ""
    name = f"{engine}: {number:,} people in {seconds:.0f} s, half twice{', workers killed' if kills_every else ''}"
    return Outcome(name, latencies, lasted, number, credited, distinct, more)


def _arrive(port: int, at: float, post: bytes) -> float:
    """Wait for one's moment, post until there is an answer, and return how long that took."""
    time.sleep(max(0.0, at - time.perf_counter()))
    began = time.perf_counter()
    while True:
        try:
            status, body = _send(port, post)
        except (OSError, http.client.HTTPException):
            status, body = 503, b""
        if status == 200:
            return time.perf_counter() - began
        if status < 500 or time.perf_counter() - began > _PATIENCE_SECONDS:
            raise RuntimeError(f"a tap was answered {status}: {body[:300]!r}")
        time.sleep(0.05)


_connections = threading.local()


def _send(port: int, post: bytes) -> tuple[int, bytes]:
    """Send over the thread's own connection, as a phone keeps it open."""
    head, _, body = post.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    kept: tuple[int, http.client.HTTPConnection] | None = getattr(_connections, "kept", None)
    if kept is None or kept[0] != port:
        kept = port, http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
        _connections.kept = kept
    try:
        kept[1].request(method, path, body, headers)
        answer = kept[1].getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        kept[1].close()
        raise


def _kill(bank: Bank, every: float, stop: threading.Event, killed: list[int]) -> None:
    """Kill a process that answers, now and then; one that is still getting up is left alone."""
    while not stop.wait(every):
        workers = bank.web_workers()
        if workers and _answers(bank.port):
            victim = secrets.choice(workers)
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
                killed.append(victim.pid)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _rush(people: People, bank: Bank, engine: str, number: int) -> Outcome:
    """Let everybody press at once."""
    session_id = people.open_session()
    load = _load(bank.port, people.taps(session_id, number))
    credited, distinct = people.sign_off(session_id)
    return Outcome(f"{engine}: {number:,} at once", load[1], load[0], number, credited, distinct)


def _random(people: People, bank: Bank, engine: str, posts: int) -> Outcome:
    """Let the desk's phones post at random: doubles, replays, out of order, at several sessions."""
    sessions = [people.open_session(place) for place in range(SESSIONS)]
    made, expected = people.scans(sessions, posts)
    seconds, latencies = _load(bank.port, made)
    counts = [people.sign_off(session_id) for session_id in sessions]
    credited, distinct = (sum(each) for each in zip(*counts, strict=True))
    name = f"{engine}: {posts:,} random posts at {SESSIONS} sessions"
    return Outcome(name, latencies, seconds, expected, credited, distinct)


def _load(port: int, requests: list[bytes]) -> tuple[float, list[float]]:
    client = Client()
    try:
        load = client.run(Job(port, requests, CONNECTIONS))
        return load.seconds, load.latencies
    finally:
        client.close()
