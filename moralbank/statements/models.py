"""Tables of issued statements. A row is small: what the statement says is read from the ledger again, and its hash
held against the row's.
"""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

#: How far a period of a book is issued; the position is the key of the next page.
runs = sa.Table(
    "statements_runs",
    metadata,
    sa.Column("book_id", sa.BigInteger, sa.ForeignKey("ledger_books.book_id"), primary_key=True),
    #: "2026-03", "2026-Q1" or "2026".
    sa.Column("period", sa.String(7), primary_key=True),
    sa.Column("begun_at", UtcDateTime, nullable=False),
    #: The last account that is dealt with.
    sa.Column("through_account", sa.BigInteger, nullable=False),
    sa.Column("statements", sa.BigInteger, nullable=False),
    sa.Column("lines", sa.BigInteger, nullable=False),
    sa.Column("ended_at", UtcDateTime),
)

#: Frozen: triggers refuse UPDATE and DELETE.
issued = sa.Table(
    "statements_issued",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True),
    sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("period", sa.String(7), primary_key=True),
    #: Number and balance of the last line before the period, how many lines it has, and the balance at its end.
    sa.Column("points_opening_n", sa.BigInteger, nullable=False),
    sa.Column("points_opening", sa.BigInteger, nullable=False),
    sa.Column("points_lines", sa.BigInteger, nullable=False),
    sa.Column("points_closing", sa.BigInteger, nullable=False),
    sa.Column("minutes_opening_n", sa.BigInteger, nullable=False),
    sa.Column("minutes_opening", sa.BigInteger, nullable=False),
    sa.Column("minutes_lines", sa.BigInteger, nullable=False),
    sa.Column("minutes_closing", sa.BigInteger, nullable=False),
    #: SHA-256 of content.py's text.
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    sa.Column("issued_at", UtcDateTime, nullable=False),
    sa.ForeignKeyConstraint(["book_id", "account_id"], ["ledger_accounts.book_id", "ledger_accounts.account_id"]),
    sa.ForeignKeyConstraint(["book_id", "period"], ["statements_runs.book_id", "statements_runs.period"]),
)

#: Print runs: how far each is, and up to whom. Their files are not here (prints.py).
prints = sa.Table(
    "statements_prints",
    metadata,
    sa.Column("print_id", BigId, primary_key=True),
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("period", sa.String(7), nullable=False),
    sa.Column("form", sa.String(8), nullable=False),
    sa.Column("phoneless", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    #: The position: the key of the next file.
    sa.Column("after_building", sa.String(50), nullable=False),
    sa.Column("after_resident", sa.BigInteger, nullable=False),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("fault", sa.String(32)),
    sa.Column("ended_at", UtcDateTime),
    sa.CheckConstraint("form IN ('run', 'files', 'shops')", name="form_known"),
    sa.CheckConstraint("state IN ('waiting', 'stopped', 'done', 'dropped')", name="state_known"),
    sa.Index("ix_statements_prints_branch_id", "branch_id", "print_id"),
)
