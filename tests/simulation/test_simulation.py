"""Interleavings, crashes, lost answers and a clock that jumps, from seeds: nothing is lost, doubled, half or wrong.

`scripts/simulate --seeds 1000000` runs more of them.
"""

from __future__ import annotations

import pytest

from tests.simulation._bugs import BUGS
from tests.simulation._world import Anomaly, run_all

SEEDS = 10_000
#: So many at the most are tried until a planted bug shows.
SEEDS_FOR_A_BUG = 1_000


def test_no_seed_shows_an_anomaly() -> None:
    run_all(SEEDS)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    with BUGS[bug](), pytest.raises(Anomaly):
        run_all(SEEDS_FOR_A_BUG)
