"""Refunds after the time for undoing, the supervisor of a shop, and refunds among what waits for a second person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0028_refunds"
down_revision = "0027_giving_up"

_R = "approvals_requests: {} check ck_approvals_requests_"
_NEW, _OLD, _C = _R.format("new:"), _R.format("no longer:"), "redemptions_charges: new: check "
_VARYING = "kind::text = ANY (ARRAY['reversal'::character varying, 'adjustment'::character varying{}]::text[])"
_OTHERS = "others_have_points: (kind{0} = 'reversal'{0}) = (points IS NULL)"
_ADJUSTED = "adjustment_has_points: (kind{0} = 'adjustment'{0}) = (points IS NOT NULL)"
#: Nothing that old code writes is refused: the checks admit one more kind, and bound a column that it doesn't know.
CONTRACTS = (
    f"{_NEW}kind_known: kind IN ('reversal', 'adjustment', 'refund')",
    f"{_OLD}kind_known: kind IN ('reversal', 'adjustment')",
    _NEW + "kind_known: " + _VARYING.format(", 'refund'::character varying"),
    f"{_OLD}kind_known: {_VARYING.format('')}",
    *(_NEW + _OTHERS.format(cast) for cast in ("", "::text")),
    *(_OLD + _ADJUSTED.format(cast) for cast in ("", "::text")),
    f"{_C}ck_redemptions_charges_refunded_within: refunded_points BETWEEN 0 AND points",
    f"{_C}ck_redemptions_charges_refunded_within: refunded_points >= 0 AND refunded_points <= points",
)

_CHECKS = (
    (
        "kind_known",
        "kind IN ('reversal', 'adjustment')",
        "kind_known",
        "kind IN ('reversal', 'adjustment', 'refund')",
    ),
    (
        "adjustment_has_points",
        "(kind = 'adjustment') = (points IS NOT NULL)",
        "others_have_points",
        "(kind = 'reversal') = (points IS NULL)",
    ),
)
_REFUNDED = "refunded_points BETWEEN 0 AND points"
_REFUNDED_NAME = "ck_redemptions_charges_refunded_within"
_ASKED = ("charge_id", "book_id", "points", "is_returned", "key", "asked_at", "asked_by", "request_id")
_DONE = ("number", "owed_fen", "entry_id", "refunded_at", "refunded_by", "checked_by")


def upgrade() -> None:
    _create_supervisors()
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        op.add_column(
            "redemptions_charges", sa.Column("refunded_points", sa.Integer, nullable=False, server_default="0")
        )
        op.create_check_constraint(op.f(_REFUNDED_NAME), "redemptions_charges", _REFUNDED)
        for old, _, new, condition in _CHECKS:
            op.drop_constraint(f"ck_approvals_requests_{old}", "approvals_requests")
            op.create_check_constraint(op.f(f"ck_approvals_requests_{new}"), "approvals_requests", condition)
    else:
        op.execute(
            "ALTER TABLE redemptions_charges ADD COLUMN refunded_points INTEGER DEFAULT '0' NOT NULL "
            f"CONSTRAINT {_REFUNDED_NAME} CHECK ({_REFUNDED})"
        )
        _rebuild_approvals()
    op.add_column("redemptions_charges", sa.Column("returned_at", UtcDateTime))
    _create_refunds()
    _guard(is_postgresql)


def _create_supervisors() -> None:
    op.create_table(
        "merchants_supervisors",
        sa.Column("merchant_id", sa.BigInteger, sa.ForeignKey("merchants_merchants.merchant_id"), primary_key=True),
        sa.Column("login_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("named_at", UtcDateTime, nullable=False),
    )


def _create_refunds() -> None:
    op.create_table(
        "redemptions_refunds",
        sa.Column("refund_id", BigId, primary_key=True),
        sa.Column("charge_id", sa.BigInteger, sa.ForeignKey("redemptions_charges.charge_id"), nullable=False),
        sa.Column("book_id", sa.BigInteger, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("is_returned", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("request_id", sa.BigInteger, sa.ForeignKey("approvals_requests.request_id")),
        sa.Column("number", sa.Integer),
        sa.Column("owed_fen", sa.Integer),
        sa.Column("entry_id", sa.Uuid),
        sa.Column("refunded_at", UtcDateTime),
        sa.Column("refunded_by", sa.String(64)),
        sa.Column("checked_by", sa.String(64)),
        sa.UniqueConstraint("charge_id", "key", name=op.f("uq_redemptions_refunds_charge_id_key")),
        sa.UniqueConstraint("charge_id", "number", name=op.f("uq_redemptions_refunds_charge_id_number")),
        sa.UniqueConstraint("book_id", "entry_id", name=op.f("uq_redemptions_refunds_book_id_entry_id")),
        sa.UniqueConstraint("request_id", name=op.f("uq_redemptions_refunds_request_id")),
        sa.CheckConstraint("points > 0", name=op.f("ck_redemptions_refunds_points_positive")),
        sa.CheckConstraint(
            "(refunded_at IS NULL) = (entry_id IS NULL) AND (refunded_at IS NULL) = (number IS NULL) "
            "AND (refunded_at IS NULL) = (owed_fen IS NULL) AND (refunded_at IS NULL) = (refunded_by IS NULL)",
            name=op.f("ck_redemptions_refunds_done_whole"),
        ),
        sa.CheckConstraint(
            "refunded_at IS NULL OR (request_id IS NULL) = (checked_by IS NULL)",
            name=op.f("ck_redemptions_refunds_checked_when_asked"),
        ),
    )
    op.create_index("ix_redemptions_refunds_refunded_at", "redemptions_refunds", ["refunded_at"])


def _rebuild_approvals() -> None:
    """Give the table of requests its new checks, made anew as SQLite can, with its rows and triggers."""
    tables = ("approvals_requests", "approvals_offsets")
    names = ", ".join(f"'{name}'" for name in tables)
    bind = op.get_bind()
    found = bind.execute(
        sa.text(f"SELECT type, name, sql FROM sqlite_master WHERE tbl_name IN ({names}) AND sql IS NOT NULL")
    ).all()
    made = {name: sql for kind, name, sql in found if kind == "table"}
    for old, was, new, condition in _CHECKS:
        before = f"CONSTRAINT ck_approvals_requests_{old} CHECK ({was})"
        assert before in made["approvals_requests"], "the table was made by 0023"
        after = f"CONSTRAINT ck_approvals_requests_{new} CHECK ({condition})"
        made["approvals_requests"] = made["approvals_requests"].replace(before, after)
    for table in tables:
        op.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
    for table in reversed(tables):
        op.execute(f"DROP TABLE {table}")
    for table in tables:
        op.execute(made[table])
        op.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        op.execute(f"DROP TABLE kept_{table}")
    for kind, _, sql in found:
        if kind != "table":
            op.execute(sql)


def _guard(is_postgresql: bool) -> None:
    """What was asked stays, what was given back is never changed, and no row goes; only the reason may be blanked."""
    unlike = "IS DISTINCT FROM" if is_postgresql else "IS NOT"
    asked = " OR ".join(f"NEW.{name} {unlike} OLD.{name}" for name in _ASKED)
    done = " OR ".join(f"NEW.{name} {unlike} OLD.{name}" for name in _DONE)
    condition = f"{asked} OR OLD.refunded_at IS NOT NULL AND ({done})"
    if is_postgresql:
        body = "FOR EACH ROW {when}EXECUTE FUNCTION approvals_stand()"
        when = f"WHEN ({condition}) "
    else:
        body = "{when}BEGIN SELECT RAISE(ABORT, 'what redemptions_refunds says stands'); END"
        when = f"WHEN {condition} "
    op.execute(
        f"CREATE TRIGGER redemptions_refunds_stand BEFORE UPDATE ON redemptions_refunds {body.format(when=when)}"
    )
    op.execute(
        f"CREATE TRIGGER redemptions_refunds_no_delete BEFORE DELETE ON redemptions_refunds {body.format(when='')}"
    )
