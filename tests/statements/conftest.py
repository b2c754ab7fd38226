"""The story, and a clock that stands at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moralbank import clock
from moralbank.db import Database
from tests.statements._story import NOW, Story, tell


@pytest.fixture
def story(database: Database) -> Iterator[Story]:
    with clock.at(NOW):
        yield database.transact(tell)
