"""The table of branches."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

branches_branches = sa.Table(
    "branches_branches",
    metadata,
    sa.Column("branch_id", BigId, primary_key=True),
    #: Printed on posters and cited in files, so it never changes.
    sa.Column("code", sa.String(16), nullable=False, unique=True),
    sa.Column("name_zh", sa.String(100), nullable=False),
    sa.Column("name_en", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("parent_id", BigId, sa.ForeignKey("branches_branches.branch_id"), index=True),
    #: Ids from the root down to this branch, "/1/2/3/": "within" is a prefix. Empty only while it is opened.
    sa.Column("path", sa.String(200), nullable=False, index=True),
    sa.Column("address", sa.String(200), nullable=False, server_default=""),
    sa.Column("opening_hours", sa.String(100), nullable=False, server_default=""),
    #: The ledger's book of the hub; NULL above hubs, where no book is kept.
    sa.Column("book_id", sa.BigInteger, index=True),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("kind IN ('district', 'street', 'hub', 'station')", name="kind_known"),
    sa.CheckConstraint("(kind IN ('hub', 'station')) = (book_id IS NOT NULL)", name="book_from_hub_down"),
    sa.CheckConstraint("kind <> 'station' OR parent_id IS NOT NULL", name="station_has_hub"),
)
