"""What people are told: the messages, their ways out of the house, mailboxes, and what is not wanted on which way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0039_messages"
down_revision = "0038_helped"

_RESIDENT = "residents_residents.resident_id"


def upgrade() -> None:
    _create_messages()
    _create_deliveries()
    op.create_table(
        "messages_mailboxes",
        sa.Column("resident_id", BigId, sa.ForeignKey(_RESIDENT), primary_key=True),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.Column("code_hash", sa.LargeBinary),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("confirmed_at", UtcDateTime),
        sa.CheckConstraint(
            "(code_hash IS NULL) = (confirmed_at IS NOT NULL)", name=op.f("ck_messages_mailboxes_confirmed_whole")
        ),
    )
    op.create_table(
        "messages_optouts",
        sa.Column("resident_id", BigId, sa.ForeignKey(_RESIDENT), primary_key=True),
        sa.Column("channel", sa.String(8), primary_key=True),
        sa.Column("kind", sa.String(24), primary_key=True),
        sa.Column("since_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_ledger_expiry_notices_noted_on", "ledger_expiry_notices", ["book_id", "noted_on", "account_id"])


def _create_messages() -> None:
    op.create_table(
        "messages_messages",
        sa.Column("message_id", BigId, primary_key=True),
        sa.Column("event", sa.String(80), nullable=False),
        sa.Column("resident_id", sa.BigInteger, sa.ForeignKey(_RESIDENT)),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id")),
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("written_at", UtcDateTime, nullable=False),
        sa.Column("read_at", UtcDateTime),
        sa.Column("planned_at", UtcDateTime),
        sa.CheckConstraint(
            "(resident_id IS NULL) <> (merchant_id IS NULL)", name=op.f("ck_messages_messages_one_recipient")
        ),
    )
    for whose in ("resident", "merchant"):
        _index_some(
            f"uq_messages_messages_{whose}_event",
            "messages_messages",
            [f"{whose}_id", "event"],
            f"{whose}_id IS NOT NULL",
            unique=True,
        )
    _index_some("ix_messages_messages_unplanned", "messages_messages", ["message_id"], "planned_at IS NULL")


def _create_deliveries() -> None:
    op.create_table(
        "messages_deliveries",
        sa.Column("delivery_id", BigId, primary_key=True),
        sa.Column("message_id", sa.BigInteger, sa.ForeignKey("messages_messages.message_id"), nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("is_urgent", sa.Boolean, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("planned_at", UtcDateTime, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("claimed_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("fault", sa.String(64)),
        sa.UniqueConstraint("message_id", "channel", name=op.f("uq_messages_deliveries_message_id_channel")),
        sa.CheckConstraint("channel IN ('email', 'sms', 'wechat')", name=op.f("ck_messages_deliveries_channel_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'failed', 'unsure', 'dropped')",
            name=op.f("ck_messages_deliveries_state_known"),
        ),
        sa.CheckConstraint(
            "(state IN ('waiting', 'sending')) = (ended_at IS NULL)", name=op.f("ck_messages_deliveries_ended_whole")
        ),
    )
    table = "messages_deliveries"
    _index_some("ix_messages_deliveries_open", table, ["channel", "next_at", "delivery_id"], "ended_at IS NULL")
    _index_some("ix_messages_deliveries_stuck", table, ["delivery_id"], "state IN ('failed', 'unsure')")


def _index_some(name: str, table: str, columns: list[str], where: str, unique: bool = False) -> None:
    some = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=some, postgresql_where=some)
