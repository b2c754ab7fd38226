"""Spot checks: that the leader asked in the middle of a session who is there, and who said so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0034_spot_checks"
down_revision = "0033_late_entries"


def upgrade() -> None:
    op.create_table(
        "activities_spot_checks",
        sa.Column("spot_id", BigId, primary_key=True),
        sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("closes_at", UtcDateTime, nullable=False),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.CheckConstraint("closes_at > opened_at", name="ck_activities_spot_checks_closes_after_opening"),
    )
    op.create_index("ix_activities_spot_checks_session_id", "activities_spot_checks", ["session_id"])
    op.create_index("ix_activities_spot_checks_closes_at", "activities_spot_checks", ["closes_at"])
    op.create_table(
        "activities_spot_answers",
        sa.Column("spot_id", BigId, sa.ForeignKey("activities_spot_checks.spot_id"), primary_key=True),
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
        sa.Column("answered_at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64)),
    )
    op.create_index("ix_activities_spot_answers_resident_id", "activities_spot_answers", ["resident_id"])
