"""Takes away the private parts of a person's entries. Entries, legs, leaves and every hash stay as they are."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import models


def forget_private(db: Connection, book: int, account: int) -> int:
    """Delete memo, place, evidence and salt of every entry on an account and return how many there were."""
    legs, parts = models.postings.c, models.private_parts
    theirs = sa.select(legs.entry_id).where(legs.book_id == book, legs.account_id == account)
    return db.execute(parts.delete().where(parts.c.book_id == book, parts.c.entry_id.in_(theirs))).rowcount
