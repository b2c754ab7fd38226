"""A few posts of scripts/door crowd: enough to notice that somebody was credited twice or not at all."""

from __future__ import annotations

import pytest

from scripts import bench_crowd

SCALE = 0.003


@pytest.mark.long
def test_everybody_is_credited_once_whatever_is_posted_twice_or_out_of_order() -> None:
    [outcome] = bench_crowd.trials("sqlite", SCALE, "random")
    assert outcome.expected > 10
    assert (outcome.credited, outcome.distinct) == (outcome.expected, outcome.expected), str(outcome)
