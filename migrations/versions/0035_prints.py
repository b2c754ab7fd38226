"""Print runs of statements, and how far each is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0035_prints"
down_revision = "0034_spot_checks"


def upgrade() -> None:
    op.create_table(
        "statements_prints",
        sa.Column("print_id", BigId, nullable=False),
        sa.Column("branch_id", sa.BigInteger(), nullable=False),
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("form", sa.String(8), nullable=False),
        sa.Column("phoneless", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("after_building", sa.String(50), nullable=False),
        sa.Column("after_resident", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String(32)),
        sa.Column("ended_at", UtcDateTime()),
        sa.CheckConstraint("form IN ('run', 'files')", name=op.f("ck_statements_prints_form_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'stopped', 'done', 'dropped')", name=op.f("ck_statements_prints_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branches_branches.branch_id"], name=op.f("fk_statements_prints_branch_id")
        ),
        sa.PrimaryKeyConstraint("print_id", name=op.f("pk_statements_prints")),
    )
    op.create_index("ix_statements_prints_branch_id", "statements_prints", ["branch_id", "print_id"])
