"""Fairs, their stalls, and the logins that open a stall for a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0043_fairs"
down_revision = "0042_papers"


def upgrade() -> None:
    op.create_table(
        "fairs_fairs",
        sa.Column("fair_id", BigId, primary_key=True),
        sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("title", sa.String(60), nullable=False),
        sa.Column("place", sa.String(100), nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("closed_at", UtcDateTime),
        sa.Column("closed_by", sa.String(64)),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_fairs_fairs_ends_after_start")),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name=op.f("ck_fairs_fairs_closed_whole")),
    )
    op.create_index(op.f("ix_fairs_fairs_branch_id"), "fairs_fairs", ["branch_id"])
    op.create_table(
        "fairs_stalls",
        sa.Column("stall_id", BigId, primary_key=True),
        sa.Column("fair_id", BigId, sa.ForeignKey("fairs_fairs.fair_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id")),
        sa.Column("merchant_id", BigId, sa.ForeignKey("merchants_merchants.merchant_id")),
        sa.UniqueConstraint("fair_id", "number", name=op.f("uq_fairs_stalls_fair_id_number")),
        sa.CheckConstraint(
            "(session_id IS NULL) <> (merchant_id IS NULL)", name=op.f("ck_fairs_stalls_session_or_merchant")
        ),
    )
    op.create_table(
        "fairs_passes",
        sa.Column("pass_id", BigId, primary_key=True),
        sa.Column("stall_id", BigId, sa.ForeignKey("fairs_stalls.stall_id"), nullable=False),
        sa.Column("login_id", BigId, sa.ForeignKey("access_logins.login_id"), nullable=False),
        sa.Column("login_name", sa.String(32), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("login_id", name=op.f("uq_fairs_passes_login_id")),
    )
    op.create_index(op.f("ix_fairs_passes_stall_id"), "fairs_passes", ["stall_id"])
    op.create_index(op.f("ix_fairs_passes_until"), "fairs_passes", ["until"])
