"""Grants of an operator that are good for charging and undoing alone: the hands of a fair's day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053_hands"
down_revision = "0052_staff_messages"


def upgrade() -> None:
    only = sa.Column("only_charges", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("access_grants", only)
