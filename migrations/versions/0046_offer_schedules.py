"""When offers can be had: days, weekdays and hours. What is there already can be had always."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046_offer_schedules"
down_revision = "0045_forgotten_messages"


def upgrade() -> None:
    for column in (
        sa.Column("from_on", sa.Date),
        sa.Column("until_on", sa.Date),
        sa.Column("weekdays", sa.SmallInteger, nullable=False, server_default="127"),
        sa.Column("opens_minutes", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("closes_minutes", sa.SmallInteger, nullable=False, server_default="1440"),
    ):
        op.add_column("merchants_offers", column)
