"""The table that says which account an outside name stands for."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import metadata

history_accounts = sa.Table(
    "history_accounts",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True, autoincrement=False),
    #: person or merchant: the same name may be both.
    sa.Column("outside_kind", sa.String(8), primary_key=True),
    sa.Column("outside_name", sa.String(100), primary_key=True),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("book_id", "account_id"),
    sa.ForeignKeyConstraint(["book_id", "account_id"], ["ledger_accounts.book_id", "ledger_accounts.account_id"]),
    sa.CheckConstraint("outside_kind IN ('person', 'merchant')", name="outside_kind_known"),
)
