"""A short run of scripts/faults on each engine: enough to notice that something acknowledged was lost or doubled."""

from __future__ import annotations

import random

import pytest

from scripts import faults
from tests import _ci, _postgres
from tests.faults import disk

SECONDS = 8


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_doubled_or_half(engine: str) -> None:
    seed = random.randrange(10**6)
    try:
        outcome = faults.campaign(engine, seed, SECONDS)
    except (disk.Unavailable, _postgres.Unavailable) as error:
        _ci.missing(str(error))
    assert outcome.anomalies == [], f"scripts/faults --engine {engine} --seed {seed}"
    assert sum(outcome.troubles.values()) > 0
    for kind in ("charge", "check-in"):
        assert outcome.journal.acknowledged(kind), kind
    assert outcome.journal.counts["replays"] > 0
