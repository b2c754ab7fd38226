"""The secret address of a resident's own calendar."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0021_calendars"
down_revision = "0020_forgetting"


def upgrade() -> None:
    op.create_table(
        "activities_feeds",
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_activities_feeds_secret_hash")),
    )
