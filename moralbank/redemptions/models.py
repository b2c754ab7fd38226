"""Tables of redemptions: payment codes, charges, answers to keys, and what a resident spent in a month."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

#: A payment code is kept only as its SHA-256: whoever reads the table can't pay with it.
codes = sa.Table(
    "redemptions_codes",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    sa.Column("issued_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
    sa.Index("ix_redemptions_codes_resident_id_expires_at", "resident_id", "expires_at"),
    sa.Index("ix_redemptions_codes_expires_at", "expires_at"),
)

charges = sa.Table(
    "redemptions_charges",
    metadata,
    #: Printed on the receipt.
    sa.Column("charge_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    #: The login at the till and the device it worked on; only these two together may undo.
    sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), nullable=False),
    sa.Column("terminal", sa.String(64), nullable=False),
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    #: None: the points were typed.
    sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id")),
    #: The offer's title as it was at the time, empty when the points were typed.
    sa.Column("title", sa.String(100), nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    #: code or card_pin.
    sa.Column("means", sa.String(8), nullable=False),
    #: How the merchant was settled when it sold, and what the fund owes it for this, in hundredths of a yuan.
    sa.Column("settlement_mode", sa.String(16)),
    sa.Column("owed_fen", sa.Integer),
    #: The payment code that paid it: one code, one charge.
    sa.Column("code_hash", sa.LargeBinary, unique=True),
    #: None, as undo_entry_id: nothing moved, since the offer costs no points.
    sa.Column("entry_id", sa.Uuid),
    sa.Column("charged_at", UtcDateTime, nullable=False),
    sa.Column("undone_at", UtcDateTime),
    sa.Column("undo_entry_id", sa.Uuid),
    sa.CheckConstraint("points >= 0", name="points_not_negative"),
    sa.CheckConstraint("(points = 0) = (entry_id IS NULL)", name="entry_when_points"),
    sa.CheckConstraint("means IN ('code', 'card_pin')", name="means_known"),
    sa.CheckConstraint("(means = 'code') = (code_hash IS NOT NULL)", name="code_when_by_code"),
    sa.CheckConstraint("undone_at IS NOT NULL OR undo_entry_id IS NULL", name="undone_whole"),
    sa.Index("ix_redemptions_charges_merchant_id_charged_at", "merchant_id", "charged_at"),
    sa.Index("ix_redemptions_charges_resident_id_charged_at", "resident_id", "charged_at"),
    sa.Index("ix_redemptions_charges_book_id_entry_id", "book_id", "entry_id"),
)

#: Somebody tried out a number; the index that counts these holds nothing else, however busy the till.
UNKNOWN_TRY = sa.text("refusal IN ('unknown-code', 'unknown-card')")

#: One key, one answer, for good: a charge, or the code of the refusal that was decided.
answers = sa.Table(
    "redemptions_answers",
    metadata,
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), primary_key=True),
    sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    #: SHA-256 of what was asked, so that a key can't come back with other content.
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
    sa.Column("refusal", sa.String(64)),
    #: The refusal's public fields as JSON.
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("answered_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("charge_id IS NULL OR refusal IS NULL", name="one_answer"),
    sa.Index(
        "ix_redemptions_answers_unknown_tries",
        "operator_id",
        "answered_at",
        sqlite_where=UNKNOWN_TRY,
        postgresql_where=UNKNOWN_TRY,
    ),
)

#: What a resident spent in a calendar month. The row is the resident's lock while limits are checked.
spendings = sa.Table(
    "redemptions_spendings",
    metadata,
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
    sa.Column("month_on", sa.Date, primary_key=True),
    sa.Column("points", sa.Integer, nullable=False),
    sa.CheckConstraint("points >= 0", name="points_not_negative"),
)
