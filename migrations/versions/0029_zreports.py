"""Z-reports: a shop's day at its tills, closed and frozen, and which charge, undoing and refund each of them counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0029_zreports"
down_revision = "0028_refunds"

_TABLE = "redemptions_zreports"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("zreport_id", BigId, primary_key=True),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("day_on", sa.Date, nullable=False),
        sa.Column("since_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.UniqueConstraint("merchant_id", "day_on", name=op.f("uq_redemptions_zreports_merchant_id_day_on")),
        sa.UniqueConstraint("merchant_id", "number", name=op.f("uq_redemptions_zreports_merchant_id_number")),
    )
    for table, column in (
        ("redemptions_charges", "zreport_number"),
        ("redemptions_charges", "undo_zreport_number"),
        ("redemptions_refunds", "zreport_number"),
    ):
        op.add_column(table, sa.Column(column, sa.Integer))
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
    else:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {_TABLE}_no_{act.lower()} BEFORE {act} ON {_TABLE} "
                f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is append-only'); END"
            )
