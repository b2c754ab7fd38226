"""Issues the statements of a month for a whole book, beside the plain SQL aggregate over the same rows.

    python scripts/bench_statements.py --accounts 100000 --lines 1000000

The book is posted through the ledger's own verbs first; issuing runs in a process of its own, which tells its peak
memory. The aim: 100,000 accounts with 1,000,000 lines in less than 60 seconds on 2 cores, in bounded memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

os.chdir(Path(__file__).resolve().parent.parent)
sys.path[:0] = [str(Path.cwd())]

import sqlalchemy as sa  # noqa: E402

from moralbank import clock, ledger  # noqa: E402
from moralbank.db import Database  # noqa: E402
from moralbank.ledger import AccountKind, Draft, Leg, Unit  # noqa: E402
from moralbank.statements import jobs  # noqa: E402
from scripts.bench_engines import ENGINES, Engines  # noqa: E402

MONTH = datetime(2026, 3, 2, 9, tzinfo=clock.TIMEZONE)
NOW = datetime(2026, 4, 2, 9, tzinfo=clock.TIMEZONE)
PERIOD_DAYS = 27
#: An award has a line of points and one of minutes.
LINES_AN_ENTRY = 2
BATCH = 1_000
_FLOOR = sa.text(
    "SELECT count(*), sum(lines), sum(total) FROM (SELECT account_id, unit, count(*) AS lines, sum(amount) AS total, "
    "min(n) AS first, max(n) AS last FROM ledger_postings WHERE book_id = :book AND n IS NOT NULL "
    "AND posted_at >= :since AND posted_at < :until GROUP BY account_id, unit) AS each_one"
).bindparams(
    sa.bindparam("since", type_=sa.DateTime(timezone=True)), sa.bindparam("until", type_=sa.DateTime(timezone=True))
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=int, default=100_000)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    options.add_argument("--issue", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.issue:
        return issue(chosen.issue)
    with Engines(is_quick=True) as engines:
        url = engines.database(chosen.engine)
        started = time.perf_counter()
        book = grow(url, chosen.accounts, chosen.lines)
        print(f"{chosen.engine}: posted in {time.perf_counter() - started:.1f} s", flush=True)
        print(f"plain SQL aggregate over the same rows: {floor(url, book):.2f} s", flush=True)
        command = [sys.executable, __file__, "--issue", url]
        subprocess.run(command, check=True)
        print(f"plain SQL aggregate again: {floor(url, book):.2f} s", flush=True)
    return None


def grow(url: str, accounts: int, lines: int) -> int:
    """Post a month of awards, spread over the accounts and the days; return the book."""
    database = Database(url)
    with clock.at(MONTH):
        book = database.transact(ledger.open_book, "B", "bench")
        issuer, registry = (
            database.transact(ledger.internal_account, book, kind)
            for kind in (AccountKind.ISSUER, AccountKind.REGISTRY)
        )
        opened: list[int] = []
        while len(opened) < accounts:
            kinds = [AccountKind.RESIDENT] * min(BATCH, accounts - len(opened))
            opened += database.transact(ledger.open_accounts, book, kinds)

    def award(number: int) -> Draft:
        account = opened[number % accounts]
        legs = (
            Leg(issuer, Unit.POINTS, -10),
            Leg(account, Unit.POINTS, 10, (NOW + timedelta(days=1000)).date()),
            Leg(registry, Unit.MINUTES, -60),
            Leg(account, Unit.MINUTES, 60),
        )
        private = {"activity": "河岸清洁", "place": "洛水河岸"}
        return Draft(book, "award", legs, f"a:{number}", "staff:7", rule=("V01", 1), grade="A", private=private)

    entries = lines // LINES_AN_ENTRY
    for first in range(0, entries, BATCH):
        with clock.at(MONTH + timedelta(days=PERIOD_DAYS * first / max(entries, 1))):
            drafts = [award(number) for number in range(first, min(first + BATCH, entries))]
            database.transact(ledger.post_many, drafts)
    with clock.at(NOW):
        database.transact(ledger.close_day, book, MONTH.date().replace(day=31))
    database.dispose()
    return book


def floor(url: str, book: int) -> float:
    database = Database(url)
    started = time.perf_counter()
    with database.reading() as db:
        span = {
            "since": clock.start_of(MONTH.date().replace(day=1)),
            "until": clock.start_of(NOW.date().replace(day=1)),
        }
        db.execute(_FLOOR, {"book": book, **span}).all()
    took = time.perf_counter() - started
    database.dispose()
    return took


def issue(url: str) -> None:
    """Issue what is due (the month and its quarter) and say what it took; the quarter is told apart."""
    database = Database(url)
    with clock.at(NOW):
        with database.reading() as db:
            [book] = ledger.list_books(db)
            due = jobs.service.due(db, book.book_id)
        for period in due:
            started, cpu = time.perf_counter(), time.process_time()
            made = jobs.issue_period(database, book.book_id, period)
            took, cpu = time.perf_counter() - started, time.process_time() - cpu
            with database.reading() as db:
                run = jobs.service.get_run(db, book.book_id, period)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"issued {period.name}: {made:,} statements, {run.lines:,} lines in {took:.1f} s "
                f"({cpu:.1f} s of CPU), peak {peak:.0f} MB",
                flush=True,
            )
    database.dispose()


if __name__ == "__main__":
    main()
