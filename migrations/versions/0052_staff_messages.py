"""Messages to who works for the bank: by login, in an inbox of their own, and by e-mail where they want it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0052_staff_messages"
down_revision = "0051_shop_prints"

_ONE = "(resident_id IS NULL) <> (merchant_id IS NULL)"
_ONE_OF_THREE = (
    "((resident_id IS NULL) <> (merchant_id IS NULL)) = (login_id IS NULL) "
    "AND (resident_id IS NULL OR merchant_id IS NULL)"
)
_CHECK = "ck_messages_messages_one_recipient"
_M = "messages_messages: {}"
#: Nothing that old code writes is refused: what it writes names no login.
CONTRACTS = (
    _M.format(f"no longer: check {_CHECK}: {_ONE}"),
    _M.format(f"new: check {_CHECK}: {_ONE_OF_THREE}"),
    _M.format("new: unique login_id, event"),
)


def upgrade() -> None:
    op.add_column("messages_messages", sa.Column("login_id", sa.BigInteger))
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(_CHECK), "messages_messages", type_="check")
        op.create_check_constraint(op.f(_CHECK), "messages_messages", _ONE_OF_THREE)
    else:
        # On SQLite in its own copy of the table's text, as with late entries.
        op.execute("PRAGMA writable_schema=ON")
        text = sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :after) "
            "WHERE type = 'table' AND name = 'messages_messages'"
        )
        op.get_bind().execute(text, {"before": _ONE, "after": _ONE_OF_THREE})
        op.execute("PRAGMA writable_schema=RESET")
    op.create_index(
        "uq_messages_messages_login_event",
        "messages_messages",
        ["login_id", "event"],
        unique=True,
        sqlite_where=sa.text("login_id IS NOT NULL"),
        postgresql_where=sa.text("login_id IS NOT NULL"),
    )
    op.create_table(
        "messages_staff_mailboxes",
        sa.Column("login_id", BigId, sa.ForeignKey("access_logins.login_id"), primary_key=True),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.Column("code_hash", sa.LargeBinary),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("confirmed_at", UtcDateTime),
        sa.CheckConstraint(
            "(code_hash IS NULL) = (confirmed_at IS NOT NULL)",
            name=op.f("ck_messages_staff_mailboxes_confirmed_whole"),
        ),
    )
