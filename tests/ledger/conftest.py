"""A small book and its people, for every test of the ledger.

Wang Guiying saves points and is careful with them; Li Qiang spends his as they come; the corner shop takes both theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit
from tests._worlds import world


@dataclass(frozen=True)
class Book:
    """A book of a test: its accounts by the names of their holders, and drafts of what happens in it."""

    book: int
    issuer: int
    registry: int
    guiying: int
    qiang: int
    shop: int

    def award(
        self, key: str, to: int, points: int, *, minutes: int = 0, expires_on: date | None = None, **more
    ) -> Draft:
        legs = (Leg(self.issuer, Unit.POINTS, -points), Leg(to, Unit.POINTS, points, expires_on))
        if minutes:
            legs += (Leg(self.registry, Unit.MINUTES, -minutes), Leg(to, Unit.MINUTES, minutes))
        return Draft(self.book, "award", legs, key, "staff:1", **more)

    def redemption(self, key: str, by: int, points: int, **more) -> Draft:
        legs = (Leg(by, Unit.POINTS, -points), Leg(self.shop, Unit.POINTS, points))
        return Draft(self.book, "redemption", legs, key, "operator:2", **more)

    def points_of(self, db: Connection, account: int) -> int:
        return ledger.balance(db, self.book, account, Unit.POINTS).balance


def open_test_book(db: Connection, code: str = "NS-00") -> Book:
    book = ledger.open_book(db, code, "Nanshan")
    kinds = (AccountKind.RESIDENT, AccountKind.RESIDENT, AccountKind.MERCHANT)
    guiying, qiang, shop = ledger.open_accounts(db, book, kinds)
    issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
    registry = ledger.internal_account(db, book, AccountKind.REGISTRY)
    return Book(book, issuer, registry, guiying, qiang, shop)


@world
def book(database: Database) -> Book:
    return database.transact(open_test_book)


def rows_of(db: Connection) -> dict[str, list]:
    """Every row of the ledger's tables, to show that nothing was written."""
    from moralbank.ledger import models

    tables = (models.entries, models.postings, models.balances, models.keys, models.private_parts)
    return {table.name: sorted(map(str, db.execute(table.select()).all())) for table in tables}


def entry_ids(verdicts: list) -> list[UUID]:
    return [verdict.entry_id for verdict in verdicts if isinstance(verdict, Posted)]
