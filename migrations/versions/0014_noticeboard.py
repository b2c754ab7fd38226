"""Which fact of a book's log seals which day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_noticeboard"
down_revision = "0013_transparency"


def upgrade() -> None:
    op.create_table(
        "noticeboard_days",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("fact_no", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["ledger_books.book_id"], name=op.f("fk_noticeboard_days_book_id")),
        sa.PrimaryKeyConstraint("book_id", "day", name=op.f("pk_noticeboard_days")),
        sa.UniqueConstraint("book_id", "fact_no", name="uq_noticeboard_days_book_id_fact_no"),
    )
