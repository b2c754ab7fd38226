"""Prints how long a roster takes from file to depositors, and the most memory it takes, per engine and format.

python scripts/bench_roster.py                        5,000 and 20,000 rows of .csv and .xlsx, on both engines
python scripts/bench_roster.py --rows 1000 --engine SQLite
Each roster is taken in by a process of its own, as `moralbank residents import-roster` does, so that the memory is its
own; twice as many rows that take the same memory are what "bounded" means.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from xlsxwriter import Workbook  # noqa: E402

from moralbank.branches.service import BranchDraft, open_branch  # noqa: E402
from moralbank.db import Database  # noqa: E402
from moralbank.residents import import_queries, importing, jobs  # noqa: E402
from moralbank.residents.import_queries import Verdict  # noqa: E402
from scripts.bench_engines import ENGINES, Engines  # noqa: E402

ROWS = (5_000, 20_000)
FORMATS = ("csv", "xlsx")
HUB = "ZX-00"
HEADER = ("序号", "姓名", "性别", "出生日期", "手机号", "所属驿站", "网格", "户号", "是否党员", "期初积分", "备注")
_FAMILIES, _NAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟芳娜敏静强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰"


@dataclass(frozen=True, slots=True)
class Figures:
    """What one roster took."""

    rows: int
    taken: int
    points: int
    read_seconds: float
    enrol_seconds: float
    peak_megabytes: float

    @property
    def seconds(self) -> float:
        return self.read_seconds + self.enrol_seconds


def measure(url: str, file: Path, rows: int) -> Figures:
    """Take the roster in on a migrated database without people, in a process of its own."""
    words = [sys.executable, str(Path(__file__)), "--take", str(file), "--rows", str(rows)]
    done = subprocess.run(
        words, env=dict(os.environ, DATABASE_URL=url, PYTHONPATH=str(ROOT)), check=True, capture_output=True, text=True
    )
    return Figures(**json.loads(done.stdout))


def write_roster(path: Path, rows: int) -> None:
    """Write a roster of so many people, one in fifty of them with a phone that is none."""
    if path.suffix == ".csv":
        with path.open("w", encoding="gb18030", newline="") as out:
            csv.writer(out).writerows([("某街道道德银行储户名单",), HEADER, *_people(rows)])
        return
    book = Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet()
    for place, row in enumerate([("某街道道德银行储户名单",), HEADER, *_people(rows)]):
        sheet.write_row(place, 0, row)
    book.close()


def _people(rows: int) -> Iterator[tuple[str, ...]]:
    for n in range(rows):
        name = _FAMILIES[n % 20] + _NAMES[n // 20 % 25] + _NAMES[n // 500 % 25]
        phone = "0571-88" if n % 50 == 49 else f"138{n:08}"
        born_on, is_member = f"{1930 + n % 80}-{1 + n % 12:02}-{1 + n % 28:02}", "是" if n % 9 == 0 else "否"
        yield (
            str(n + 1), name, "女" if n % 2 else "男", born_on, phone, "北湖驿站",
            f"第{n % 30}网格", f"H{n // 3:06}", is_member, str(n % 300), "",
        )  # fmt: skip


def _take(file: Path, rows: int) -> None:
    """Take the file in and print the figures for the process that asked."""
    database = Database(os.environ["DATABASE_URL"])

    def open_hub(db):  # type: ignore[no-untyped-def]
        hub = open_branch(db, BranchDraft(HUB, "北湖中心", "Beihu Hub", "hub", None, "北湖路 1 号"))
        open_branch(db, BranchDraft("BH-01", "北湖驿站", "Beihu Station", "station", hub.branch_id, "北湖路 2 号"))
        return hub

    hub = database.transact(open_hub)
    begun = time.perf_counter()
    with file.open("rb") as stream:
        import_id = jobs.read_roster(database, hub, stream, file.name, actor="staff:1")
    read = time.perf_counter()
    database.transact(importing.confirm_import, import_id, actor="staff:1")
    jobs.run_import(database, import_id)
    done = time.perf_counter()
    with database.reading() as db:
        taken = [line for line in import_queries.tally(db, import_id) if line.verdict is Verdict.TAKE]
    # Kilobytes, but bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    people, points = sum(line.rows for line in taken), sum(line.opening_points for line in taken)
    print(json.dumps(asdict(Figures(rows, people, points, read - begun, done - read, peak))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--engine", choices=ENGINES, nargs="+", default=ENGINES)
    parser.add_argument("--take", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.take:
        _take(chosen.take, chosen.rows[0])
        return
    print("engine      file     rows    taken     read  enrolled  rows/s    peak")
    with Engines(is_quick=True) as engines, tempfile.TemporaryDirectory(prefix="moralbank-roster-") as folder:
        for rows in chosen.rows:
            for suffix in FORMATS:
                file = Path(folder, f"roster.{suffix}")
                write_roster(file, rows)
                for engine in chosen.engine:
                    found = measure(engines.database(engine), file, rows)
                    print(
                        f"{engine:10}  {suffix:>4}  {rows:>7,}  {found.taken:>7,}  {found.read_seconds:>5.1f} s  "
                        f"{found.enrol_seconds:>6.1f} s  {rows / found.seconds:>6,.0f}  {found.peak_megabytes:>3.0f} MB"
                    )


if __name__ == "__main__":
    main()
