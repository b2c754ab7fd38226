"""The record of deeds: who came in, looked, changed and took away; what was written as a reason stands apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, BigId, UtcDateTime

revision = "0015_access_deeds"
down_revision = "0014_noticeboard"


def upgrade() -> None:
    op.create_table(
        "access_deeds",
        sa.Column("deed_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger),
        sa.Column("branch_id", sa.BigInteger),
        sa.Column("done_at", UtcDateTime, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("login_id", sa.BigInteger),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("resident_id", sa.BigInteger),
        sa.Column("reason", sa.String(16)),
        sa.Column("about", sa.String(64), nullable=False),
        sa.Column("people", sa.Integer),
        sa.Column("leaf_hash", sa.String(64)),
    )
    for column in ("book_id", "resident_id", "login_id"):
        op.create_index(f"ix_access_deeds_{column}", "access_deeds", [column, "deed_id"])
    op.create_table(
        "access_deed_notes",
        sa.Column("deed_id", BigId, sa.ForeignKey("access_deeds.deed_id"), primary_key=True, autoincrement=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
    )
    _only_add()


def _only_add() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER access_deeds_append_only BEFORE UPDATE OR DELETE ON access_deeds "
            "FOR EACH ROW EXECUTE FUNCTION moralbank_append_only()"
        )
        op.execute(
            "CREATE TRIGGER access_deeds_no_truncate BEFORE TRUNCATE ON access_deeds "
            "FOR EACH STATEMENT EXECUTE FUNCTION moralbank_append_only()"
        )
        role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
        if op.get_bind().execute(role).scalar():
            op.execute(f"REVOKE UPDATE, DELETE ON access_deeds FROM {APP_ROLE}")
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER access_deeds_no_{act.lower()} BEFORE {act} ON access_deeds "
            "BEGIN SELECT RAISE(ABORT, 'access_deeds is append-only'); END"
        )
