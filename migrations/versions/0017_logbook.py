"""Who witnesses a book's logs, how many of them must, and how asking them goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0017_logbook"
down_revision = "0016_settlements"

_IN_OFFICE = sa.text("retired_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "logbook_witnesses",
        sa.Column("witness_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("verifier_key", sa.String(400), nullable=False),
        sa.Column("url", sa.String(300)),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.Column("added_by", sa.String(64), nullable=False),
        sa.Column("retired_at", UtcDateTime),
        sa.Column("retired_by", sa.String(64)),
        sa.CheckConstraint(
            "(retired_at IS NULL) = (retired_by IS NULL)", name="ck_logbook_witnesses_retired_by_somebody"
        ),
    )
    for column in ("name", "verifier_key"):
        op.create_index(
            f"uq_logbook_witnesses_{column}",
            "logbook_witnesses",
            ["book_id", column],
            unique=True,
            sqlite_where=_IN_OFFICE,
            postgresql_where=_IN_OFFICE,
        )
    op.create_table(
        "logbook_policies",
        sa.Column("policy_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), nullable=False),
        sa.Column("needed", sa.Integer, nullable=False),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.Column("set_by", sa.String(64), nullable=False),
        sa.CheckConstraint("needed >= 0", name="ck_logbook_policies_needed_not_negative"),
    )
    op.create_index("ix_logbook_policies_book_id", "logbook_policies", ["book_id", "policy_id"])
    op.create_table(
        "logbook_rounds",
        sa.Column("witness_id", sa.BigInteger, sa.ForeignKey("logbook_witnesses.witness_id"), primary_key=True),
        sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("known_size", sa.BigInteger, nullable=False),
        sa.Column("signed_at", UtcDateTime),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("known_size >= 0 AND failures >= 0", name="ck_logbook_rounds_counts_not_negative"),
    )
