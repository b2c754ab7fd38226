"""Who is forgotten may give up the points that are left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027_giving_up"
down_revision = "0026_keys_without_memos"


def upgrade() -> None:
    op.add_column("forgetting_requests", sa.Column("gives_up", sa.Boolean, nullable=True))
