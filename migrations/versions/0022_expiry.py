"""When an account's lots must be looked at next, and what its holder was told of what expires."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, UtcDateTime

revision = "0022_expiry"
down_revision = "0021_calendars"

_TABLE = "ledger_expiry_notices"
_IDENTITY = ("book_id", "account_id", "expires_on", "step")


def upgrade() -> None:
    # The default means that nobody has looked yet: the job does, page by page.
    op.add_column("ledger_balances", sa.Column("next_expiry_on", sa.Date, nullable=False, server_default="0001-01-01"))
    op.create_table(
        _TABLE,
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("step", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("noted_on", sa.Date(), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_ledger_expiry_notices_points_positive")),
        sa.CheckConstraint("step IN (60, 30, 7)", name=op.f("ck_ledger_expiry_notices_step_known")),
        sa.ForeignKeyConstraint(
            ["book_id", "account_id"],
            ["ledger_accounts.book_id", "ledger_accounts.account_id"],
            name=op.f("fk_ledger_expiry_notices_book_id_account_id"),
        ),
        sa.PrimaryKeyConstraint(*_IDENTITY, name=op.f("pk_ledger_expiry_notices")),
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
    op.execute(f"ALTER TABLE {_TABLE} ENABLE ALWAYS TRIGGER {_TABLE}_append_only")
    role = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role").bindparams(role=APP_ROLE)
    if op.get_bind().execute(role).scalar():
        op.execute(f"REVOKE UPDATE, DELETE ON {_TABLE} FROM {APP_ROLE}")
