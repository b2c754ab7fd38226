"""Phones of the desk, and the scans that they kept while there was no network."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from moralbank.db import BigId, UtcDateTime

revision = "0024_offline"
down_revision = "0023_approvals"


def upgrade() -> None:
    op.create_table(
        "activities_devices",
        sa.Column("device_id", BigId, primary_key=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
        sa.Column("registered_at", UtcDateTime, nullable=False),
        sa.Column("registered_by", sa.String(64), nullable=False),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("revoked_by", sa.String(64)),
        sa.UniqueConstraint("public_key", name=op.f("uq_activities_devices_public_key")),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_activities_devices_revoked_whole")
        ),
    )
    op.create_index(op.f("ix_activities_devices_branch_id"), "activities_devices", ["branch_id"])
    op.create_table(
        "activities_device_scans",
        sa.Column("scan_id", BigId, primary_key=True),
        sa.Column("nonce", sa.String(36), nullable=False),
        sa.Column("device_id", BigId, sa.ForeignKey("activities_devices.device_id"), nullable=False),
        sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
        sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id")),
        sa.Column("code", sa.String(40)),
        sa.Column("direction", sa.String(3)),
        sa.Column("device_time", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("means", sa.String(16), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(16)),
        sa.Column("checkin_id", BigId, sa.ForeignKey("activities_checkins.checkin_id")),
        sa.Column("uploaded_by", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", UtcDateTime),
        sa.UniqueConstraint("nonce", name=op.f("uq_activities_device_scans_nonce")),
        sa.CheckConstraint(
            "state IN ('counted', 'already', 'review', 'accepted', 'dismissed')",
            name=op.f("ck_activities_device_scans_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'review') = (cause IS NOT NULL AND decided_at IS NULL)",
            name=op.f("ck_activities_device_scans_review_whole"),
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL)", name=op.f("ck_activities_device_scans_decided_whole")
        ),
    )
    op.create_index(op.f("ix_activities_device_scans_resident_id"), "activities_device_scans", ["resident_id"])
    op.create_index(op.f("ix_activities_device_scans_checkin_id"), "activities_device_scans", ["checkin_id"])
    op.create_index("ix_activities_device_scans_session_id_state", "activities_device_scans", ["session_id", "state"])
    op.create_index("ix_activities_device_scans_device_id_seq", "activities_device_scans", ["device_id", "seq"])
