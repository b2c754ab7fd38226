"""Which fact of the ledger's log seals which day. What the day came to is in the fact's leaf, and nowhere else."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import metadata

days = sa.Table(
    "noticeboard_days",
    metadata,
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    #: The number of the `snap` fact in the ledger's log.
    sa.Column("fact_no", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("book_id", "fact_no"),
)
