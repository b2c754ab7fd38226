"""Tables of redemptions: codes, charges, refunds, answers to keys, and what a resident spent in a month."""

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
    #: Of behalf: by which link somebody else showed it; NULL: the resident did.
    sa.Column("link_id", sa.BigInteger),
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
    #: Of behalf: by which link somebody else showed that code; NULL: the resident did.
    sa.Column("link_id", sa.BigInteger),
    #: None, as undo_entry_id: nothing moved, since the offer costs no points.
    sa.Column("entry_id", sa.Uuid),
    sa.Column("charged_at", UtcDateTime, nullable=False),
    sa.Column("undone_at", UtcDateTime),
    sa.Column("undo_entry_id", sa.Uuid),
    #: What was given back after the time for undoing, and since when what was bought is back on the shelf.
    sa.Column("refunded_points", sa.Integer, nullable=False, server_default="0"),
    sa.Column("returned_at", UtcDateTime),
    #: The numbers of the Z-reports that count the charge, and its undoing.
    sa.Column("zreport_number", sa.Integer),
    sa.Column("undo_zreport_number", sa.Integer),
    sa.CheckConstraint("refunded_points BETWEEN 0 AND points", name="refunded_within"),
    sa.CheckConstraint("points >= 0", name="points_not_negative"),
    sa.CheckConstraint("(points = 0) = (entry_id IS NULL)", name="entry_when_points"),
    sa.CheckConstraint("means IN ('code', 'card_pin')", name="means_known"),
    sa.CheckConstraint("(means = 'code') = (code_hash IS NOT NULL)", name="code_when_by_code"),
    sa.CheckConstraint("undone_at IS NOT NULL OR undo_entry_id IS NULL", name="undone_whole"),
    sa.Index("ix_redemptions_charges_merchant_id_charged_at", "merchant_id", "charged_at"),
    sa.Index("ix_redemptions_charges_resident_id_charged_at", "resident_id", "charged_at"),
    sa.Index("ix_redemptions_charges_book_id_entry_id", "book_id", "entry_id"),
)

#: What is given back of a charge, or was asked to be; triggers keep all but the reason as it is once it is done.
refunds = sa.Table(
    "redemptions_refunds",
    metadata,
    sa.Column("refund_id", BigId, primary_key=True),
    sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id"), nullable=False),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    #: What was bought came back, so somebody else can have it.
    sa.Column("is_returned", sa.Boolean, nullable=False),
    sa.Column("reason", sa.String(200), nullable=False),
    #: The same key of a charge is the same refund, however often it comes.
    sa.Column("key", sa.String(128), nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("asked_by", sa.String(64), nullable=False),
    #: What a second person checks; None: the shop's supervisor gave it back on the day itself.
    sa.Column("request_id", sa.BigInteger, sa.ForeignKey("approvals_requests.request_id")),
    #: 1, 2, 3 … of its charge, given with the entry; all of these are None until it is done.
    sa.Column("number", sa.Integer),
    #: By how much the fund owes the merchant less, in hundredths of a yuan.
    sa.Column("owed_fen", sa.Integer),
    sa.Column("entry_id", sa.Uuid),
    sa.Column("refunded_at", UtcDateTime),
    sa.Column("refunded_by", sa.String(64)),
    sa.Column("checked_by", sa.String(64)),
    #: Of the Z-report that counts it.
    sa.Column("zreport_number", sa.Integer),
    sa.UniqueConstraint("charge_id", "key"),
    sa.UniqueConstraint("charge_id", "number"),
    sa.UniqueConstraint("book_id", "entry_id"),
    sa.UniqueConstraint("request_id"),
    sa.CheckConstraint("points > 0", name="points_positive"),
    sa.CheckConstraint(
        "(refunded_at IS NULL) = (entry_id IS NULL) AND (refunded_at IS NULL) = (number IS NULL) "
        "AND (refunded_at IS NULL) = (owed_fen IS NULL) AND (refunded_at IS NULL) = (refunded_by IS NULL)",
        name="done_whole",
    ),
    sa.CheckConstraint("refunded_at IS NULL OR (request_id IS NULL) = (checked_by IS NULL)", name="checked_when_asked"),
    sa.Index("ix_redemptions_refunds_refunded_at", "refunded_at"),
)

#: An offer that a resident has reserved: the points are held by the ledger until it is collected or ends.
vouchers = sa.Table(
    "redemptions_vouchers",
    metadata,
    sa.Column("voucher_id", BigId, primary_key=True),
    #: What the till scans. It fetches this one thing only, so it is kept as it is shown.
    sa.Column("number", sa.String(18), nullable=False),
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id"), nullable=False),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("title", sa.String(100), nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    #: None: the offer costs no points, so nothing is held.
    sa.Column("hold_entry_id", sa.Uuid),
    #: The page's key: pressed twice it is reserved once.
    sa.Column("key", sa.String(128), nullable=False),
    sa.Column("reserved_at", UtcDateTime, nullable=False),
    #: The last day on which it can be collected.
    sa.Column("until_on", sa.Date, nullable=False),
    #: waiting, collected, cancelled (by the resident) or lapsed.
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
    #: How often it was collected: once more for each time that was undone.
    sa.Column("collects", sa.Integer, nullable=False),
    sa.UniqueConstraint("number"),
    sa.UniqueConstraint("resident_id", "key"),
    sa.UniqueConstraint("charge_id"),
    sa.CheckConstraint("state IN ('waiting', 'collected', 'cancelled', 'lapsed')", name="state_known"),
    sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="ended_whole"),
    sa.CheckConstraint("(state = 'collected') = (charge_id IS NOT NULL)", name="collected_by_charge"),
    sa.CheckConstraint("(points = 0) = (hold_entry_id IS NULL)", name="hold_when_points"),
    sa.Index("ix_redemptions_vouchers_resident_id_state", "resident_id", "state"),
    sa.Index("ix_redemptions_vouchers_state_until_on", "state", "until_on"),
)

#: A shop's code that hangs on the wall; the payer types the amount.
stickers = sa.Table(
    "redemptions_stickers",
    metadata,
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), primary_key=True),
    sa.Column("serial", sa.Integer, primary_key=True, autoincrement=False),
    #: Who made it; what is paid by it is written down under this login.
    sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("revoked_at", UtcDateTime),
)

#: What a resident agrees to on their own phone before it is charged.
phone_orders = sa.Table(
    "redemptions_phone_orders",
    metadata,
    sa.Column("order_id", BigId, primary_key=True),
    #: large (a code was scanned, and the charge is above the threshold), sale (the shop shows a code), sticker.
    sa.Column("kind", sa.String(8), nullable=False),
    #: Random, in decimal; of a sale it stands in the address that the shop shows.
    sa.Column("number", sa.String(20), nullable=False),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id"), nullable=False),
    sa.Column("operator_resident_id", sa.BigInteger),
    sa.Column("terminal", sa.String(64), nullable=False),
    #: The till's key and what was asked with it: the charge becomes the key's answer.
    sa.Column("key", sa.String(128), nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id")),
    sa.Column("title", sa.String(100), nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    #: None while nobody has opened a sale.
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id")),
    #: Of the payment code that was spent, or of the order: one of it, one charge.
    sa.Column("code_hash", sa.LargeBinary, nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    #: waiting, paid, refused (when it was to be charged), declined (by the resident), cancelled (at the till), expired.
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("ended_at", UtcDateTime),
    #: The code of what the charge was refused for.
    sa.Column("refusal", sa.String(64)),
    sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
    sa.UniqueConstraint("number"),
    sa.UniqueConstraint("merchant_id", "operator_id", "key"),
    sa.CheckConstraint("kind IN ('large', 'sale', 'sticker')", name="kind_known"),
    sa.CheckConstraint(
        "state IN ('waiting', 'paid', 'refused', 'declined', 'cancelled', 'expired')", name="state_known"
    ),
    sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="ended_whole"),
    sa.CheckConstraint("(state = 'paid') = (charge_id IS NOT NULL)", name="paid_by_charge"),
    sa.Index("ix_redemptions_phone_orders_resident_id_state", "resident_id", "state"),
    sa.Index("ix_redemptions_phone_orders_state_expires_at", "state", "expires_at"),
)

#: A shop's day at its tills, closed. Frozen: triggers refuse UPDATE and DELETE.
zreports = sa.Table(
    "redemptions_zreports",
    metadata,
    sa.Column("zreport_id", BigId, primary_key=True),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    #: 1, 2, 3 … of the merchant.
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("day_on", sa.Date, nullable=False),
    #: When the one before was closed, or the day began.
    sa.Column("since_at", UtcDateTime, nullable=False),
    sa.Column("closed_at", UtcDateTime, nullable=False),
    #: Canonical JSON; sha256 is of just these octets, in hex.
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.UniqueConstraint("merchant_id", "day_on"),
    sa.UniqueConstraint("merchant_id", "number"),
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
