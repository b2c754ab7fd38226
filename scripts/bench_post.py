"""Posting without the web: ledger.post and post_many from threads and processes, beside bare statements and R."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from moralbank import db, ledger
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from scripts.bench_bare_loop import make_tables
from scripts.bench_engines import POSTGRESQL, SQLITE, Engines
from scripts.bench_floor import Plain
from scripts.bench_table import Family, Measure, Row

ROOT = Path(__file__).resolve().parent.parent
RESIDENTS = 1_000
MERCHANTS = 64
#: Clients of `post_many`, one after another on SQLite and two in each process on PostgreSQL.
MANY_CLIENTS = {SQLITE: 1, POSTGRESQL: 4}
#: (floor wanted, goal) in R.
MANY_WANTED = {SQLITE: (6, 14), POSTGRESQL: (4, 8)}
SIXTEEN_WANTED = {SQLITE: (2, 5), POSTGRESQL: (1, 2)}


def families(engines: Engines, engine: str, seconds: float) -> Iterator[Family]:
    many_wanted, many_goal = MANY_WANTED[engine]
    wanted, goal = SIXTEEN_WANTED[engine]
    shape = "1 process" if engine == SQLITE else "2 processes"
    rows = (
        Row("ledger.post, 1 client / bare loop", "post 1", "bare loop 1", 0.5),
        Row("ledger.post, 8 clients / bare loop", "post 8", "bare loop 8", 0.5),
        Row("post_many, 100 a commit, one merchant / R", "post_many", "R", many_wanted, many_goal),
        Row(f"post, 16 threads in {shape} / R", "post 16", "R", wanted, goal),
        Row("one merchant / spread merchants", "one merchant", "spread merchants", 0.9, 1.0),
    )
    yield Family("posting", engine, rows, partial(_open, engines, engine, seconds))


@contextmanager
def _open(engines: Engines, engine: str, seconds: float) -> Iterator[tuple[Measure, ...]]:
    with closing(Posting(engines.database(engine), engine, seconds)) as posting:
        yield (
            Measure(("bare loop 1",), lambda: posting.rate("bare_award", 1)),
            Measure(("post 1",), lambda: posting.rate("award", 1)),
            Measure(("bare loop 8",), lambda: posting.rate("bare_award", 8)),
            Measure(("post 8",), lambda: posting.rate("award", 8)),
            Measure(("R",), lambda: (engines.pgbench(seconds),)),
            Measure(("post_many",), lambda: posting.rate("many", MANY_CLIENTS[engine], processes=2)),
            Measure(("post 16",), lambda: posting.rate("award", 16, processes=2)),
            Measure(("one merchant",), lambda: posting.rate("one_merchant", 16, processes=2)),
            Measure(("spread merchants",), lambda: posting.rate("spread", 16, processes=2)),
        )


class Posting:
    """A book with a thousand residents, and two processes of clients (one on SQLite, which has one writer)."""

    def __init__(self, url: str, engine: str, seconds: float) -> None:
        self._seconds = seconds
        place = _open_book(url)
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "scripts.bench_poster"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(1 if engine == SQLITE else 2)
        ]
        for process in self._processes:
            tell(process, place)

    def rate(self, what: str, clients: int, *, processes: int = 1) -> tuple[float]:
        """Return the entries per second of so many clients, spread over the processes."""
        used = self._processes[:processes]
        for number, process in enumerate(used):
            mine = list(range(number, clients, len(used)))
            tell(process, {"what": what, "clients": mine, "of": clients, "seconds": self._seconds})
        answers = [answer(process) for process in used]
        return (sum(done for done, _ in answers) / max(seconds for _, seconds in answers),)

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None, "it was started with a pipe"
            process.stdin.close()
            process.wait(timeout=30)


def _open_book(url: str) -> dict[str, object]:
    database = db.Database(url)
    book = database.transact(ledger.open_book, "bench", "Bench")
    residents = database.transact(ledger.open_accounts, book, [AccountKind.RESIDENT] * RESIDENTS)
    merchants = database.transact(ledger.open_accounts, book, [AccountKind.MERCHANT] * MERCHANTS)
    with database.reading() as reading:
        issuer = ledger.internal_account(reading, book, AccountKind.ISSUER)
    database.transact(ledger.post_many, opening(book, issuer, residents))
    database.dispose()
    plain = Plain(url)
    make_tables(plain, book, residents)
    plain.close()
    return {"url": url, "book": book, "issuer": issuer, "residents": residents, "merchants": merchants}


def opening(book: int, issuer: int, residents: Sequence[int]) -> list[Draft]:
    """Return drafts that give everybody more points than any bench can spend."""
    return [
        Draft(
            book,
            "opening",
            (Leg(issuer, Unit.POINTS, -(10**9)), Leg(resident, Unit.POINTS, 10**9)),
            f"opening:{resident}",
            "system",
        )
        for resident in residents
    ]


def tell(process: subprocess.Popen[str], job: dict[str, object]) -> None:
    """Send a line of JSON to a process of clients."""
    assert process.stdin is not None, "it was started with a pipe"
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> tuple[int, float]:
    """Wait for what a process of clients did, and in how many seconds."""
    assert process.stdout is not None, "it was started with a pipe"
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the bench ended; its reason is above")
    done, seconds = json.loads(line)
    return done, seconds
