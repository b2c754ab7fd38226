"""The table of public figures. A month is written once: triggers refuse to change it."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import UtcDateTime, metadata

months = sa.Table(
    "figures_months",
    metadata,
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), primary_key=True),
    #: The first day of the month.
    sa.Column("month_on", sa.Date, primary_key=True),
    #: The figures by name as canonical JSON; null where a group was too small.
    sa.Column("told", sa.Text, nullable=False),
    #: The newest checkpoints of the books when it was computed, as JSON: code, size and root.
    sa.Column("checkpoints", sa.Text, nullable=False),
    sa.Column("computed_at", UtcDateTime, nullable=False),
)
