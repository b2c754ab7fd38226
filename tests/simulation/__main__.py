"""Runs seeds of the simulation and the planted bugs, and prints what they came to."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation._bugs import BUGS
from tests.simulation._world import Anomaly, run, run_all
from tests.simulation.test_simulation import SEEDS, SEEDS_FOR_A_BUG

EVERY = 1_000


def main() -> int:
    """Return 1 when a seed showed an anomaly or a planted bug was not found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=SEEDS)
    options.add_argument("--from", dest="first", type=int, default=0)
    chosen = options.parse_args()
    began = time.monotonic()
    for done, seed in enumerate(range(chosen.first, chosen.first + chosen.seeds), start=1):
        run(seed)
        if done % EVERY == 0:
            print(f"\r{done:,} of {chosen.seeds:,} seeds, {time.monotonic() - began:.0f} s", end="", flush=True)
    print(f"\r{chosen.seeds:,} seeds from {chosen.first}: no anomaly")
    found = 0
    for name, plant in BUGS.items():
        try:
            with plant():
                run_all(SEEDS_FOR_A_BUG)
            print(f"  {name}: not found")
        except Anomaly as anomaly:
            found += 1
            print(f"  {name}: {str(anomaly)[:100]}")
    print(f"planted bugs found: {found} of {len(BUGS)}")
    return int(found < len(BUGS))


if __name__ == "__main__":
    sys.exit(main())
