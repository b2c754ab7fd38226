"""The story, and a clock that stands at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moralbank import clock
from moralbank.db import Database
from tests._worlds import world
from tests.statements._story import NOW, Story, tell


@world
def whole_story(database: Database) -> Story:
    with clock.at(NOW):
        return database.transact(tell)


@pytest.fixture
def story(whole_story: Story) -> Iterator[Story]:
    with clock.at(NOW):
        yield whole_story
