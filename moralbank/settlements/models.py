"""Tables of settlements, their frozen lines, disputes, and of what is pledged to stand behind the points."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

settlements = sa.Table(
    "settlements_settlements",
    metadata,
    sa.Column("settlement_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    #: The merchant's branch at the time.
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
    #: The first day of the month.
    sa.Column("month_on", sa.Date, nullable=False),
    #: How the merchant was settled when it sold; a month in which that changed has a settlement of each.
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("lines_count", sa.Integer, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    #: What the fund owes for it, in hundredths of a yuan; below zero it is carried into the next one.
    sa.Column("due_fen", sa.BigInteger, nullable=False),
    #: SHA-256 of the lines as they were issued.
    sa.Column("lines_hash", sa.LargeBinary, nullable=False),
    #: The entry that takes the points off the merchant's account; None when they come to nothing.
    sa.Column("entry_id", sa.Uuid),
    sa.Column("issued_at", UtcDateTime, nullable=False),
    sa.Column("issued_by", sa.String(64), nullable=False),
    #: The last day on which the merchant may dispute a line.
    sa.Column("dispute_by", sa.Date, nullable=False),
    sa.Column("confirmed_at", UtcDateTime),
    sa.Column("confirmed_by", sa.String(64)),
    sa.Column("paid_on", sa.Date),
    sa.Column("paid_by", sa.String(64)),
    sa.Column("payment_reference", sa.String(64)),
    #: The settlement into which an amount below zero was carried.
    sa.Column("carried_into", sa.BigInteger, sa.ForeignKey("settlements_settlements.settlement_id")),
    sa.UniqueConstraint("merchant_id", "month_on", "mode"),
    sa.UniqueConstraint("book_id", "entry_id"),
    sa.CheckConstraint("mode IN ('donated', 'subsidised', 'recirculated')", name="mode_known"),
    sa.CheckConstraint("(confirmed_at IS NULL) = (confirmed_by IS NULL)", name="confirmed_whole"),
    sa.CheckConstraint(
        "(paid_on IS NULL) = (paid_by IS NULL) AND (paid_on IS NULL) = (payment_reference IS NULL)", name="paid_whole"
    ),
    sa.CheckConstraint("paid_on IS NULL OR (confirmed_at IS NOT NULL AND due_fen > 0)", name="paid_when_due"),
    sa.CheckConstraint("paid_by IS NULL OR paid_by <> issued_by", name="two_people"),
    sa.Index("ix_settlements_settlements_branch_id_month_on", "branch_id", "month_on"),
)

#: Frozen: triggers refuse UPDATE and DELETE.
lines = sa.Table(
    "settlements_lines",
    metadata,
    sa.Column("settlement_id", sa.BigInteger, sa.ForeignKey("settlements_settlements.settlement_id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    #: sale, taken_back, other (a line of the account without a charge), correction or carried.
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("entry_id", sa.Uuid),
    sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
    #: The dispute that a correction settles.
    sa.Column("dispute_id", sa.BigInteger),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("title", sa.String(100), nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("owed_fen", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("book_id", "entry_id"),
    sa.UniqueConstraint("charge_id", "kind"),
    sa.UniqueConstraint("dispute_id"),
    sa.CheckConstraint("kind IN ('sale', 'taken_back', 'other', 'correction', 'carried')", name="kind_known"),
    sa.CheckConstraint("(kind = 'correction') = (dispute_id IS NOT NULL)", name="correction_of_dispute"),
)

disputes = sa.Table(
    "settlements_disputes",
    metadata,
    sa.Column("dispute_id", BigId, primary_key=True),
    sa.Column("settlement_id", sa.BigInteger, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("raised_at", UtcDateTime, nullable=False),
    sa.Column("raised_by", sa.String(64), nullable=False),
    #: corrected or explained; None while it is open.
    sa.Column("answer", sa.String(16)),
    sa.Column("note", sa.String(500)),
    #: What the line's amount changes by in the next settlement.
    sa.Column("correct_fen", sa.BigInteger),
    sa.Column("answered_at", UtcDateTime),
    sa.Column("answered_by", sa.String(64)),
    sa.ForeignKeyConstraint(
        ["settlement_id", "number"], ["settlements_lines.settlement_id", "settlements_lines.number"]
    ),
    sa.UniqueConstraint("settlement_id", "number"),
    sa.CheckConstraint("answer IN ('corrected', 'explained')", name="answer_known"),
    sa.CheckConstraint(
        "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)", name="answer_whole"
    ),
    sa.CheckConstraint("(coalesce(answer, '') = 'corrected') = (correct_fen IS NOT NULL)", name="corrected_by"),
)

#: What somebody gave or promised for the bank's points; rows are only added, a mistake is taken back by another.
pledges = sa.Table(
    "settlements_pledges",
    metadata,
    sa.Column("pledge_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("donor", sa.String(100), nullable=False),
    sa.Column("fen", sa.BigInteger, nullable=False),
    sa.Column("pledged_on", sa.Date, nullable=False),
    sa.Column("noted_at", UtcDateTime, nullable=False),
    sa.Column("noted_by", sa.String(64), nullable=False),
    sa.CheckConstraint("fen <> 0", name="fen_something"),
    sa.Index("ix_settlements_pledges_book_id", "book_id"),
)

#: What a hundred points are reckoned to cost the fund, from a day on.
reference_costs = sa.Table(
    "settlements_reference_costs",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("from_on", sa.Date, primary_key=True),
    sa.Column("fen_per_hundred", sa.Integer, nullable=False),
    sa.Column("set_at", UtcDateTime, nullable=False),
    sa.Column("set_by", sa.String(64), nullable=False),
    sa.CheckConstraint("fen_per_hundred >= 0", name="cost_not_negative"),
)
