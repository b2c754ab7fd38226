"""The load: a process that keeps connections open, sends requests made beforehand and reads no more than it must.

Used alike for floor and ours, so that the client is never what is measured: it takes some 30 µs a request.
"""

from __future__ import annotations

import pickle
import re
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Job:
    """Requests to send to a port of this machine: each once, or in turn until the seconds are over."""

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a job. latencies: seconds, sorted; refused: status and body of an answer that was not 2xx."""

    seconds: float
    latencies: list[float]
    refused: int
    refusal: bytes

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.latencies) * 1000

    @property
    def p99_ms(self) -> float:
        return self.latencies[int(len(self.latencies) * 0.99)] * 1000


class Client:
    """The process that makes the load, for as long as the bench runs."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "scripts.bench_load"]
        self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, job: Job) -> Load:
        """Return what came of the job; raise RuntimeError when any request was refused."""
        assert self._process.stdin is not None, "it was started with pipes"
        assert self._process.stdout is not None, "it was started with pipes"
        pickle.dump(job, self._process.stdin)
        self._process.stdin.flush()
        load: Load = pickle.load(self._process.stdout)  # noqa: S301 - from our own process
        if load.refused:
            first = job.requests[0].split(b"\r\n", 1)[0].decode()
            raise RuntimeError(f"{load.refused} of {len(load.latencies)} requests ({first}) failed: {load.refusal!r}")
        return load

    def close(self) -> None:
        assert self._process.stdin is not None, "it was started with pipes"
        self._process.stdin.close()
        self._process.wait(timeout=30)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a request as it goes over the wire; names of headers are written with underscores."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = self._connect()
        self._buffer = b""
        self._whole = 0
        self.sent_at = 0.0

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def send(self, text: bytes) -> None:
        self._buffer, self._whole = b"", 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(text)

    def read(self) -> bytes | None:
        """Take what has come; return the answer once it is whole."""
        piece = self.socket.recv(262_144)
        if not piece:
            raise ConnectionError("the server closed a connection with a request under way")
        self._buffer += piece
        if not self._whole:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = _LENGTH.search(self._buffer, 0, end)
            self._whole = end + 4 + (int(length[1]) if length else 0)
        return self._buffer if len(self._buffer) >= self._whole else None


def run(job: Job) -> Load:
    """Send the job's requests, one at a time on each connection, and time the answers."""
    selector = selectors.DefaultSelector()
    latencies: list[float] = []
    refusals: list[bytes] = []
    left: Iterator[bytes] = iter(job.requests) if job.seconds is None else cycle(job.requests)
    started = time.perf_counter()
    until = started + job.seconds if job.seconds is not None else None
    for _ in range(job.connections):
        _next(selector, _Connection(job.port), left)
    while selector.get_map():
        for key, _ in selector.select(30) or _raise_silence():
            connection: _Connection = key.data
            answer = connection.read()
            if answer is None:
                continue
            now = time.perf_counter()
            latencies.append(now - connection.sent_at)
            if answer[9:10] != b"2":
                refusals.append(answer)
            if until is not None and now >= until:
                left = iter(())
            selector.unregister(connection.socket)
            if _CLOSES.search(answer):
                connection.socket.close()
                connection = _Connection(job.port)
            _next(selector, connection, left)
    seconds = time.perf_counter() - started
    return Load(seconds, sorted(latencies), len(refusals), refusals[0][:500] if refusals else b"")


def _next(selector: selectors.BaseSelector, connection: _Connection, left: Iterator[bytes]) -> None:
    text = next(left, None)
    if text is None:
        connection.socket.close()
        return
    connection.send(text)
    selector.register(connection.socket, selectors.EVENT_READ, connection)


def _raise_silence() -> list[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError("no answer within 30 s")


def main() -> None:
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
        except EOFError:
            return
        pickle.dump(run(job), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    # Pickled values name this module as the bench imports it, not as the program that runs.
    from scripts import bench_load

    bench_load.main()
