"""The table of objections. What was said and answered stays; names and contacts go when they are needed no more."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

TEXT_MAX = 500
FROM_MAX = 50
CONTACT_MAX = 100

objections = sa.Table(
    "objections_objections",
    metadata,
    sa.Column("objection_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    #: Who looks after it.
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    #: line, notice or late_entry, and which one.
    sa.Column("about_kind", sa.String(16), nullable=False),
    sa.Column("about", sa.String(64), nullable=False),
    #: Of a line: whose acts it is about, as role:login; they don't answer it.
    sa.Column("about_actor", sa.String(64)),
    #: Who objects: a resident, or somebody who gave a name and a contact.
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id")),
    sa.Column("from_name", sa.String(FROM_MAX)),
    sa.Column("contact", sa.String(CONTACT_MAX)),
    sa.Column("words", sa.String(TEXT_MAX), nullable=False),
    sa.Column("raised_at", UtcDateTime, nullable=False),
    #: The last day on which it is to be answered.
    sa.Column("answer_by", sa.Date, nullable=False),
    #: Who is to answer it.
    sa.Column("assigned_login_id", sa.BigInteger, sa.ForeignKey("access_logins.login_id")),
    #: open, upheld, explained or withdrawn.
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("answer", sa.String(TEXT_MAX)),
    sa.Column("answered_at", UtcDateTime),
    sa.Column("answered_by", sa.String(64)),
    sa.CheckConstraint("about_kind IN ('line', 'notice', 'late_entry')", name="about_known"),
    sa.CheckConstraint("state IN ('open', 'upheld', 'explained', 'withdrawn')", name="state_known"),
    sa.CheckConstraint("(state = 'open') = (answered_at IS NULL)", name="answered_whole"),
    sa.CheckConstraint("(state IN ('upheld', 'explained')) = (answered_by IS NOT NULL)", name="answered_by_somebody"),
    sa.Index("ix_objections_objections_about", "about_kind", "about"),
    sa.Index("ix_objections_objections_resident_id", "resident_id"),
    sa.Index("ix_objections_objections_branch_id_state", "branch_id", "state", "objection_id"),
    sa.Index(
        "uq_objections_objections_one_open",
        "resident_id",
        "about_kind",
        "about",
        unique=True,
        sqlite_where=sa.text("state = 'open' AND resident_id IS NOT NULL"),
        postgresql_where=sa.text("state = 'open' AND resident_id IS NOT NULL"),
    ),
)
