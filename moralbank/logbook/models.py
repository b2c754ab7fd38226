"""Tables of who witnesses a book's logs, how many of them must, and how asking them goes."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

_IN_OFFICE = sa.text("retired_at IS NULL")

witnesses = sa.Table(
    "logbook_witnesses",
    metadata,
    sa.Column("witness_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), nullable=False),
    #: The key's name, which stands in its signature lines.
    sa.Column("name", sa.String(255), nullable=False),
    #: What people call it: an office or a committee, never a person.
    sa.Column("title", sa.String(100), nullable=False),
    #: name+id+key, as verifiers take it.
    sa.Column("verifier_key", sa.String(400), nullable=False),
    #: Where it answers; NULL: it signs files. "local:place" is a witness of the demonstration on this machine.
    sa.Column("url", sa.String(300)),
    sa.Column("added_at", UtcDateTime, nullable=False),
    sa.Column("added_by", sa.String(64), nullable=False),
    sa.Column("retired_at", UtcDateTime),
    sa.Column("retired_by", sa.String(64)),
    sa.CheckConstraint("(retired_at IS NULL) = (retired_by IS NULL)", name="retired_by_somebody"),
    # Of those in office no two share a name or a key, so that nobody counts twice.
    sa.Index(
        "uq_logbook_witnesses_name", "book_id", "name", unique=True,
        sqlite_where=_IN_OFFICE, postgresql_where=_IN_OFFICE,
    ),
    sa.Index(
        "uq_logbook_witnesses_verifier_key", "book_id", "verifier_key", unique=True,
        sqlite_where=_IN_OFFICE, postgresql_where=_IN_OFFICE,
    ),
)  # fmt: skip

#: How many of a book's witnesses must have signed; the latest row is in force, the others are history.
policies = sa.Table(
    "logbook_policies",
    metadata,
    sa.Column("policy_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), nullable=False),
    sa.Column("needed", sa.Integer, nullable=False),
    sa.Column("set_at", UtcDateTime, nullable=False),
    sa.Column("set_by", sa.String(64), nullable=False),
    sa.CheckConstraint("needed >= 0", name="needed_not_negative"),
    sa.Index("ix_logbook_policies_book_id", "book_id", "policy_id"),
)

#: How asking a witness about a log goes: what it signed last, as far as the bank knows, and when to ask again.
rounds = sa.Table(
    "logbook_rounds",
    metadata,
    sa.Column("witness_id", sa.BigInteger, sa.ForeignKey("logbook_witnesses.witness_id"), primary_key=True),
    sa.Column("log", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("known_size", sa.BigInteger, nullable=False),
    #: The time that its last cosignature states.
    sa.Column("signed_at", UtcDateTime),
    #: signed, or why not: see asking.Outcome.
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("next_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("known_size >= 0 AND failures >= 0", name="counts_not_negative"),
)
