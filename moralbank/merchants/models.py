"""Tables of merchants, their offers, how much of each offer a month has used, and who changed what."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

merchants = sa.Table(
    "merchants_merchants",
    metadata,
    sa.Column("merchant_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    #: The merchant's account in the book, where its points arrive.
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("code", sa.String(16), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("contact", sa.String(100), nullable=False),
    sa.Column("phone", sa.String(32), nullable=False),
    #: donated, subsidised or recirculated: who bears what the merchant gives.
    sa.Column("settlement_mode", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("joined_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("book_id", "code"),
    sa.UniqueConstraint("book_id", "account_id"),
    sa.CheckConstraint("settlement_mode IN ('donated', 'subsidised', 'recirculated')", name="settlement_mode_known"),
    sa.CheckConstraint("status IN ('applied', 'visited', 'active', 'suspended', 'left')", name="status_known"),
    sa.Index("ix_merchants_merchants_branch_id", "branch_id"),
)

offers = sa.Table(
    "merchants_offers",
    metadata,
    sa.Column("offer_id", BigId, primary_key=True),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    sa.Column("code", sa.String(16), nullable=False),
    sa.Column("title", sa.String(100), nullable=False),
    #: 0: a thing for every depositor that costs nothing but is still counted.
    sa.Column("points", sa.Integer, nullable=False),
    #: How many a calendar month has in all.
    sa.Column("monthly_quota", sa.Integer, nullable=False),
    sa.Column("per_resident_per_month", sa.Integer, nullable=False),
    #: What the fund pays the merchant for one, in hundredths of a yuan.
    sa.Column("settlement_fen", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    #: The first and the last day on which it can be had; NULL: no such day.
    sa.Column("from_on", sa.Date),
    sa.Column("until_on", sa.Date),
    #: Bits, Monday 1 to Sunday 64.
    sa.Column("weekdays", sa.SmallInteger, nullable=False, server_default="127"),
    #: Minutes since midnight between which it can be had.
    sa.Column("opens_minutes", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("closes_minutes", sa.SmallInteger, nullable=False, server_default="1440"),
    #: The photo that residents see; NULL: none.
    sa.Column("photo_key", sa.String(32)),
    sa.UniqueConstraint("merchant_id", "code"),
    sa.CheckConstraint("points >= 0", name="points_not_negative"),
    sa.CheckConstraint("monthly_quota > 0", name="quota_positive"),
    sa.CheckConstraint("per_resident_per_month > 0", name="per_resident_positive"),
    sa.CheckConstraint("settlement_fen >= 0", name="settlement_not_negative"),
    sa.CheckConstraint("status IN ('active', 'suspended')", name="status_known"),
)

#: Made small and of pixels alone; gone once neither an offer nor a draft shows it.
photos = sa.Table(
    "merchants_photos",
    metadata,
    #: Drawn at random: whoever knows it sees the photo.
    sa.Column("photo_key", sa.String(32), primary_key=True),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    #: A JPEG.
    sa.Column("octets", sa.LargeBinary, nullable=False),
    sa.Column("added_at", UtcDateTime, nullable=False),
    sa.Column("added_by", sa.String(64), nullable=False),
)

#: Offers as a shop wants them, new or changed; what residents see stands in merchants_offers.
drafts = sa.Table(
    "merchants_drafts",
    metadata,
    sa.Column("draft_id", BigId, primary_key=True),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    #: NULL: a new one, until it is approved.
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
    #: draft, submitted, returned (by the station), approved, discarded (by the shop).
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(200)),
    sa.Column("made_by", sa.String(64), nullable=False),
    #: Who wrote it last and who submitted it, none of whom may approve it.
    sa.Column("made_login_id", sa.BigInteger, nullable=False),
    sa.Column("submit_login_id", sa.BigInteger),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Column("submitted_at", UtcDateTime),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("decided_at", UtcDateTime),
    sa.CheckConstraint("points >= 0 AND settlement_fen >= 0", name="not_negative"),
    sa.CheckConstraint("monthly_quota > 0 AND per_resident_per_month > 0", name="counts_positive"),
    sa.CheckConstraint("weekdays BETWEEN 1 AND 127", name="weekdays_known"),
    sa.CheckConstraint("opens_minutes >= 0 AND closes_minutes > opens_minutes", name="hours_in_order"),
    sa.CheckConstraint("closes_minutes <= 1440", name="hours_of_a_day"),
    sa.CheckConstraint("until_on >= from_on", name="days_in_order"),
    sa.CheckConstraint("state IN ('draft', 'submitted', 'returned', 'approved', 'discarded')", name="state_known"),
    sa.CheckConstraint("state <> 'submitted' OR submit_login_id IS NOT NULL", name="submitted_by_somebody"),
    sa.CheckConstraint("state <> 'approved' OR offer_id IS NOT NULL", name="approved_is_offer"),
    sa.CheckConstraint("state <> 'returned' OR reason IS NOT NULL", name="returned_says_why"),
    sa.CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name="decided_whole"),
    sa.Index("ix_merchants_drafts_merchant_id_state", "merchant_id", "state"),
    sa.Index("ix_merchants_drafts_state", "state", "draft_id"),
    sa.Index(
        "uq_merchants_drafts_one_open",
        "offer_id",
        unique=True,
        sqlite_where=sa.text("state IN ('draft', 'submitted', 'returned')"),
        postgresql_where=sa.text("state IN ('draft', 'submitted', 'returned')"),
    ),
)

#: The row is the offer's lock for a month: taking one is a single guarded UPDATE.
offer_months = sa.Table(
    "merchants_offer_months",
    metadata,
    sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id"), primary_key=True),
    sa.Column("month_on", sa.Date, primary_key=True),
    sa.Column("used", sa.Integer, nullable=False),
    sa.CheckConstraint("used >= 0", name="used_not_negative"),
)

#: Which of a merchant's operators may give points back on the day itself.
supervisors = sa.Table(
    "merchants_supervisors",
    metadata,
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), primary_key=True),
    #: No foreign key: whose login it is and where it works is the affair of access.
    sa.Column("login_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("named_at", UtcDateTime, nullable=False),
)

#: Who did what to a merchant or one of its offers, and when; rows are only ever added.
deeds = sa.Table(
    "merchants_deeds",
    metadata,
    sa.Column("deed_id", BigId, primary_key=True),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    #: NULL: the merchant itself.
    sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("merchants_offers.offer_id")),
    sa.Column("deed", sa.String(16), nullable=False),
    #: [[detail, before, after], …]; of a person's details only the name, never what they were.
    sa.Column("changes", sa.JSON, nullable=False),
    sa.Column("done_at", UtcDateTime, nullable=False),
    sa.Column("done_by", sa.String(64), nullable=False),
    sa.CheckConstraint("deed IN ('added', 'edited', 'status')", name="deed_known"),
    sa.Index("ix_merchants_deeds_merchant_id", "merchant_id", "deed_id"),
)
