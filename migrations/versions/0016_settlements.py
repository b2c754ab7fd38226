"""Settlements of merchants' months with frozen lines and disputes, and what is pledged to stand behind the points.

A charge now keeps under which mode it was sold and what the fund owes for it. Those made before get what holds now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0016_settlements"
down_revision = "0015_access_deeds"

FROZEN = ("settlements_lines", "settlements_pledges")


def upgrade() -> None:
    op.add_column("redemptions_charges", sa.Column("settlement_mode", sa.String(16)))
    op.add_column("redemptions_charges", sa.Column("owed_fen", sa.Integer))
    op.execute(
        """
        UPDATE redemptions_charges SET
          settlement_mode = (SELECT m.settlement_mode FROM merchants_merchants m
            WHERE m.merchant_id = redemptions_charges.merchant_id),
          owed_fen = coalesce((SELECT o.settlement_fen FROM merchants_offers o
            JOIN merchants_merchants m ON m.merchant_id = o.merchant_id AND m.settlement_mode = 'subsidised'
            WHERE o.offer_id = redemptions_charges.offer_id), 0)
        """
    )
    _create_settlements()
    _create_disputes()
    _create_budget()
    for table in FROZEN:
        _freeze(table)


def _create_settlements() -> None:
    op.create_table(
        "settlements_settlements",
        sa.Column("settlement_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), nullable=False),
        sa.Column("month_on", sa.Date, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("lines_count", sa.Integer, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("due_fen", sa.BigInteger, nullable=False),
        sa.Column("lines_hash", sa.LargeBinary, nullable=False),
        sa.Column("entry_id", sa.Uuid),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("issued_by", sa.String(64), nullable=False),
        sa.Column("dispute_by", sa.Date, nullable=False),
        sa.Column("confirmed_at", UtcDateTime),
        sa.Column("confirmed_by", sa.String(64)),
        sa.Column("paid_on", sa.Date),
        sa.Column("paid_by", sa.String(64)),
        sa.Column("payment_reference", sa.String(64)),
        sa.Column("carried_into", sa.BigInteger, sa.ForeignKey("settlements_settlements.settlement_id")),
        sa.UniqueConstraint(
            "merchant_id", "month_on", "mode", name=op.f("uq_settlements_settlements_merchant_id_month_on_mode")
        ),
        sa.UniqueConstraint("book_id", "entry_id", name=op.f("uq_settlements_settlements_book_id_entry_id")),
        sa.CheckConstraint(
            "mode IN ('donated', 'subsidised', 'recirculated')", name=op.f("ck_settlements_settlements_mode_known")
        ),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (confirmed_by IS NULL)", name=op.f("ck_settlements_settlements_confirmed_whole")
        ),
        sa.CheckConstraint(
            "(paid_on IS NULL) = (paid_by IS NULL) AND (paid_on IS NULL) = (payment_reference IS NULL)",
            name=op.f("ck_settlements_settlements_paid_whole"),
        ),
        sa.CheckConstraint(
            "paid_on IS NULL OR (confirmed_at IS NOT NULL AND due_fen > 0)",
            name=op.f("ck_settlements_settlements_paid_when_due"),
        ),
        sa.CheckConstraint(
            "paid_by IS NULL OR paid_by <> issued_by", name=op.f("ck_settlements_settlements_two_people")
        ),
    )
    op.create_index(
        "ix_settlements_settlements_branch_id_month_on", "settlements_settlements", ["branch_id", "month_on"]
    )
    op.create_table(
        "settlements_lines",
        sa.Column(
            "settlement_id", sa.BigInteger, sa.ForeignKey("settlements_settlements.settlement_id"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("entry_id", sa.Uuid),
        sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id")),
        sa.Column("dispute_id", sa.BigInteger),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("owed_fen", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("book_id", "entry_id", name=op.f("uq_settlements_lines_book_id_entry_id")),
        sa.UniqueConstraint("charge_id", "kind", name=op.f("uq_settlements_lines_charge_id_kind")),
        sa.UniqueConstraint("dispute_id", name=op.f("uq_settlements_lines_dispute_id")),
        sa.CheckConstraint(
            "kind IN ('sale', 'taken_back', 'other', 'correction', 'carried')",
            name=op.f("ck_settlements_lines_kind_known"),
        ),
        sa.CheckConstraint(
            "(kind = 'correction') = (dispute_id IS NOT NULL)", name=op.f("ck_settlements_lines_correction_of_dispute")
        ),
    )


def _create_disputes() -> None:
    op.create_table(
        "settlements_disputes",
        sa.Column("dispute_id", BigId, primary_key=True),
        sa.Column("settlement_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("raised_at", UtcDateTime, nullable=False),
        sa.Column("raised_by", sa.String(64), nullable=False),
        sa.Column("answer", sa.String(16)),
        sa.Column("note", sa.String(500)),
        sa.Column("correct_fen", sa.BigInteger),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("answered_by", sa.String(64)),
        sa.ForeignKeyConstraint(
            ["settlement_id", "number"],
            ["settlements_lines.settlement_id", "settlements_lines.number"],
            name=op.f("fk_settlements_disputes_settlement_id_number"),
        ),
        sa.UniqueConstraint("settlement_id", "number", name=op.f("uq_settlements_disputes_settlement_id_number")),
        sa.CheckConstraint("answer IN ('corrected', 'explained')", name=op.f("ck_settlements_disputes_answer_known")),
        sa.CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)",
            name=op.f("ck_settlements_disputes_answer_whole"),
        ),
        sa.CheckConstraint(
            "(coalesce(answer, '') = 'corrected') = (correct_fen IS NOT NULL)",
            name=op.f("ck_settlements_disputes_corrected_by"),
        ),
    )


def _create_budget() -> None:
    op.create_table(
        "settlements_pledges",
        sa.Column("pledge_id", BigId, primary_key=True),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("donor", sa.String(100), nullable=False),
        sa.Column("fen", sa.BigInteger, nullable=False),
        sa.Column("pledged_on", sa.Date, nullable=False),
        sa.Column("noted_at", UtcDateTime, nullable=False),
        sa.Column("noted_by", sa.String(64), nullable=False),
        sa.CheckConstraint("fen <> 0", name=op.f("ck_settlements_pledges_fen_something")),
    )
    op.create_index("ix_settlements_pledges_book_id", "settlements_pledges", ["book_id"])
    op.create_table(
        "settlements_reference_costs",
        sa.Column("book_id", sa.BigInteger, primary_key=True),
        sa.Column("from_on", sa.Date, primary_key=True),
        sa.Column("fen_per_hundred", sa.Integer, nullable=False),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.Column("set_by", sa.String(64), nullable=False),
        sa.CheckConstraint("fen_per_hundred >= 0", name=op.f("ck_settlements_reference_costs_cost_not_negative")),
    )


def _freeze(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION moralbank_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION moralbank_append_only()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only")
        return
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
