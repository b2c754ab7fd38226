"""Forgetting a person: who asked, who agreed, on what ground; answers about them may be emptied, and nothing else."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, BigId, UtcDateTime

revision = "0020_forgetting"
down_revision = "0019_guards_of_sets"

_KEPT = ("login_id", "key", "fingerprint", "status", "content_type", "created_at", "resident_id")


def upgrade() -> None:
    op.add_column("residents_residents", sa.Column("forgotten_at", UtcDateTime, nullable=True))
    op.add_column("web_idempotency", sa.Column("resident_id", sa.BigInteger, nullable=True))
    op.create_index("ix_web_idempotency_resident_id", "web_idempotency", ["resident_id"])
    op.create_table(
        "forgetting_requests",
        sa.Column("request_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
        sa.Column("ground", sa.String(16), nullable=False),
        sa.Column("asked_for_by", sa.String(16), nullable=False),
        sa.Column("proven_by", sa.String(16), nullable=False),
        sa.Column("points", sa.String(8), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("asked_role", sa.String(16), nullable=False),
        sa.Column("asked_login_id", sa.BigInteger, nullable=False),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("decided_role", sa.String(16)),
        sa.Column("decided_login_id", sa.BigInteger),
        sa.Column("swept_at", UtcDateTime),
        sa.Column("keys_destroyed_at", UtcDateTime),
        sa.CheckConstraint(
            "state IN ('asked', 'refused', 'lapsed', 'done')", name="ck_forgetting_requests_state_known"
        ),
        sa.CheckConstraint("points IN ('none', 'donate')", name="ck_forgetting_requests_points_known"),
        sa.CheckConstraint(
            "decided_login_id IS NULL OR decided_login_id <> asked_login_id",
            name="ck_forgetting_requests_two_people",
        ),
        sa.CheckConstraint(
            "(state IN ('asked', 'lapsed')) = (decided_login_id IS NULL)", name="ck_forgetting_requests_decided_whole"
        ),
    )
    op.create_index("ix_forgetting_requests_book_id", "forgetting_requests", ["book_id", "request_id"])
    open_one = sa.text("state = 'asked'")
    op.create_index(
        "uq_forgetting_requests_one_open",
        "forgetting_requests",
        ["resident_id"],
        unique=True,
        sqlite_where=open_one,
        postgresql_where=open_one,
    )
    if op.get_bind().dialect.name == "postgresql":
        _let_forget_postgresql()
    else:
        _let_forget_sqlite()


def _let_forget_sqlite() -> None:
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _KEPT)
    op.execute("DROP TRIGGER web_idempotency_no_update")
    op.execute(
        "CREATE TRIGGER web_idempotency_no_update BEFORE UPDATE ON web_idempotency "
        f"WHEN NOT (NEW.body = x'7b7d' AND {same}) "
        "BEGIN SELECT RAISE(ABORT, 'web_idempotency is append-only'); END"
    )


def _let_forget_postgresql() -> None:
    """Let the owner's function empty bodies; the service's role may call it and still change nothing itself."""
    kept = ", ".join(f"NEW.{name}" for name in _KEPT), ", ".join(f"OLD.{name}" for name in _KEPT)
    op.execute(
        f"""
        CREATE FUNCTION web_idempotency_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'UPDATE' AND NEW.body = '\\x7b7d'::bytea
             AND ROW({kept[0]}) IS NOT DISTINCT FROM ROW({kept[1]}) THEN
            RETURN NEW;
          END IF;
          RAISE EXCEPTION 'web_idempotency is append-only' USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute("DROP TRIGGER web_idempotency_append_only ON web_idempotency")
    op.execute(
        "CREATE TRIGGER web_idempotency_append_only BEFORE UPDATE OR DELETE ON web_idempotency "
        "FOR EACH ROW EXECUTE FUNCTION web_idempotency_guard()"
    )
    op.execute(
        """
        CREATE FUNCTION web_forget_answers(who bigint, says text) RETURNS bigint
        LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
          WITH emptied AS (
            UPDATE web_idempotency SET body = '\\x7b7d'::bytea
            WHERE body <> '\\x7b7d'::bytea AND (resident_id = who
              OR (resident_id IS NULL AND position(convert_to(says, 'UTF8') IN body) > 0))
            RETURNING 1)
          SELECT count(*) FROM emptied
        $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION web_forget_answers(bigint, text) FROM PUBLIC")
    role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
    if op.get_bind().execute(role).scalar():
        op.execute(f"GRANT EXECUTE ON FUNCTION web_forget_answers(bigint, text) TO {APP_ROLE}")
