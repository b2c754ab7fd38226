"""Tables of branches and access: places, logins, grants, sessions, tokens and tries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0002_access"
down_revision = "0001_ledger"


def upgrade() -> None:
    """Create the tables; places first, since grants point at them."""
    _branches()
    _logins()
    _sessions()
    _tokens()
    _tries()


def _branches() -> None:
    op.create_table(
        "branches_branches",
        sa.Column("branch_id", BigId, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("name_zh", sa.String(100), nullable=False),
        sa.Column("name_en", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("parent_id", BigId),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("address", sa.String(200), nullable=False, server_default=""),
        sa.Column("opening_hours", sa.String(100), nullable=False, server_default=""),
        sa.Column("book_id", sa.BigInteger),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("branch_id", name="pk_branches_branches"),
        sa.UniqueConstraint("code", name="uq_branches_branches_code"),
        sa.ForeignKeyConstraint(["parent_id"], ["branches_branches.branch_id"], name="fk_branches_branches_parent_id"),
        sa.CheckConstraint("kind IN ('district', 'street', 'hub', 'station')", name="kind_known"),
        sa.CheckConstraint("(kind IN ('hub', 'station')) = (book_id IS NOT NULL)", name="book_from_hub_down"),
        sa.CheckConstraint("kind <> 'station' OR parent_id IS NOT NULL", name="station_has_hub"),
    )
    for column in ("parent_id", "path", "book_id"):
        op.create_index(f"ix_branches_branches_{column}", "branches_branches", [column])


def _logins() -> None:
    op.create_table(
        "access_logins",
        sa.Column("login_id", BigId, nullable=False),
        sa.Column("name", sa.String(32)),
        sa.Column("display_name", sa.String(50), nullable=False),
        sa.Column("resident_id", sa.BigInteger),
        sa.Column("secret_kind", sa.String(8), nullable=False),
        sa.Column("secret_hash", sa.String(200), nullable=False),
        sa.Column("must_change", sa.Boolean, nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("opened_by", sa.String(32), nullable=False),
        sa.Column("suspended_at", UtcDateTime),
        sa.PrimaryKeyConstraint("login_id", name="pk_access_logins"),
        sa.UniqueConstraint("name", name="uq_access_logins_name"),
        sa.UniqueConstraint("resident_id", name="uq_access_logins_resident_id"),
        sa.CheckConstraint("secret_kind IN ('pin', 'password')", name="secret_kind_known"),
        sa.CheckConstraint("(name IS NULL) <> (resident_id IS NULL)", name="named_or_resident"),
    )
    op.create_table(
        "access_grants",
        sa.Column("grant_id", BigId, nullable=False),
        sa.Column("login_id", BigId, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("branch_id", BigId),
        sa.Column("merchant_id", sa.BigInteger),
        sa.Column("granted_at", UtcDateTime, nullable=False),
        sa.Column("granted_by", sa.String(32), nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", sa.String(32)),
        sa.PrimaryKeyConstraint("grant_id", name="pk_access_grants"),
        sa.ForeignKeyConstraint(["login_id"], ["access_logins.login_id"], name="fk_access_grants_login_id"),
        sa.ForeignKeyConstraint(["branch_id"], ["branches_branches.branch_id"], name="fk_access_grants_branch_id"),
        sa.CheckConstraint("role IN ('resident', 'operator', 'staff', 'auditor', 'admin')", name="role_known"),
        sa.CheckConstraint("(role = 'operator') = (merchant_id IS NOT NULL)", name="operator_has_merchant"),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_whole"),
    )
    for column in ("login_id", "branch_id", "merchant_id"):
        op.create_index(f"ix_access_grants_{column}", "access_grants", [column])


def _sessions() -> None:
    op.create_table(
        "access_sessions",
        sa.Column("session_id", BigId, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("login_id", BigId, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("idle_seconds", sa.Integer, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("session_id", name="pk_access_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_access_sessions_token_hash"),
        sa.ForeignKeyConstraint(["login_id"], ["access_logins.login_id"], name="fk_access_sessions_login_id"),
    )
    op.create_index("ix_access_sessions_login_id", "access_sessions", ["login_id"])


def _tokens() -> None:
    op.create_table(
        "access_tokens",
        sa.Column("token_id", BigId, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("login_id", BigId, nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("scopes", sa.String(400), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("token_id", name="pk_access_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_access_tokens_token_hash"),
        sa.ForeignKeyConstraint(["login_id"], ["access_logins.login_id"], name="fk_access_tokens_login_id"),
    )
    op.create_index("ix_access_tokens_login_id", "access_tokens", ["login_id"])


def _tries() -> None:
    op.create_table(
        "access_tries",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("window_started_at", UtcDateTime, nullable=False),
        sa.Column("locks", sa.Integer, nullable=False),
        sa.Column("locked_until_at", UtcDateTime),
        sa.PrimaryKeyConstraint("key", name="pk_access_tries"),
    )
