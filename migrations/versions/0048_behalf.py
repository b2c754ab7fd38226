"""Who may act for whom: family on one phone, and helpers with a login of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0048_behalf"
down_revision = "0047_findings"

_ROLES = "role IN ('resident', 'operator', 'staff', 'auditor', 'admin')"
_MORE_ROLES = "role IN ('resident', 'operator', 'helper', 'staff', 'auditor', 'admin')"
_G = "access_grants: {} check role_known: {}"
_ANY = (
    "role::text = ANY (ARRAY['resident'::character varying, 'operator'::character varying, {}"
    "'staff'::character varying, 'auditor'::character varying, 'admin'::character varying]::text[])"
)
#: Nothing that old code writes is refused: the check admits one more role.
CONTRACTS = (
    _G.format("no longer:", _ROLES),
    _G.format("new:", _MORE_ROLES),
    _G.format("no longer:", _ANY.format("")),
    _G.format("new:", _ANY.format("'helper'::character varying, ")),
)


def upgrade() -> None:
    _widen_roles()
    _create_links()
    op.create_table(
        "behalf_words",
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )
    op.add_column("redemptions_codes", sa.Column("link_id", sa.BigInteger))
    op.add_column("redemptions_charges", sa.Column("link_id", sa.BigInteger))


def _create_links() -> None:
    op.create_table(
        "behalf_links",
        sa.Column("link_id", BigId, primary_key=True),
        sa.Column("kind", sa.String(6), nullable=False),
        sa.Column("login_id", BigId, nullable=False),
        sa.Column("actor_resident_id", sa.BigInteger),
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
        sa.Column("may_check_in", sa.Boolean, nullable=False),
        sa.Column("may_pay", sa.Boolean, nullable=False),
        sa.Column("may_read", sa.Boolean, nullable=False),
        sa.Column("points_per_charge_max", sa.Integer),
        sa.Column("points_per_day_max", sa.Integer),
        sa.Column("points_per_month_max", sa.Integer),
        sa.Column("basis", sa.String(8), nullable=False),
        sa.Column("agreed_on", sa.Date, nullable=False),
        sa.Column("agreed_note", sa.String(200), nullable=False),
        sa.Column("until_on", sa.Date),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("ended_by", sa.String(64)),
        sa.CheckConstraint("kind IN ('family', 'helper')", name=op.f("ck_behalf_links_kind_known")),
        sa.CheckConstraint("basis IN ('pin', 'word', 'guardian', 'paper')", name=op.f("ck_behalf_links_basis_known")),
        sa.CheckConstraint("may_check_in OR may_pay OR may_read", name=op.f("ck_behalf_links_scope_not_empty")),
        sa.CheckConstraint("(kind = 'helper') = (until_on IS NOT NULL)", name=op.f("ck_behalf_links_helper_until")),
        sa.CheckConstraint(
            "(kind = 'helper') = (points_per_charge_max IS NOT NULL) "
            "AND (kind = 'helper') = (points_per_day_max IS NOT NULL) "
            "AND (kind = 'helper') = (points_per_month_max IS NOT NULL)",
            name=op.f("ck_behalf_links_helper_limits"),
        ),
        sa.CheckConstraint(
            "kind = 'helper' OR actor_resident_id IS NOT NULL", name=op.f("ck_behalf_links_family_is_resident")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_behalf_links_ended_whole")),
    )
    op.create_index(op.f("ix_behalf_links_login_id"), "behalf_links", ["login_id"])
    op.create_index(op.f("ix_behalf_links_resident_id"), "behalf_links", ["resident_id"])
    standing = sa.text("ended_at IS NULL")
    op.create_index(
        op.f("uq_behalf_links_one_standing"),
        "behalf_links",
        ["login_id", "resident_id"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )


def _widen_roles() -> None:
    """Let a login have the new role; on SQLite in its own copy of the table's text, as with late entries."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("role_known", "access_grants", type_="check")
        op.create_check_constraint("role_known", "access_grants", _MORE_ROLES)
        return
    op.execute("PRAGMA writable_schema=ON")
    text = sa.text(
        "UPDATE sqlite_master SET sql = replace(sql, :before, :after) WHERE type = 'table' AND name = 'access_grants'"
    )
    op.get_bind().execute(text, {"before": _ROLES, "after": _MORE_ROLES})
    op.execute("PRAGMA writable_schema=RESET")
