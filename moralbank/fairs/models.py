"""Tables of fairs. Who works a stall for a day has a login that ends with it."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

fairs = sa.Table(
    "fairs_fairs",
    metadata,
    sa.Column("fair_id", BigId, primary_key=True),
    sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), nullable=False, index=True),
    sa.Column("title", sa.String(60), nullable=False),
    sa.Column("place", sa.String(100), nullable=False),
    sa.Column("starts_at", UtcDateTime, nullable=False),
    sa.Column("ends_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.Column("closed_at", UtcDateTime),
    sa.Column("closed_by", sa.String(64)),
    sa.CheckConstraint("ends_at > starts_at", name="ends_after_start"),
    sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_whole"),
)

stalls = sa.Table(
    "fairs_stalls",
    metadata,
    sa.Column("stall_id", BigId, primary_key=True),
    sa.Column("fair_id", BigId, sa.ForeignKey("fairs_fairs.fair_id"), nullable=False),
    #: As it stands on the table.
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("name", sa.String(60), nullable=False),
    #: Where people serve; else a merchant's table.
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id")),
    sa.Column("merchant_id", BigId, sa.ForeignKey("merchants_merchants.merchant_id")),
    sa.UniqueConstraint("fair_id", "number"),
    sa.CheckConstraint("(session_id IS NULL) <> (merchant_id IS NULL)", name="session_or_merchant"),
)

#: Whose login opens which stall, and until when.
passes = sa.Table(
    "fairs_passes",
    metadata,
    sa.Column("pass_id", BigId, primary_key=True),
    sa.Column("stall_id", BigId, sa.ForeignKey("fairs_stalls.stall_id"), nullable=False, index=True),
    sa.Column("login_id", BigId, sa.ForeignKey("access_logins.login_id"), nullable=False, unique=True),
    sa.Column("login_name", sa.String(32), nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("opened_by", sa.String(64), nullable=False),
    sa.Column("until", UtcDateTime, nullable=False, index=True),
    sa.Column("ended_at", UtcDateTime),
)
