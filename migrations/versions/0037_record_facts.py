"""What a volunteer's record holds beside services."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0037_record_facts"
down_revision = "0036_phone_orders"


def upgrade() -> None:
    op.create_table(
        "certificates_facts",
        sa.Column("fact_id", BigId, nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("words", sa.String(200), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("noted_by", sa.String(64), nullable=False),
        sa.CheckConstraint(
            "kind IN ('skill', 'training', 'commendation', 'evaluation')", name=op.f("ck_certificates_facts_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name=op.f("fk_certificates_facts_resident_id")
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_certificates_facts")),
    )
    op.create_index("ix_certificates_facts_resident_id", "certificates_facts", ["resident_id", "fact_id"])
