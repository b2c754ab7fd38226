"""Interleavings, crashes, lost answers and a clock that jumps, from seeds: nothing is lost, doubled, half or wrong.

`scripts/simulate --seeds 1000000` runs more of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from moralbank.db import Database
from tests.simulation import _sealing
from tests.simulation._bugs import BUGS
from tests.simulation._world import Anomaly, run_all

SEEDS = 10_000
#: So many at the most are tried until a planted bug shows.
SEEDS_FOR_A_BUG = 1_000


@pytest.mark.long
def test_no_seed_shows_an_anomaly() -> None:
    run_all(SEEDS)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    with BUGS[bug](), pytest.raises(Anomaly):
        run_all(SEEDS_FOR_A_BUG)


#: Each lives sixty steps in a database of the tests' own.
SEALING_SEEDS = 20


@pytest.fixture
def hasty(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """A database that waits for no disk."""
    shutil.copy(migrated_sqlite, tmp_path / "hasty.db")
    database = Database(f"sqlite:///{tmp_path}/hasty.db")
    sa.event.listen(database.engine, "connect", lambda dbapi, _record: dbapi.execute("PRAGMA synchronous=OFF"))
    yield database
    database.dispose()


def test_no_seed_makes_two_workers_seal_an_entry_twice_or_never(hasty: Database) -> None:
    _sealing.run_all(hasty, SEALING_SEEDS)


@pytest.mark.parametrize("bug", _sealing.BUGS)
def test_a_planted_bug_of_sealing_is_found(bug: str, hasty: Database) -> None:
    with _sealing.BUGS[bug](), pytest.raises(Anomaly):
        _sealing.run_all(hasty, SEALING_SEEDS)
