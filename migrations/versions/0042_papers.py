"""Printed rosters that two people entered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0042_papers"
down_revision = "0041_figures"


def upgrade() -> None:
    op.create_table(
        "activities_papers",
        sa.Column("paper_id", BigId, primary_key=True),
        sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
        sa.Column("entered_by", sa.String(64), nullable=False),
        sa.Column("entered_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", UtcDateTime),
        sa.CheckConstraint(
            "state IN ('waiting', 'confirmed', 'refused')", name=op.f("ck_activities_papers_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_by IS NULL)", name=op.f("ck_activities_papers_decided_whole")
        ),
    )
    op.create_index(op.f("ix_activities_papers_session_id"), "activities_papers", ["session_id"])
    op.create_table(
        "activities_paper_lines",
        sa.Column("paper_id", BigId, sa.ForeignKey("activities_papers.paper_id"), primary_key=True),
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
        sa.Column("came_at", UtcDateTime, nullable=False),
        sa.Column("left_at", UtcDateTime),
    )
