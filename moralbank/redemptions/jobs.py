"""What the scheduler does for redemptions; it may run any number of times."""

from __future__ import annotations

from moralbank.db import Database
from moralbank.redemptions import codes


def purge_codes(database: Database) -> int:
    """Forget payment codes that nobody used within a day; return how many."""
    return database.transact(codes.purge_codes)
