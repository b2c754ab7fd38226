"""The table of earning rules: a row is one adopted version, and triggers keep it as it was adopted."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import UtcDateTime, metadata

earning_rules = sa.Table(
    "earning_rules",
    metadata,
    sa.Column("code", sa.String(16), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("category_zh", sa.String(100), nullable=False),
    sa.Column("category_en", sa.String(100), nullable=False),
    sa.Column("basis", sa.String(32), nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    #: None: the rule doesn't count time.
    sa.Column("step_minutes", sa.Integer),
    #: None, as cap_basis: the rule has no cap of its own.
    sa.Column("cap_value", sa.Integer),
    sa.Column("cap_basis", sa.String(32)),
    sa.Column("counts_as_service", sa.Boolean, nullable=False),
    sa.Column("evidence", sa.String(64), nullable=False),
    sa.Column("effective_from_on", sa.Date, nullable=False),
    #: Who asked, who discussed, who decided, published when (一征三议两公开).
    sa.Column("consultation", sa.Text, nullable=False),
    sa.Column("adopted_by", sa.String(64), nullable=False),
    sa.Column("adopted_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("points >= 0", name="points_not_negative"),
    sa.CheckConstraint("version >= 1", name="version_from_one"),
    sa.CheckConstraint("(cap_value IS NULL) = (cap_basis IS NULL)", name="cap_whole"),
)
