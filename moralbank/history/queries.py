"""Reads which accounts an imported history brought."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.history.models import history_accounts
from moralbank.ledger import Unit


def account_of(db: Connection, book: int, outside_kind: str, outside_name: str) -> int | None:
    """Return the account that an outside name stands for, or None."""
    columns = history_accounts.c
    query = sa.select(columns.account_id).where(
        columns.book_id == book, columns.outside_kind == outside_kind, columns.outside_name == outside_name
    )
    return db.execute(query).scalar()


def outside_names(db: Connection, accounts: Collection[int]) -> dict[int, str]:
    """Return what the history called those of the accounts that it brought, by account."""
    columns = history_accounts.c
    query = sa.select(columns.account_id, columns.outside_name).where(columns.account_id.in_(accounts))
    return {row.account_id: row.outside_name for row in db.execute(query)}


def people_balances(db: Connection, book: int) -> dict[str, int]:
    """Return the present points of everybody the history names, by outside name."""
    columns = history_accounts.c
    query = sa.select(columns.account_id, columns.outside_name).where(
        columns.book_id == book, columns.outside_kind == "person"
    )
    names = {row.account_id: row.outside_name for row in db.execute(query)}
    balances = ledger.balances(db, book, names, Unit.POINTS)
    return {names[account]: balance for account, balance in balances.items()}


def count_accounts(db: Connection, book: int) -> dict[str, int]:
    """Count the accounts that the history brought, by what they are."""
    columns = history_accounts.c
    query = sa.select(columns.outside_kind, sa.func.count()).where(columns.book_id == book)
    return {row.outside_kind: row[1] for row in db.execute(query.group_by(columns.outside_kind))}
