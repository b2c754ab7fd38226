"""Tables of what waits for a second person, and of what a reversal could not take back.

What was decided stays: triggers refuse to change a decision or to remove a row. Only the texts may be blanked, when a
person is forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

REASON_MAX = 200

requests = sa.Table(
    "approvals_requests",
    metadata,
    sa.Column("request_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    #: The resident's, when it was asked: who looks after it may check it.
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    #: What is to be reversed. An adjustment and a refund have none, and points instead; a late entry has neither, for
    #: what is to be credited stands with the activity.
    sa.Column("entry_id", sa.Uuid),
    sa.Column("points", sa.BigInteger),
    sa.Column("reason", sa.String(REASON_MAX), nullable=False),
    #: The maker, as role:login, and the login alone, which the checker's must not be.
    sa.Column("maker", sa.String(64), nullable=False),
    sa.Column("maker_login_id", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    #: waiting, approved, refused, withdrawn (by the maker), lapsed (nobody looked in time).
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("checker", sa.String(64)),
    sa.Column("checker_login_id", sa.BigInteger),
    sa.Column("decided_at", UtcDateTime),
    sa.Column("answer", sa.String(REASON_MAX)),
    #: What was posted; None also where nothing was left to take back.
    sa.Column("posted_entry_id", sa.Uuid),
    #: The maker's side is close to the resident: only somebody who reaches the branch from above may check it.
    sa.Column("needs_outside", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint("kind IN ('reversal', 'adjustment', 'refund', 'late-entry')", name="kind_known"),
    sa.CheckConstraint("(kind = 'reversal') = (entry_id IS NOT NULL)", name="reversal_has_entry"),
    sa.CheckConstraint("(kind IN ('reversal', 'late-entry')) = (points IS NULL)", name="others_have_points"),
    sa.CheckConstraint("points > 0", name="points_positive"),
    sa.CheckConstraint("state IN ('waiting', 'approved', 'refused', 'withdrawn', 'lapsed')", name="state_known"),
    sa.CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided_whole"),
    sa.CheckConstraint("(state IN ('approved', 'refused')) = (checker IS NOT NULL)", name="checker_decides"),
    sa.CheckConstraint("(checker IS NULL) = (checker_login_id IS NULL)", name="checker_whole"),
    sa.CheckConstraint("checker_login_id <> maker_login_id", name="two_people"),
    sa.CheckConstraint("state NOT IN ('approved', 'refused') OR decided_at < expires_at", name="in_time"),
    sa.Index("ix_approvals_requests_book_id_state", "book_id", "state", "request_id"),
    sa.Index("ix_approvals_requests_account", "book_id", "account_id"),
    sa.Index(
        "uq_approvals_requests_one_reversal",
        "book_id",
        "entry_id",
        unique=True,
        sqlite_where=sa.text("state IN ('waiting', 'approved')"),
        postgresql_where=sa.text("state IN ('waiting', 'approved')"),
    ),
)

#: What a resident had spent already when it was to be taken back: offset from later awards, and then let go.
offsets = sa.Table(
    "approvals_offsets",
    metadata,
    sa.Column("offset_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.Column("request_id", sa.BigInteger, sa.ForeignKey("approvals_requests.request_id"), nullable=False),
    #: The award that is taken back.
    sa.Column("entry_id", sa.Uuid, nullable=False),
    sa.Column("missing_points", sa.BigInteger, nullable=False),
    sa.Column("offset_points", sa.BigInteger, nullable=False),
    sa.Column("written_off_points", sa.BigInteger, nullable=False),
    #: How many entries offset some of it.
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    #: From then on nothing more is offset.
    sa.Column("ends_at", UtcDateTime, nullable=False),
    sa.Column("closed_at", UtcDateTime),
    sa.UniqueConstraint("request_id"),
    sa.CheckConstraint("missing_points > 0 AND offset_points >= 0 AND written_off_points >= 0", name="not_negative"),
    sa.CheckConstraint("offset_points + written_off_points <= missing_points", name="never_more"),
    sa.CheckConstraint(
        "(closed_at IS NULL) = (offset_points + written_off_points < missing_points)", name="closed_when_settled"
    ),
    sa.Index("ix_approvals_offsets_account", "book_id", "account_id"),
)
