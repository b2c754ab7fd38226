"""Sign-offs that wait for a second person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0050_held_signoffs"
down_revision = "0049_offer_drafts"

_CHECKS = {
    "state_known": "state IN ('waiting', 'agreed', 'returned', 'withdrawn')",
    "decided_whole": "(state = 'waiting') = (decided_by IS NULL)",
    "decided_at_whole": "(decided_at IS NULL) = (decided_by IS NULL)",
    "two_people": "state <> 'agreed' OR decided_by <> asked_by",
}


def upgrade() -> None:
    op.create_table(
        "activities_held_signoffs",
        sa.Column("held_id", BigId, primary_key=True),
        sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
        sa.Column("decisions", sa.JSON, nullable=False),
        sa.Column("head_count", sa.Integer, nullable=False),
        sa.Column("closes_early", sa.Boolean, nullable=False),
        sa.Column("overridden", sa.Integer, nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("asked_login_id", sa.BigInteger, nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", UtcDateTime),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_activities_held_signoffs_{name}")) for name, rule in _CHECKS.items()),
    )
    op.create_index("ix_activities_held_signoffs_session_id", "activities_held_signoffs", ["session_id"])
    op.create_index(
        "uq_activities_held_signoffs_one_waiting",
        "activities_held_signoffs",
        ["session_id"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
