"""Prints one table: every path of the service beside its floor, measured in one run in alternating rounds.

The bench starts its own servers and engines. Both sides wait for the disk at each commit. Rounds alternate between
floor and ours, so that a slow minute of the machine meets both; what is quoted is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

# The processes that the bench starts find the project where it is.
os.chdir(Path(__file__).resolve().parent.parent)
sys.path[:0] = [str(Path.cwd())]

from scripts import bench_flat, bench_hordak, bench_http, bench_plot, bench_post, bench_seal, bench_verify  # noqa: E402
from scripts.bench_engines import ENGINES, Engines  # noqa: E402
from scripts.bench_plot import Curve  # noqa: E402
from scripts.bench_table import Table  # noqa: E402

PLOT = Path("docs/performance-flat.svg")
ROUNDS = 5
SECONDS = 1.5
QUICK_SECONDS = 0.1
#: How often an act is timed in each book in a round.
REPEATS = 40
#: How many entries are weighed.
AWARDS = 20_000
ENTRIES, QUICK_ENTRIES = 1_000_000, 500


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="", help="rows whose path, engine or family holds this text")
    options.add_argument("--engine", choices=ENGINES, help="this one alone")
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--quick", action="store_true", help="one short round of everything, to see that it runs")
    options.add_argument("--entries", type=int, default=ENTRIES, help="how many the largest book holds")
    chosen = options.parse_args()
    rounds, seconds, entries, repeats = chosen.rounds, SECONDS, chosen.entries, REPEATS
    if chosen.quick:
        rounds, seconds, entries, repeats = 1, QUICK_SECONDS, QUICK_ENTRIES, 2
    print(f"Python {sys.version.split()[0]}, SQLAlchemy {sa.__version__}, {os.cpu_count()} cores, {rounds} rounds\n")
    table = Table(rounds, chosen.only, warms_up=not chosen.quick)
    with Engines(is_quick=chosen.quick) as engines:
        curves: dict[str, dict[str, Curve]] = {}
        for engine in [chosen.engine] if chosen.engine else ENGINES:
            for family in (
                *bench_post.families(engines, engine, seconds),
                *bench_hordak.families(engines, engine, seconds),
                *bench_http.families(engines, engine, seconds, entries),
            ):
                table.run(family)
            with closing(bench_flat.Books(engines, engine, entries)) as books:
                for family in bench_flat.families(books, engine, repeats):
                    if figures := table.run(family):
                        curves[engine] = bench_flat.curves(books, figures)
                for family in bench_seal.families(engines, books, engine, seconds):
                    table.run(family)
                for family in bench_verify.families(engines, books, engine, min(AWARDS, entries)):
                    table.run(family)
    # A part of the picture must not take the place of the whole.
    is_whole = all(curves.get(engine, {}).keys() == bench_flat.VERBS.keys() for engine in ENGINES)
    if is_whole and not chosen.quick:
        bench_plot.draw(PLOT, curves)
        print(f"\nThe costs against the entries are drawn in {PLOT}.")


if __name__ == "__main__":
    main()
