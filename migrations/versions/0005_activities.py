"""Tables of activities: sessions, sign-ups, receipts of scans, check-ins, awards, posters, keys of codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0005_activities"
down_revision = "0004_earning"


def upgrade() -> None:
    """Create the tables, each after those it points at."""
    _activities()
    _sessions()
    _signups()
    _receipts()
    _checkins()
    _awards()
    _posters()
    _qr_keys()


def _activities() -> None:
    op.create_table(
        "activities_activities",
        sa.Column("activity_id", BigId, nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("rule_code", sa.String(16), nullable=False),
        sa.Column("branch_id", BigId, nullable=False),
        sa.Column("place", sa.String(100), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("leader_login_id", sa.BigInteger),
        sa.Column("leader_resident_id", BigId),
        sa.Column("capacity", sa.Integer),
        sa.Column("checkin_mode", sa.String(16), nullable=False),
        sa.Column("needs_signup", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.CheckConstraint(
            "checkin_mode IN ('rotating', 'poster', 'desk')", name="ck_activities_activities_mode_known"
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'published', 'cancelled', 'closed')",
            name="ck_activities_activities_status_known",
        ),
        sa.CheckConstraint("capacity > 0", name="ck_activities_activities_capacity_positive"),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branches_branches.branch_id"], name="fk_activities_activities_branch_id"
        ),
        sa.ForeignKeyConstraint(
            ["leader_resident_id"],
            ["residents_residents.resident_id"],
            name="fk_activities_activities_leader_resident_id",
        ),
        sa.PrimaryKeyConstraint("activity_id", name="pk_activities_activities"),
        sa.UniqueConstraint("code", name="uq_activities_activities_code"),
    )
    op.create_index("ix_activities_activities_branch_id", "activities_activities", ["branch_id"])


def _sessions() -> None:
    op.create_table(
        "activities_sessions",
        sa.Column("session_id", BigId, nullable=False),
        sa.Column("activity_id", BigId, nullable=False),
        sa.Column("starts_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("in_before_minutes", sa.Integer, nullable=False),
        sa.Column("in_after_minutes", sa.Integer, nullable=False),
        sa.Column("out_before_minutes", sa.Integer, nullable=False),
        sa.Column("out_after_minutes", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("head_count", sa.Integer),
        sa.Column("signed_off_by", sa.String(64)),
        sa.Column("signed_off_at", UtcDateTime),
        sa.CheckConstraint(
            "(state = 'signed_off') = (signed_off_at IS NOT NULL)",
            name="ck_activities_sessions_signed_off_whole",
        ),
        sa.CheckConstraint("state IN ('open', 'signed_off', 'cancelled')", name="ck_activities_sessions_state_known"),
        sa.CheckConstraint("ends_at > starts_at", name="ck_activities_sessions_ends_after_start"),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activities_activities.activity_id"], name="fk_activities_sessions_activity_id"
        ),
        sa.PrimaryKeyConstraint("session_id", name="pk_activities_sessions"),
        sa.UniqueConstraint("activity_id", "starts_at", name="uq_activities_sessions_activity_id_starts_at"),
    )
    op.create_index("ix_activities_sessions_activity_id", "activities_sessions", ["activity_id"])
    op.create_index("ix_activities_sessions_starts_at", "activities_sessions", ["starts_at"])


def _signups() -> None:
    op.create_table(
        "activities_signups",
        sa.Column("signup_id", BigId, nullable=False),
        sa.Column("session_id", BigId, nullable=False),
        sa.Column("resident_id", BigId, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("signed_up_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("state IN ('going', 'waiting', 'cancelled')", name="ck_activities_signups_state_known"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_activities_signups_resident_id"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["activities_sessions.session_id"], name="fk_activities_signups_session_id"
        ),
        sa.PrimaryKeyConstraint("signup_id", name="pk_activities_signups"),
        sa.UniqueConstraint("session_id", "resident_id", name="uq_activities_signups_session_id_resident_id"),
    )
    op.create_index("ix_activities_signups_resident_id", "activities_signups", ["resident_id"])


def _receipts() -> None:
    op.create_table(
        "activities_receipts",
        sa.Column("receipt_id", sa.String(64), nullable=False),
        sa.Column("session_id", BigId, nullable=False),
        sa.Column("station", sa.Integer, nullable=False),
        sa.Column("direction", sa.String(3)),
        sa.Column("means", sa.String(16), nullable=False),
        sa.Column("scanned_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("used_by", sa.BigInteger),
        sa.ForeignKeyConstraint(
            ["session_id"], ["activities_sessions.session_id"], name="fk_activities_receipts_session_id"
        ),
        sa.PrimaryKeyConstraint("receipt_id", name="pk_activities_receipts"),
    )
    op.create_index("ix_activities_receipts_expires_at", "activities_receipts", ["expires_at"])


def _checkins() -> None:
    op.create_table(
        "activities_checkins",
        sa.Column("checkin_id", BigId, nullable=False),
        sa.Column("session_id", BigId, nullable=False),
        sa.Column("resident_id", BigId, nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("visit_no", sa.Integer, nullable=False),
        sa.Column("nonce", sa.String(100), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.Column("means", sa.String(16), nullable=False),
        sa.Column("pending", sa.Boolean, nullable=False),
        sa.Column("doubt", sa.String(16)),
        sa.Column("reason", sa.String(200)),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64)),
        sa.Column("station", sa.Integer, nullable=False),
        sa.Column("undone_at", UtcDateTime),
        sa.Column("undone_by", sa.String(64)),
        sa.CheckConstraint("direction IN ('in', 'out')", name="ck_activities_checkins_direction_known"),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="ck_activities_checkins_undone_whole"),
        sa.CheckConstraint("visit_no > 0", name="ck_activities_checkins_visit_from_one"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_activities_checkins_resident_id"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["activities_sessions.session_id"], name="fk_activities_checkins_session_id"
        ),
        sa.PrimaryKeyConstraint("checkin_id", name="pk_activities_checkins"),
        sa.UniqueConstraint("nonce", name="uq_activities_checkins_nonce"),
    )
    op.create_index("ix_activities_checkins_resident_id", "activities_checkins", ["resident_id"])
    op.create_index("ix_activities_checkins_session_id_device", "activities_checkins", ["session_id", "device"])
    op.create_index(
        "uq_activities_checkins_one_scan",
        "activities_checkins",
        ["session_id", "resident_id", "direction", "visit_no"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )


def _awards() -> None:
    op.create_table(
        "activities_awards",
        sa.Column("award_id", BigId, nullable=False),
        sa.Column("session_id", BigId, nullable=False),
        sa.Column("resident_id", BigId, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rule_code", sa.String(16), nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("occurred_on", sa.Date, nullable=False),
        sa.Column("grade", sa.String(1), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("capped_by", sa.String(200), nullable=False),
        sa.Column("review", sa.Boolean, nullable=False),
        sa.Column("entry_id", sa.Uuid),
        sa.Column("counted_times", sa.Integer, nullable=False),
        sa.Column("surplus_points", sa.BigInteger, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("present_minutes", sa.BigInteger, nullable=False),
        sa.Column("counted_minutes", sa.BigInteger, nullable=False),
        sa.Column("service_minutes", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["residents_residents.resident_id"], name="fk_activities_awards_resident_id"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["activities_sessions.session_id"], name="fk_activities_awards_session_id"
        ),
        sa.PrimaryKeyConstraint("award_id", name="pk_activities_awards"),
        sa.UniqueConstraint(
            "session_id", "resident_id", "kind", name="uq_activities_awards_session_id_resident_id_kind"
        ),
    )
    op.create_index("ix_activities_awards_resident_id_occurred_on", "activities_awards", ["resident_id", "occurred_on"])


def _posters() -> None:
    op.create_table(
        "activities_posters",
        sa.Column("serial", BigId, nullable=False),
        sa.Column("session_id", BigId, nullable=False),
        sa.Column("printed_at", UtcDateTime, nullable=False),
        sa.Column("printed_by", sa.String(64), nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", sa.String(64)),
        sa.ForeignKeyConstraint(
            ["session_id"], ["activities_sessions.session_id"], name="fk_activities_posters_session_id"
        ),
        sa.PrimaryKeyConstraint("serial", name="pk_activities_posters"),
    )
    op.create_index("ix_activities_posters_session_id", "activities_posters", ["session_id"])


def _qr_keys() -> None:
    op.create_table(
        "activities_qr_keys",
        sa.Column("kid", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("retired_at", UtcDateTime),
        sa.CheckConstraint("kid BETWEEN 0 AND 255", name="ck_activities_qr_keys_kid_one_byte"),
        sa.PrimaryKeyConstraint("kid", name="pk_activities_qr_keys"),
    )
