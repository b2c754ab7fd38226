"""Offers that a station approves, and photos of them. What is there already stands as approved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0049_offer_drafts"
down_revision = "0048_behalf"

_OPEN = "state IN ('draft', 'submitted', 'returned')"
_CHECKS = {
    "not_negative": "points >= 0 AND settlement_fen >= 0",
    "counts_positive": "monthly_quota > 0 AND per_resident_per_month > 0",
    "weekdays_known": "weekdays BETWEEN 1 AND 127",
    "hours_in_order": "opens_minutes >= 0 AND closes_minutes > opens_minutes",
    "hours_of_a_day": "closes_minutes <= 1440",
    "days_in_order": "until_on >= from_on",
    "state_known": "state IN ('draft', 'submitted', 'returned', 'approved', 'discarded')",
    "submitted_by_somebody": "state <> 'submitted' OR submit_login_id IS NOT NULL",
    "approved_is_offer": "state <> 'approved' OR offer_id IS NOT NULL",
    "returned_says_why": "state <> 'returned' OR reason IS NOT NULL",
    "decided_whole": "(decided_at IS NULL) = (decided_by IS NULL)",
}


def upgrade() -> None:
    op.add_column("merchants_offers", sa.Column("photo_key", sa.String(32)))
    op.create_table(
        "merchants_photos",
        sa.Column("photo_key", sa.String(32), primary_key=True),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("octets", sa.LargeBinary, nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.Column("added_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "merchants_drafts",
        sa.Column("draft_id", BigId, primary_key=True),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id")),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("monthly_quota", sa.Integer, nullable=False),
        sa.Column("per_resident_per_month", sa.Integer, nullable=False),
        sa.Column("settlement_fen", sa.Integer, nullable=False),
        sa.Column("from_on", sa.Date),
        sa.Column("until_on", sa.Date),
        sa.Column("weekdays", sa.SmallInteger, nullable=False),
        sa.Column("opens_minutes", sa.SmallInteger, nullable=False),
        sa.Column("closes_minutes", sa.SmallInteger, nullable=False),
        sa.Column("photo_key", sa.String(32)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_login_id", sa.BigInteger, nullable=False),
        sa.Column("submit_login_id", sa.BigInteger),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("submitted_at", UtcDateTime),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", UtcDateTime),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_merchants_drafts_{name}")) for name, rule in _CHECKS.items()),
    )
    op.create_index("ix_merchants_drafts_merchant_id_state", "merchants_drafts", ["merchant_id", "state"])
    op.create_index("ix_merchants_drafts_state", "merchants_drafts", ["state", "draft_id"])
    op.create_index(
        "uq_merchants_drafts_one_open",
        "merchants_drafts",
        ["offer_id"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
