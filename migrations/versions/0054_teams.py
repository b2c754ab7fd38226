"""Teams with a name and a resident who is asked about them; accounts of teams from before have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0054_teams"
down_revision = "0053_hands"

_OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "teams_teams",
        sa.Column("team_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column(
            "contact_resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False
        ),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.Column("closed_at", UtcDateTime),
        sa.Column("closed_by", sa.String(64)),
        sa.UniqueConstraint("account_id", name=op.f("uq_teams_teams_account_id")),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name=op.f("ck_teams_teams_closed_whole")),
    )
    op.create_index("ix_teams_teams_contact_resident_id", "teams_teams", ["contact_resident_id"])
    op.create_index("ix_teams_teams_branch_id", "teams_teams", ["branch_id", "team_id"])
    op.create_index(
        "uq_teams_teams_open_name",
        "teams_teams",
        ["book_id", "name"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
