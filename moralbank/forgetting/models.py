"""The table of requests to forget somebody. It holds no name: after the act it must say nothing of who it was."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

requests = sa.Table(
    "forgetting_requests",
    metadata,
    sa.Column("request_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    #: The legal ground, who asked, and how they proved who they are: codes of values.py.
    sa.Column("ground", sa.String(16), nullable=False),
    sa.Column("asked_for_by", sa.String(16), nullable=False),
    sa.Column("proven_by", sa.String(16), nullable=False),
    #: What becomes of points that are left, by the person's own written choice.
    sa.Column("points", sa.String(8), nullable=False),
    #: They chose to give up what is left; then points is "none". NULL: it was not to be chosen yet.
    sa.Column("gives_up", sa.Boolean),
    sa.Column("state", sa.String(8), nullable=False),
    #: Who entered it, and who decided: never the same login.
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("asked_role", sa.String(16), nullable=False),
    sa.Column("asked_login_id", sa.BigInteger, nullable=False),
    sa.Column("decided_at", UtcDateTime),
    sa.Column("decided_role", sa.String(16)),
    sa.Column("decided_login_id", sa.BigInteger),
    #: When the database's own files were rid of what had been deleted, and backups of the key that opens it in them.
    sa.Column("swept_at", UtcDateTime),
    sa.Column("keys_destroyed_at", UtcDateTime),
    sa.CheckConstraint("state IN ('asked', 'refused', 'lapsed', 'done')", name="state_known"),
    sa.CheckConstraint("points IN ('none', 'donate')", name="points_known"),
    sa.CheckConstraint("decided_login_id IS NULL OR decided_login_id <> asked_login_id", name="two_people"),
    sa.CheckConstraint("(state IN ('asked', 'lapsed')) = (decided_login_id IS NULL)", name="decided_whole"),
    sa.Index("ix_forgetting_requests_book_id", "book_id", "request_id"),
)
sa.Index(
    "uq_forgetting_requests_one_open",
    requests.c.resident_id,
    unique=True,
    sqlite_where=requests.c.state == "asked",
    postgresql_where=requests.c.state == "asked",
)
