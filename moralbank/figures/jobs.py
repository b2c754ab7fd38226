"""What the scheduler does for public figures; it may run any number of times."""

from __future__ import annotations

from moralbank import slots
from moralbank.branches.queries import list_branches
from moralbank.db import Database
from moralbank.figures import service

#: After a long stop so many months of a tree are made up for at once, and the others in the runs after.
MONTHS_MAX = 24


def freeze_months(database: Database) -> int:
    """Compute the months that are closed, oldest first, each in a transaction of its own; return how many."""
    with database.reading() as db:
        roots = [branch for branch in list_branches(db) if branch.parent_id is None]
    found = 0
    for done, root in enumerate(roots):
        slots.tell(database, done, len(roots))
        for _ in range(MONTHS_MAX):
            with database.reading() as db:
                if service.next_month(db, root) is None:
                    break
            if database.transact(service.freeze, root) is None:
                break
            found += 1
    return found
