"""What nightly work found last: whether the books are sound, and where the last backup is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import UtcDateTime

revision = "0047_findings"
down_revision = "0046_offer_schedules"


def upgrade() -> None:
    op.create_table(
        "platform_findings",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("found_at", UtcDateTime, nullable=False),
        sa.Column("is_good", sa.Boolean, nullable=False),
        sa.Column("said", sa.String(300), nullable=False),
        sa.Column("good_at", UtcDateTime),
    )
