"""Vouchers: an offer reserved by a resident, whose points the ledger holds until it is collected or ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0030_vouchers"
down_revision = "0029_zreports"


def upgrade() -> None:
    op.create_table(
        "redemptions_vouchers",
        sa.Column("voucher_id", BigId, primary_key=True),
        sa.Column("number", sa.String(18), nullable=False),
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id"), nullable=False),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("hold_entry_id", sa.Uuid),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("reserved_at", UtcDateTime, nullable=False),
        sa.Column("until_on", sa.Date, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
        sa.Column("collects", sa.Integer, nullable=False),
        sa.UniqueConstraint("number", name=op.f("uq_redemptions_vouchers_number")),
        sa.UniqueConstraint("resident_id", "key", name=op.f("uq_redemptions_vouchers_resident_id_key")),
        sa.UniqueConstraint("charge_id", name=op.f("uq_redemptions_vouchers_charge_id")),
        sa.CheckConstraint(
            "state IN ('waiting', 'collected', 'cancelled', 'lapsed')", name=op.f("ck_redemptions_vouchers_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (ended_at IS NULL)", name=op.f("ck_redemptions_vouchers_ended_whole")
        ),
        sa.CheckConstraint(
            "(state = 'collected') = (charge_id IS NOT NULL)", name=op.f("ck_redemptions_vouchers_collected_by_charge")
        ),
        sa.CheckConstraint(
            "(points = 0) = (hold_entry_id IS NULL)", name=op.f("ck_redemptions_vouchers_hold_when_points")
        ),
    )
    op.create_index("ix_redemptions_vouchers_resident_id_state", "redemptions_vouchers", ["resident_id", "state"])
    op.create_index("ix_redemptions_vouchers_state_until_on", "redemptions_vouchers", ["state", "until_on"])
