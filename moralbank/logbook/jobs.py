"""What the scheduler does for the logs' readers; it may run any number of times."""

from __future__ import annotations

from moralbank.config import var_directory
from moralbank.db import Database
from moralbank.logbook import asking


def ask_witnesses(database: Database) -> int:
    """Take new checkpoints to the witnesses; return how many signed."""
    return asking.ask_witnesses(database, var_directory())
