"""Takes away what an imported history called a person who is forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.history.models import history_accounts


def forget_name(db: Connection, book: int, account: int) -> int:
    """Put the account's own number where the outside name stood, and return how many there were."""
    columns = history_accounts.c
    here = sa.and_(columns.book_id == book, columns.account_id == account)
    return db.execute(history_accounts.update().where(here).values(outside_name=f"#{account}")).rowcount
