"""Tables of acting for somebody: who may, on what grounds, until when; and one-time words of consent."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

links = sa.Table(
    "behalf_links",
    metadata,
    sa.Column("link_id", BigId, primary_key=True),
    #: family or helper.
    sa.Column("kind", sa.String(6), nullable=False),
    #: Who acts, by its number alone, since a forgotten person's login goes; NULL: a helper who is no resident.
    sa.Column("login_id", BigId, nullable=False),
    sa.Column("actor_resident_id", sa.BigInteger),
    #: For whom.
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    sa.Column("may_check_in", sa.Boolean, nullable=False),
    sa.Column("may_pay", sa.Boolean, nullable=False),
    sa.Column("may_read", sa.Boolean, nullable=False),
    #: Of helpers alone; family spends within the person's own limits.
    sa.Column("points_per_charge_max", sa.Integer),
    sa.Column("points_per_day_max", sa.Integer),
    sa.Column("points_per_month_max", sa.Integer),
    #: pin, word, guardian or paper: by what the person agreed, when, and where that is written.
    sa.Column("basis", sa.String(8), nullable=False),
    sa.Column("agreed_on", sa.Date, nullable=False),
    sa.Column("agreed_note", sa.String(200), nullable=False),
    #: The last day; NULL for family.
    sa.Column("until_on", sa.Date),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("made_by", sa.String(64), nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("ended_by", sa.String(64)),
    sa.CheckConstraint("kind IN ('family', 'helper')", name="kind_known"),
    sa.CheckConstraint("basis IN ('pin', 'word', 'guardian', 'paper')", name="basis_known"),
    sa.CheckConstraint("may_check_in OR may_pay OR may_read", name="scope_not_empty"),
    sa.CheckConstraint("(kind = 'helper') = (until_on IS NOT NULL)", name="helper_until"),
    sa.CheckConstraint(
        "(kind = 'helper') = (points_per_charge_max IS NOT NULL) "
        "AND (kind = 'helper') = (points_per_day_max IS NOT NULL) "
        "AND (kind = 'helper') = (points_per_month_max IS NOT NULL)",
        name="helper_limits",
    ),
    sa.CheckConstraint("kind = 'helper' OR actor_resident_id IS NOT NULL", name="family_is_resident"),
    sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_whole"),
    sa.Index("ix_behalf_links_login_id", "login_id"),
    sa.Index("ix_behalf_links_resident_id", "resident_id"),
)
#: One standing link of a login for a person, however many ended ones.
sa.Index(
    "uq_behalf_links_one_standing",
    links.c.login_id,
    links.c.resident_id,
    unique=True,
    sqlite_where=links.c.ended_at.is_(None),
    postgresql_where=links.c.ended_at.is_(None),
)

#: Six digits by which somebody agrees on another's phone; the newest of a person is the one that is good.
words = sa.Table(
    "behalf_words",
    metadata,
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)
