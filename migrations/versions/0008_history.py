"""Which account of a book an imported history means by an outside name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_history"
down_revision = "0007_platform"


def upgrade() -> None:
    op.create_table(
        "history_accounts",
        sa.Column("book_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outside_kind", sa.String(length=8), nullable=False),
        sa.Column("outside_name", sa.String(length=100), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "outside_kind IN ('person', 'merchant')", name=op.f("ck_history_accounts_outside_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["book_id", "account_id"],
            ["ledger_accounts.book_id", "ledger_accounts.account_id"],
            name=op.f("fk_history_accounts_book_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("book_id", "outside_kind", "outside_name", name=op.f("pk_history_accounts")),
        sa.UniqueConstraint("book_id", "account_id", name=op.f("uq_history_accounts_book_id_account_id")),
    )
