"""What the scheduler does for acting on somebody's behalf; it may run any number of times."""

from __future__ import annotations

from moralbank import clock
from moralbank.behalf import service
from moralbank.db import Database


def purge_words(database: Database) -> int:
    """Forget one-time words of consent that are no longer good; return how many."""
    return database.transact(service.purge_words, clock.now())
