"""Public figures: a branch's month, written once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, UtcDateTime

revision = "0041_figures"
down_revision = "0040_disclosure"

_TABLE = "figures_months"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("month_on", sa.Date, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("checkpoints", sa.Text, nullable=False),
        sa.Column("computed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("branch_id", "month_on", name=op.f("pk_figures_months")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {_TABLE}_no_{act.lower()} BEFORE {act} ON {_TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is append-only'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        f"CREATE TRIGGER {_TABLE}_append_only BEFORE UPDATE OR DELETE ON {_TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION moralbank_append_only()"
    )
    op.execute(
        f"CREATE TRIGGER {_TABLE}_no_truncate BEFORE TRUNCATE ON {_TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION moralbank_append_only()"
    )
    role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
    if op.get_bind().execute(role).scalar():
        op.execute(f"REVOKE UPDATE, DELETE ON {_TABLE} FROM {APP_ROLE}")
