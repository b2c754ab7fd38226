"""How each periodic job last went, for people to see."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import UtcDateTime

revision = "0018_job_works"
down_revision = "0017_logbook"


def upgrade() -> None:
    op.create_table(
        "platform_works",
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("begun_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("found", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("fault", sa.String(200)),
    )
