"""Prints how long a book takes to export and an auditor to verify it offline, and how much memory either needs.

python -m scripts.bench_verifier                    grows a book of 1,000,000 entries on SQLite first
python -m scripts.bench_verifier --entries 100000
python -m scripts.bench_verifier --var FOLDER       keeps the grown bank and its export there, and takes those that are
python -m scripts.bench_verifier --paper            writes the export of a book that exists on paper only: much faster
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from moralbank import ledger
from moralbank.db import Database, migrate
from moralbank.earning import service as earning
from moralbank.earning.rules import packaged_rules
from moralbank.noticeboard import service as noticeboard
from moralbank.reports import evidence
from moralbank.reports.evidence import Asked
from moralbank.transparency import Log, integrate
from moralbank.transparency import queries as logs
from moralbank.transparency.signer import Signer
from moralbank.transparency.signer_memory import Place
from moralbank.transparency.signing_keys import KeyFile
from scripts.bench_grown import Grown
from tests.verifier import _paper

ENTRIES = 1_000_000
CHECKPOINTS = 100
#: How many days are closed and sealed: each looks at all accounts, so a whole year takes longer than posting it.
DAYS = 30
#: Runs the verifier and has it count itself: a child's peak, as its parent is told, is never below the parent's own.
_COUNTED = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status") as status:
        [peak] = [line.split()[1] for line in status if line.startswith("VmHWM")]
    print(f"{used.ru_utime + used.ru_stime:.1f} s of CPU, peak memory {int(peak) // 1024:,} MB")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--var", type=Path, help="a folder for the bank and its export, kept")
    parser.add_argument("--paper", action="store_true", help="no bank: only the verifier is measured")
    asked = parser.parse_args()
    with ExitStack() as stack:
        var = asked.var or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moralbank-verifier-")))
        var.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{var}/moralbank.db"
        export = var / "export.zip"
        if asked.paper:
            _write_on_paper(export, asked.entries)
        elif not export.exists():
            if not (var / "moralbank.db").exists():
                _grow(url, var, asked.entries)
            _seal(url, var)
            _export(url, export)
        _verify(export)


def _grow(url: str, var: Path, entries: int) -> None:
    """Grow a bank."""
    migrate(url)
    _adopt(url)
    started = time.perf_counter()
    grown = Grown(url, entries)
    print(f"{entries:,} entries posted in {time.perf_counter() - started:,.0f} s", flush=True)
    grown.close()


def _seal(url: str, var: Path) -> None:
    """Close and seal the first days, integrate all that is not yet, and sign a hundred checkpoints on the way."""
    database, started = Database(url), time.perf_counter()
    with database.reading() as db:
        number = ledger.list_books(db)[0].book_id
        batches = ledger.count_entries(db, number) // integrate.BATCH
    days = 0
    while days < DAYS and database.transact(noticeboard.seal_next_day, number):
        days += 1
    signer = Signer(database, KeyFile(var / "signing.key"), Place(var / "signer"), "bank.example")
    for log in Log:
        batch = 0
        while database.transact(integrate.integrate, number, log, integrate.BATCH):
            batch += 1
            if batch % max(1, batches // CHECKPOINTS) == 0:
                signer.cycle()
    while _is_behind(database, number):
        signer.cycle()
    print(f"{days} days closed, all sealed and signed in {time.perf_counter() - started:,.0f} s", flush=True)
    database.dispose()


def _is_behind(database: Database, book: int) -> bool:
    """Tell whether the signer, who takes a stretch at a time, has not come to a log's end yet."""
    with database.reading() as db:
        latest = {log: logs.latest_checkpoint(db, book, log) for log in Log}
        return any(one is None or one.size < logs.size(db, book, log) for log, one in latest.items())


def _write_on_paper(export: Path, entries: int) -> None:
    """Write a year of awards and redemptions, one in five, of residents with a hundred entries each."""
    first = (_paper.BOOK << 32) + 100
    people = range(first, first + max(1, entries // 100))
    _paper.ACCOUNTS.update(dict.fromkeys(people, "resident"))
    _paper.GUARDED.update(people)
    paper, pace = _paper.Paper(), timedelta(days=360) / entries - timedelta(minutes=7)
    for number in range(entries):
        turn, place = divmod(number, len(people))
        private = '{"memo":"河岸清洁","place":"河岸公园"}'
        if turn % 5 == 4:
            paper.redemption(people[place], 5, src=["redemption", f"b{number}"], private=private, br=3)
        else:
            paper.award(people[place], 25, src=["attendance", f"{number}:1"], private=private, br=3)
        paper.now += pace
    paper.sign()
    paper.write(export)


def _adopt(url: str) -> None:
    """Adopt the rule that the awards cite, as of a day before all of them."""
    database = Database(url)
    rules = [replace(rule, effective_from=date(2020, 1, 1)) for rule in packaged_rules() if rule.code == "V01"]
    database.transact(earning.load_rules, rules, actor="admin:1", consultation="-")
    database.dispose()


def _export(url: str, export: Path) -> None:
    """Write the export with all private parts."""
    database = Database(url)
    with database.reading() as db:
        book = ledger.list_books(db)[0]
    before, cpu = time.perf_counter(), time.process_time()
    size = evidence.write(database, book, Asked(with_openings=True), export)
    seconds, used = time.perf_counter() - before, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"exported {size:,} bytes in {seconds:,.1f} s ({used:,.1f} s of CPU), peak memory {memory:,} MB", flush=True)
    database.dispose()


def _verify(export: Path) -> None:
    """Run the verifier as its users do, as a program of its own, and say what the system counted of it."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _COUNTED, str(evidence.VERIFIER), str(export), "--lang", "en"],
        capture_output=True, text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    print(done.stdout + done.stderr)
    print(f"verified in {seconds:,.1f} s, exit status {done.returncode}")
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
