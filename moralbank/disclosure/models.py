"""Tables of public notices. What was published stays as it was: triggers refuse to change it; rows may be blanked."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

REASON_MAX = 200

notices = sa.Table(
    "disclosure_notices",
    metadata,
    sa.Column("notice_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("since_on", sa.Date, nullable=False),
    sa.Column("until_on", sa.Date, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    #: Canonical JSON with the hashes of its rows, and the SHA-256 of it.
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    #: As of when it was generated: with this instant it comes out the same again.
    sa.Column("drafted_at", UtcDateTime, nullable=False),
    sa.Column("drafted_by", sa.String(64), nullable=False),
    sa.Column("published_at", UtcDateTime),
    sa.Column("published_by", sa.String(64)),
    #: The last day on which anybody may see it.
    sa.Column("up_until_on", sa.Date),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("ended_by", sa.String(64)),
    #: Why it was taken down before its time.
    sa.Column("reason", sa.String(REASON_MAX)),
    sa.CheckConstraint("kind IN ('totals', 'list')", name="kind_known"),
    sa.CheckConstraint("state IN ('draft', 'published', 'closed', 'withdrawn')", name="state_known"),
    sa.CheckConstraint("(state = 'draft') = (published_at IS NULL)", name="published_whole"),
    sa.CheckConstraint(
        "(published_at IS NULL) = (published_by IS NULL) AND (published_at IS NULL) = (up_until_on IS NULL)",
        name="published_by_somebody",
    ),
    sa.CheckConstraint("published_by <> drafted_by", name="two_people"),
    sa.CheckConstraint("(state IN ('closed', 'withdrawn')) = (ended_at IS NOT NULL)", name="ended_whole"),
    sa.CheckConstraint("(state = 'withdrawn') = (reason IS NOT NULL)", name="withdrawn_with_reason"),
    sa.CheckConstraint("since_on <= until_on", name="period_forward"),
    sa.Index("ix_disclosure_notices_branch_id_state", "branch_id", "state"),
    sa.Index(
        "uq_disclosure_notices_one_a_period",
        "branch_id",
        "kind",
        "since_on",
        unique=True,
        sqlite_where=sa.text("state <> 'withdrawn'"),
        postgresql_where=sa.text("state <> 'withdrawn'"),
    ),
)

#: Who stands in a list by masked name. The hash stays when the row is blanked, so the notice still adds up.
rows = sa.Table(
    "disclosure_rows",
    metadata,
    sa.Column("notice_id", sa.BigInteger, sa.ForeignKey(notices.c.notice_id), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    sa.Column("shown", sa.String(200), nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Index("ix_disclosure_rows_resident_id", "resident_id"),
)
