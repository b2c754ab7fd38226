"""Tables of earning: the adopted versions of the rules, which nobody can change afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import UtcDateTime

revision = "0004_earning"
down_revision = "0003_residents"


def upgrade() -> None:
    """Create the table and the triggers that keep a version as it was adopted."""
    op.create_table(
        "earning_rules",
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("category_zh", sa.String(100), nullable=False),
        sa.Column("category_en", sa.String(100), nullable=False),
        sa.Column("basis", sa.String(32), nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("step_minutes", sa.Integer),
        sa.Column("cap_value", sa.Integer),
        sa.Column("cap_basis", sa.String(32)),
        sa.Column("counts_as_service", sa.Boolean, nullable=False),
        sa.Column("evidence", sa.String(64), nullable=False),
        sa.Column("effective_from_on", sa.Date, nullable=False),
        sa.Column("consultation", sa.Text, nullable=False),
        sa.Column("adopted_by", sa.String(64), nullable=False),
        sa.Column("adopted_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("code", "version", name="pk_earning_rules"),
        sa.CheckConstraint("points >= 0", name="ck_earning_rules_points_not_negative"),
        sa.CheckConstraint("version >= 1", name="ck_earning_rules_version_from_one"),
        sa.CheckConstraint("(cap_value IS NULL) = (cap_basis IS NULL)", name="ck_earning_rules_cap_whole"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER earning_rules_no_{act.lower()} BEFORE {act} ON earning_rules "
                "BEGIN SELECT RAISE(ABORT, 'earning_rules is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION earning_rules_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'earning_rules is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER earning_rules_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON earning_rules "
        "FOR EACH STATEMENT EXECUTE FUNCTION earning_rules_append_only()"
    )
