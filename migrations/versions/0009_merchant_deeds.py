"""Who did what to a merchant or one of its offers, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0009_merchant_deeds"
down_revision = "0008_history"


def upgrade() -> None:
    op.create_table(
        "merchants_deeds",
        sa.Column("deed_id", BigId, primary_key=True),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id")),
        sa.Column("deed", sa.String(16), nullable=False),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("done_at", UtcDateTime, nullable=False),
        sa.Column("done_by", sa.String(64), nullable=False),
        sa.CheckConstraint("deed IN ('added', 'edited', 'status')", name="ck_merchants_deeds_deed_known"),
    )
    op.create_index("ix_merchants_deeds_merchant_id", "merchants_deeds", ["merchant_id", "deed_id"])
