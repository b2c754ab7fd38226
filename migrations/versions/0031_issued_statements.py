"""Statements that were issued, and how far each period of a book is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import APP_ROLE, UtcDateTime

revision = "0031_issued_statements"
down_revision = "0030_vouchers"

_TABLE = "statements_issued"
_FIGURES = [f"{unit}_{what}" for unit in ("points", "minutes") for what in ("opening_n", "opening", "lines", "closing")]


def upgrade() -> None:
    op.create_table(
        "statements_runs",
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("through_account", sa.BigInteger(), nullable=False),
        sa.Column("statements", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.ForeignKeyConstraint(["book_id"], ["ledger_books.book_id"], name=op.f("fk_statements_runs_book_id")),
        sa.PrimaryKeyConstraint("book_id", "period", name=op.f("pk_statements_runs")),
    )
    op.create_table(
        _TABLE,
        sa.Column("book_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _FIGURES),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["book_id", "account_id"],
            ["ledger_accounts.book_id", "ledger_accounts.account_id"],
            name=op.f("fk_statements_issued_book_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["book_id", "period"],
            ["statements_runs.book_id", "statements_runs.period"],
            name=op.f("fk_statements_issued_book_id_period"),
        ),
        sa.PrimaryKeyConstraint("book_id", "account_id", "period", name=op.f("pk_statements_issued")),
    )
    _freeze()


def _freeze() -> None:
    if op.get_bind().dialect.name == "postgresql":
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
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {_TABLE}_no_{act.lower()} BEFORE {act} ON {_TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is append-only'); END"
        )
