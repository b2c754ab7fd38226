"""Tables of merchants and of redemptions: offers and their months, payment codes, charges and answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0006_merchants"
down_revision = "0005_activities"


def upgrade() -> None:
    """Create the merchants' tables, then those of what is charged there."""
    _create_merchants()
    _create_offers()
    _create_codes()
    _create_charges()
    _create_answers()


def _create_merchants() -> None:
    op.create_table(
        "merchants_merchants",
        sa.Column("merchant_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("contact", sa.String(100), nullable=False),
        sa.Column("phone", sa.String(32), nullable=False),
        sa.Column("settlement_mode", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("joined_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("book_id", "code", name="uq_merchants_merchants_book_id_code"),
        sa.UniqueConstraint("book_id", "account_id", name="uq_merchants_merchants_book_id_account_id"),
        sa.CheckConstraint(
            "settlement_mode IN ('donated', 'subsidised', 'recirculated')",
            name="ck_merchants_merchants_settlement_mode_known",
        ),
        sa.CheckConstraint(
            "status IN ('applied', 'visited', 'active', 'suspended', 'left')",
            name="ck_merchants_merchants_status_known",
        ),
    )
    op.create_index("ix_merchants_merchants_branch_id", "merchants_merchants", ["branch_id"])


def _create_offers() -> None:
    op.create_table(
        "merchants_offers",
        sa.Column("offer_id", BigId, primary_key=True),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("monthly_quota", sa.Integer, nullable=False),
        sa.Column("per_resident_per_month", sa.Integer, nullable=False),
        sa.Column("settlement_fen", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.UniqueConstraint("merchant_id", "code", name="uq_merchants_offers_merchant_id_code"),
        sa.CheckConstraint("points >= 0", name="ck_merchants_offers_points_not_negative"),
        sa.CheckConstraint("monthly_quota > 0", name="ck_merchants_offers_quota_positive"),
        sa.CheckConstraint("per_resident_per_month > 0", name="ck_merchants_offers_per_resident_positive"),
        sa.CheckConstraint("settlement_fen >= 0", name="ck_merchants_offers_settlement_not_negative"),
        sa.CheckConstraint("status IN ('active', 'suspended')", name="ck_merchants_offers_status_known"),
    )
    op.create_table(
        "merchants_offer_months",
        sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id"), primary_key=True),
        sa.Column("month_on", sa.Date, primary_key=True),
        sa.Column("used", sa.Integer, nullable=False),
        sa.CheckConstraint("used >= 0", name="ck_merchants_offer_months_used_not_negative"),
    )


def _create_codes() -> None:
    resident = sa.ForeignKey("residents_residents.resident_id")
    op.create_table(
        "redemptions_codes",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("resident_id", sa.BigInteger, resident, nullable=False),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime),
    )
    op.create_index("ix_redemptions_codes_resident_id_expires_at", "redemptions_codes", ["resident_id", "expires_at"])
    op.create_index("ix_redemptions_codes_expires_at", "redemptions_codes", ["expires_at"])
    op.create_table(
        "redemptions_spendings",
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
        sa.Column("month_on", sa.Date, primary_key=True),
        sa.Column("points", sa.Integer, nullable=False),
        sa.CheckConstraint("points >= 0", name="ck_redemptions_spendings_points_not_negative"),
    )


def _create_charges() -> None:
    op.create_table(
        "redemptions_charges",
        sa.Column("charge_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), nullable=False),
        sa.Column("terminal", sa.String(64), nullable=False),
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
        sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id")),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("means", sa.String(8), nullable=False),
        sa.Column("code_hash", sa.LargeBinary),
        sa.Column("entry_id", sa.Uuid),
        sa.Column("charged_at", UtcDateTime, nullable=False),
        sa.Column("undone_at", UtcDateTime),
        sa.Column("undo_entry_id", sa.Uuid),
        sa.UniqueConstraint("code_hash", name="uq_redemptions_charges_code_hash"),
        sa.CheckConstraint("points >= 0", name="ck_redemptions_charges_points_not_negative"),
        sa.CheckConstraint("(points = 0) = (entry_id IS NULL)", name="ck_redemptions_charges_entry_when_points"),
        sa.CheckConstraint("means IN ('code', 'card_pin')", name="ck_redemptions_charges_means_known"),
        sa.CheckConstraint(
            "(means = 'code') = (code_hash IS NOT NULL)", name="ck_redemptions_charges_code_when_by_code"
        ),
        sa.CheckConstraint(
            "undone_at IS NOT NULL OR undo_entry_id IS NULL", name="ck_redemptions_charges_undone_whole"
        ),
    )
    for columns in (["merchant_id", "charged_at"], ["resident_id", "charged_at"], ["book_id", "entry_id"]):
        op.create_index(f"ix_redemptions_charges_{'_'.join(columns)}", "redemptions_charges", columns)


def _create_answers() -> None:
    op.create_table(
        "redemptions_answers",
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), primary_key=True),
        sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
        sa.Column("refusal", sa.String(64)),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("answered_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("charge_id IS NULL OR refusal IS NULL", name="ck_redemptions_answers_one_answer"),
    )
    op.create_index(
        "ix_redemptions_answers_operator_id_answered_at",
        "redemptions_answers",
        ["operator_id", "answered_at"],
    )
