"""The small district, for every test of access."""

from __future__ import annotations

from moralbank.branches.queries import Branch
from moralbank.db import Database
from tests._people import make_branch_tree
from tests._worlds import world


@world
def tree(database: Database) -> dict[str, Branch]:
    return database.transact(make_branch_tree)
