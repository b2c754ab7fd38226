"""A street with a hub and six stations, as the roster of the tests knows it."""

from __future__ import annotations

import csv
from pathlib import Path

from sqlalchemy.engine import Connection

import moralbank
from moralbank.branches import service as branches
from moralbank.branches.queries import Branch, list_branches
from moralbank.db import Database
from tests._worlds import world

COMMUNITY = Path(moralbank.__file__).parent / "demo" / "community" / "branches.csv"
STAFF = "staff:1"


@world
def street(database: Database) -> dict[str, Branch]:
    """The branches by code: NS-00 is the hub, NS-01 to NS-06 its stations."""

    def open_all(db: Connection) -> dict[str, Branch]:
        with COMMUNITY.open(encoding="utf-8") as rows:
            branches.load_branches(db, csv.DictReader(rows))
        return {branch.code: branch for branch in list_branches(db)}

    return database.transact(open_all)
