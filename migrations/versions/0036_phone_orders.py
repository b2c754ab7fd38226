"""What a resident agrees to on their own phone: large charges, sales shown by the shop, and stickers on its wall."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0036_phone_orders"
down_revision = "0035_prints"


def upgrade() -> None:
    op.create_table(
        "redemptions_stickers",
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), primary_key=True),
        sa.Column("serial", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
    )
    op.create_table(
        "redemptions_phone_orders",
        sa.Column("order_id", BigId, primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), nullable=False),
        sa.Column("operator_resident_id", sa.BigInteger),
        sa.Column("terminal", sa.String(64), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id")),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id")),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("refusal", sa.String(64)),
        sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
        sa.UniqueConstraint("number", name=op.f("uq_redemptions_phone_orders_number")),
        sa.UniqueConstraint(
            "merchant_id", "operator_id", "key", name=op.f("uq_redemptions_phone_orders_merchant_id_operator_id_key")
        ),
        sa.CheckConstraint("kind IN ('large', 'sale', 'sticker')", name=op.f("ck_redemptions_phone_orders_kind_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'paid', 'refused', 'declined', 'cancelled', 'expired')",
            name=op.f("ck_redemptions_phone_orders_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (ended_at IS NULL)", name=op.f("ck_redemptions_phone_orders_ended_whole")
        ),
        sa.CheckConstraint(
            "(state = 'paid') = (charge_id IS NOT NULL)", name=op.f("ck_redemptions_phone_orders_paid_by_charge")
        ),
    )
    op.create_index(
        "ix_redemptions_phone_orders_resident_id_state", "redemptions_phone_orders", ["resident_id", "state"]
    )
    op.create_index("ix_redemptions_phone_orders_state_expires_at", "redemptions_phone_orders", ["state", "expires_at"])
