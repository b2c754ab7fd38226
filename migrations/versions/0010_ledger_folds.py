"""Running totals of summed accounts, so that a merchant's balance never adds up a whole history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import UtcDateTime

revision = "0010_ledger_folds"
down_revision = "0009_merchant_deeds"


def upgrade() -> None:
    op.create_table(
        "ledger_folds",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("unit", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("through_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["book_id", "account_id"],
            ["ledger_accounts.book_id", "ledger_accounts.account_id"],
            name=op.f("fk_ledger_folds_book_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("book_id", "account_id", "unit", "through_seq", name=op.f("pk_ledger_folds")),
    )
