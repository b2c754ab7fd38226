"""The table of teams. What a team has stands in its account, which outlives it."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

NAME_MAX = 40

teams = sa.Table(
    "teams_teams",
    metadata,
    sa.Column("team_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("account_id", sa.BigInteger, nullable=False, unique=True),
    sa.Column("name", sa.String(NAME_MAX), nullable=False),
    #: Who reads its statements with their own login, and is asked about it.
    sa.Column(
        "contact_resident_id",
        sa.BigInteger,
        sa.ForeignKey("residents_residents.resident_id"),
        nullable=False,
        index=True,
    ),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("opened_by", sa.String(64), nullable=False),
    sa.Column("closed_at", UtcDateTime),
    sa.Column("closed_by", sa.String(64)),
    sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_whole"),
)
sa.Index("ix_teams_teams_branch_id", teams.c.branch_id, teams.c.team_id)
sa.Index(
    "uq_teams_teams_open_name",
    teams.c.book_id,
    teams.c.name,
    unique=True,
    sqlite_where=teams.c.closed_at.is_(None),
    postgresql_where=teams.c.closed_at.is_(None),
)
