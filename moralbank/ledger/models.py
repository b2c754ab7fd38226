"""The ledger's tables. Every key leads with book_id, so that a book can move to a database of its own.

Entries, postings, keys and closed days are append-only: triggers of migration 0001 refuse UPDATE and DELETE on both
engines, and on PostgreSQL the service's role has no right to either.
"""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

books = sa.Table(
    "ledger_books",
    metadata,
    sa.Column("book_id", BigId, primary_key=True),
    sa.Column("code", sa.String(32), nullable=False, unique=True),
    sa.Column("name", sa.String(100), nullable=False),
    #: The last account number given out in this book.
    sa.Column("last_account", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    #: From this number on no entry that takes two people is by one alone. 1 where none ever was; else one more than the
    #: last that was posted before the rule. It is set when the book is opened and never again.
    sa.Column("two_people_from", sa.BigInteger, nullable=False, server_default="1"),
)

accounts = sa.Table(
    "ledger_accounts",
    metadata,
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), primary_key=True),
    sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Index("ix_ledger_accounts_book_id_kind", "book_id", "kind"),
)

entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("entry_id", sa.Uuid, primary_key=True),
    #: Rises with posting; may skip a number when a transaction is given up.
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("branch_id", sa.BigInteger),
    sa.Column("source_kind", sa.String(32)),
    sa.Column("source_id", sa.String(64)),
    sa.Column("rule_code", sa.String(16)),
    sa.Column("rule_version", sa.Integer),
    sa.Column("grade", sa.String(1)),
    sa.Column("occurred_on", sa.Date, nullable=False),
    sa.Column("posted_at", UtcDateTime, nullable=False),
    sa.Column("reverses", sa.Uuid),
    #: The second person, as role:login.
    sa.Column("checker", sa.String(64)),
    #: Canonical JSON made once at posting and hashed as stored.
    sa.Column("leaf_bytes", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("book_id", "seq"),
    sa.UniqueConstraint("book_id", "reverses"),
    sa.UniqueConstraint("book_id", "kind", "source_kind", "source_id"),
    sa.ForeignKeyConstraint(["book_id"], ["ledger_books.book_id"]),
    sa.ForeignKeyConstraint(["book_id", "reverses"], ["ledger_entries.book_id", "ledger_entries.entry_id"]),
    sa.CheckConstraint("seq > 0", name="seq_positive"),
    sa.Index("ix_ledger_entries_book_id_posted_at", "book_id", "posted_at"),
)

postings = sa.Table(
    "ledger_postings",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("entry_id", sa.Uuid, primary_key=True),
    sa.Column("leg", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    sa.Column("unit", sa.SmallInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    #: Guarded accounts only: the account's own gapless line number in the unit, and the balance after the line.
    sa.Column("n", sa.BigInteger),
    sa.Column("balance_after", sa.BigInteger),
    sa.Column("expires_on", sa.Date),
    #: The entry's, beside the line so that a past balance is one index probe.
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("posted_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("book_id", "account_id", "unit", "seq"),
    sa.UniqueConstraint("book_id", "account_id", "unit", "n"),
    sa.ForeignKeyConstraint(
        ["book_id", "entry_id"],
        ["ledger_entries.book_id", "ledger_entries.entry_id"],
        deferrable=True,
        initially="DEFERRED",
    ),
    sa.ForeignKeyConstraint(["book_id", "account_id"], ["ledger_accounts.book_id", "ledger_accounts.account_id"]),
    sa.CheckConstraint("amount <> 0 AND amount BETWEEN -9007199254740991 AND 9007199254740991", name="amount_whole"),
    sa.CheckConstraint("balance_after >= 0 AND n > 0", name="line_guarded"),
    sa.CheckConstraint("(n IS NULL) = (balance_after IS NULL)", name="line_whole"),
    sa.CheckConstraint("unit IN (1, 2)", name="unit_known"),
    sa.Index("ix_ledger_postings_book_id_account_id_unit_posted_at", "book_id", "account_id", "unit", "posted_at"),
)

#: What each guarded account holds now, and the number and instant of its last line. The row is the account's lock.
balances = sa.Table(
    "ledger_balances",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("unit", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("balance", sa.BigInteger, nullable=False),
    sa.Column("last_at", UtcDateTime),
    #: No lot of the account expires before this day: whoever spends from then on looks at the lots first. A day of the
    #: lots, or NEVER, or UNLOOKED.
    sa.Column("next_expiry_on", sa.Date, nullable=False, server_default="0001-01-01"),
    sa.ForeignKeyConstraint(["book_id", "account_id"], ["ledger_accounts.book_id", "ledger_accounts.account_id"]),
    sa.CheckConstraint("balance >= 0", name="balance_not_negative"),
)

#: That an account's holder could read, from this day on, what expires when: without it nothing expires.
expiry_notices = sa.Table(
    "ledger_expiry_notices",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("expires_on", sa.Date, primary_key=True),
    #: How many days before: 60, 30, 7.
    sa.Column("step", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("noted_on", sa.Date, nullable=False),
    sa.Column("noted_at", UtcDateTime, nullable=False),
    sa.ForeignKeyConstraint(["book_id", "account_id"], ["ledger_accounts.book_id", "ledger_accounts.account_id"]),
    sa.CheckConstraint("points > 0", name="points_positive"),
    sa.CheckConstraint("step IN (60, 30, 7)", name="step_known"),
    #: For who is to be told of what was noted lately.
    sa.Index("ix_ledger_expiry_notices_noted_on", "book_id", "noted_on", "account_id"),
)

#: One key, one effect, for good. A refusal that was decided has no entry but a code.
keys = sa.Table(
    "ledger_keys",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("actor", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("entry_id", sa.Uuid),
    sa.Column("refusal", sa.String(32)),
    sa.CheckConstraint("(entry_id IS NULL) <> (refusal IS NULL)", name="one_answer"),
)

#: Memo, place and evidence, with the salt of the commitment in the leaf. Forgetting a person deletes rows here.
private_parts = sa.Table(
    "ledger_private_parts",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("entry_id", sa.Uuid, primary_key=True),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)

closed_days = sa.Table(
    "ledger_closed_days",
    metadata,
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("closed_at", UtcDateTime, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
)

#: What a summed account came to through a number of the book (folds.py); rows are only added.
folds = sa.Table(
    "ledger_folds",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("unit", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("through_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    #: The latest instant of its lines: from then on the total holds for past instants too.
    sa.Column("last_at", UtcDateTime, nullable=False),
    sa.ForeignKeyConstraint(["book_id", "account_id"], ["ledger_accounts.book_id", "ledger_accounts.account_id"]),
)
