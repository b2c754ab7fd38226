"""Sessions in somebody's home: who is helped, what they confirmed, and ratings that tell of nobody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0038_helped"
down_revision = "0037_record_facts"

_MODES = "checkin_mode IN ('rotating', 'poster', 'desk')"
_MORE_MODES = "checkin_mode IN ('rotating', 'poster', 'desk', 'beneficiary')"
_A = "activities_activities: {} check ck_activities_activities_mode_known: {}"
_ANY = (
    "checkin_mode::text = ANY (ARRAY['rotating'::character varying, 'poster'::character varying, "
    "'desk'::character varying{}]::text[])"
)
#: Nothing that old code writes is refused: the check admits one more mode.
CONTRACTS = (
    _A.format("no longer:", _MODES),
    _A.format("new:", _MORE_MODES),
    _A.format("no longer:", _ANY.format("")),
    _A.format("new:", _ANY.format(", 'beneficiary'::character varying")),
)


def upgrade() -> None:
    _widen_modes()
    op.create_table(
        "activities_helped",
        sa.Column("helped_id", BigId, primary_key=True),
        sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id")),
        sa.Column("label", sa.String(50), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.UniqueConstraint("secret_hash", name="uq_activities_helped_secret_hash"),
        sa.UniqueConstraint("session_id", "number", name="uq_activities_helped_session_id_number"),
        sa.CheckConstraint("number BETWEEN 1 AND 255", name="ck_activities_helped_number_one_byte"),
    )
    op.create_index("ix_activities_helped_resident_id", "activities_helped", ["resident_id"])
    op.create_table(
        "activities_helped_confirms",
        sa.Column("checkin_id", BigId, sa.ForeignKey("activities_checkins.checkin_id"), primary_key=True),
        sa.Column("confirmed_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "activities_ratings",
        sa.Column("activity_id", BigId, sa.ForeignKey("activities_activities.activity_id"), primary_key=True),
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("rating", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.CheckConstraint("rating BETWEEN 1 AND 3", name="ck_activities_ratings_rating_known"),
        sa.CheckConstraint("times > 0", name="ck_activities_ratings_times_positive"),
    )


def _widen_modes() -> None:
    """Let an activity have the new mode; on SQLite in its own copy of the table's text, as with late entries."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("ck_activities_activities_mode_known", "activities_activities", type_="check")
        op.create_check_constraint("ck_activities_activities_mode_known", "activities_activities", _MORE_MODES)
        return
    op.execute("PRAGMA writable_schema=ON")
    text = sa.text(
        "UPDATE sqlite_master SET sql = replace(sql, :before, :after) "
        "WHERE type = 'table' AND name = 'activities_activities'"
    )
    op.get_bind().execute(text, {"before": _MODES, "after": _MORE_MODES})
    op.execute("PRAGMA writable_schema=RESET")
