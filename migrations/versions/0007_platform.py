"""First answers to keyed writes, which nobody can change afterwards; the scheduler's lease and the slots it ran."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, UtcDateTime

revision = "0007_platform"
down_revision = "0006_merchants"


def upgrade() -> None:
    op.create_table(
        "web_idempotency",
        sa.Column("login_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("status BETWEEN 200 AND 499", name=op.f("ck_web_idempotency_status_decided")),
        sa.PrimaryKeyConstraint("login_id", "key", name=op.f("pk_web_idempotency")),
    )
    op.create_table(
        "platform_leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until_seconds", sa.Double(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_platform_leases")),
    )
    op.create_table(
        "platform_runs",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("slot_at", UtcDateTime(), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("ran_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job", "slot_at", name=op.f("pk_platform_runs")),
    )
    _keep_first_answers()


def _keep_first_answers() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER web_idempotency_append_only BEFORE UPDATE OR DELETE ON web_idempotency "
            "FOR EACH ROW EXECUTE FUNCTION moralbank_append_only()"
        )
        op.execute(
            "CREATE TRIGGER web_idempotency_no_truncate BEFORE TRUNCATE ON web_idempotency "
            "FOR EACH STATEMENT EXECUTE FUNCTION moralbank_append_only()"
        )
        role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
        if op.get_bind().execute(role).scalar():
            op.execute(f"REVOKE UPDATE, DELETE ON web_idempotency FROM {APP_ROLE}")
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER web_idempotency_no_{act.lower()} BEFORE {act} ON web_idempotency "
            "BEGIN SELECT RAISE(ABORT, 'web_idempotency is append-only'); END"
        )
