"""Tables of messages: what is told, what of it leaves the house, and what people say about how."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

EVENT_MAX = 80
FAULT_MAX = 64

messages = sa.Table(
    "messages_messages",
    metadata,
    sa.Column("message_id", BigId, primary_key=True),
    #: What happened, by name: each person is told of it once.
    sa.Column("event", sa.String(EVENT_MAX), nullable=False),
    #: Whom it is for: a resident, whoever works at a merchant's till, or who works for the bank, by their login.
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id")),
    sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id")),
    #: No foreign key, since SQLite adds none to a table that is there; logins are never deleted.
    sa.Column("login_id", sa.BigInteger),
    #: Who looks after it when it can't be sent.
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("kind", sa.String(24), nullable=False),
    #: The figures and names of its sentence as JSON, and nothing else; null once its person is forgotten.
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("written_at", UtcDateTime, nullable=False),
    sa.Column("read_at", UtcDateTime),
    #: When it was decided on which ways it leaves the house.
    sa.Column("planned_at", UtcDateTime),
    sa.CheckConstraint(
        "((resident_id IS NULL) <> (merchant_id IS NULL)) = (login_id IS NULL) "
        "AND (resident_id IS NULL OR merchant_id IS NULL)",
        name="one_recipient",
    ),
)
sa.Index(
    "uq_messages_messages_resident_event",
    messages.c.resident_id,
    messages.c.event,
    unique=True,
    sqlite_where=messages.c.resident_id.is_not(None),
    postgresql_where=messages.c.resident_id.is_not(None),
)
sa.Index(
    "uq_messages_messages_merchant_event",
    messages.c.merchant_id,
    messages.c.event,
    unique=True,
    sqlite_where=messages.c.merchant_id.is_not(None),
    postgresql_where=messages.c.merchant_id.is_not(None),
)
sa.Index(
    "uq_messages_messages_login_event",
    messages.c.login_id,
    messages.c.event,
    unique=True,
    sqlite_where=messages.c.login_id.is_not(None),
    postgresql_where=messages.c.login_id.is_not(None),
)
sa.Index(
    "ix_messages_messages_unplanned",
    messages.c.message_id,
    sqlite_where=messages.c.planned_at.is_(None),
    postgresql_where=messages.c.planned_at.is_(None),
)

#: One way on which a message leaves the house. It is sent by whoever brings it from waiting to sending.
deliveries = sa.Table(
    "messages_deliveries",
    metadata,
    sa.Column("delivery_id", BigId, primary_key=True),
    sa.Column("message_id", sa.BigInteger, sa.ForeignKey(messages.c.message_id), nullable=False),
    sa.Column("channel", sa.String(8), nullable=False),
    #: waiting, sending, sent, failed (given up), unsure (it may have arrived), dropped (no longer wanted).
    sa.Column("state", sa.String(8), nullable=False),
    #: Goes out at night too.
    sa.Column("is_urgent", sa.Boolean, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("planned_at", UtcDateTime, nullable=False),
    #: Not before.
    sa.Column("next_at", UtcDateTime, nullable=False),
    sa.Column("claimed_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    #: Why it went wrong last, as a word of ours, never as the other side's sentence.
    sa.Column("fault", sa.String(FAULT_MAX)),
    sa.UniqueConstraint("message_id", "channel"),
    sa.CheckConstraint("channel IN ('email', 'sms', 'wechat')", name="channel_known"),
    sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'unsure', 'dropped')", name="state_known"),
    sa.CheckConstraint("(state IN ('waiting', 'sending')) = (ended_at IS NULL)", name="ended_whole"),
)
sa.Index(
    "ix_messages_deliveries_open",
    deliveries.c.channel,
    deliveries.c.next_at,
    deliveries.c.delivery_id,
    sqlite_where=deliveries.c.ended_at.is_(None),
    postgresql_where=deliveries.c.ended_at.is_(None),
)

sa.Index(
    "ix_messages_deliveries_stuck",
    deliveries.c.delivery_id,
    sqlite_where=deliveries.c.state.in_(["failed", "unsure"]),
    postgresql_where=deliveries.c.state.in_(["failed", "unsure"]),
)

#: Where a resident gets e-mail, once they have shown that it is theirs.
mailboxes = sa.Table(
    "messages_mailboxes",
    metadata,
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
    sa.Column("address", sa.String(254), nullable=False),
    sa.Column("set_at", UtcDateTime, nullable=False),
    #: SHA-256 of resident and code; None once it is confirmed.
    sa.Column("code_hash", sa.LargeBinary),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("confirmed_at", UtcDateTime),
    sa.CheckConstraint("(code_hash IS NULL) = (confirmed_at IS NOT NULL)", name="confirmed_whole"),
)

#: Where somebody who works for the bank gets e-mail, under the same rules; who wants none has no row.
staff_mailboxes = sa.Table(
    "messages_staff_mailboxes",
    metadata,
    sa.Column("login_id", BigId, sa.ForeignKey("access_logins.login_id"), primary_key=True),
    sa.Column("address", sa.String(254), nullable=False),
    sa.Column("set_at", UtcDateTime, nullable=False),
    sa.Column("code_hash", sa.LargeBinary),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("confirmed_at", UtcDateTime),
    sa.CheckConstraint("(code_hash IS NULL) = (confirmed_at IS NOT NULL)", name="confirmed_whole"),
)

#: What a resident doesn't want on which way; the inbox has everything.
optouts = sa.Table(
    "messages_optouts",
    metadata,
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
    sa.Column("channel", sa.String(8), primary_key=True),
    sa.Column("kind", sa.String(24), primary_key=True),
    sa.Column("since_at", UtcDateTime, nullable=False),
)
