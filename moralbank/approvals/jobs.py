"""What the scheduler does for requests and offsets; it may run any number of times."""

from __future__ import annotations

from moralbank.approvals import offsets, service
from moralbank.db import Database

PAGE = 200


def lapse(database: Database) -> int:
    """Close what nobody checked within 72 hours and let go of what a year did not offset; return how many."""
    found = 0
    for verb in (service.lapse, offsets.write_off):
        while done := database.transact(verb, PAGE):
            found += done
    return found
