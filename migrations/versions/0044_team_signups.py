"""Who put somebody else on the list of a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044_team_signups"
down_revision = "0043_fairs"


def upgrade() -> None:
    op.add_column("activities_signups", sa.Column("signed_up_by", sa.BigInteger))
