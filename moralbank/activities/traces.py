"""What scans and awards leave behind, as the auditor's patterns read it. Reads only; names come from elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.activities.models import activities, awards, checkins, sessions
from moralbank.activities.values import Means

TRACES_MAX = 20_000


@dataclass(frozen=True, slots=True)
class ScanTrace:
    session_id: int
    resident_id: int
    device: str | None
    is_poster: bool
    is_manual: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class AwardTrace:
    """scans: how many of them the resident's own phone made at the session."""

    entry_id: UUID
    session_id: int
    resident_id: int
    signed_by: str
    grade: str
    scans: int
    is_planned_time: bool


def list_scan_traces(db: Connection, branch_ids: Collection[int], since: datetime, until: datetime) -> list[ScanTrace]:
    """Return who checked in at the branches' sessions in a span of time, the latest where there are too many."""
    query = (
        sa.select(
            checkins.c.session_id,
            checkins.c.resident_id,
            checkins.c.device,
            checkins.c.means == Means.POSTER.value,
            checkins.c.reason.is_not(None),
            checkins.c.at,
        )
        .join(sessions, sessions.c.session_id == checkins.c.session_id)
        .join(activities, activities.c.activity_id == sessions.c.activity_id)
        .where(
            activities.c.branch_id.in_(branch_ids),
            checkins.c.at >= since,
            checkins.c.at < until,
            checkins.c.direction == "in",
            checkins.c.undone_at.is_(None),
        )
        .order_by(checkins.c.at.desc())
        .limit(TRACES_MAX)
    )
    return [ScanTrace(*row) for row in reversed(db.execute(query).all())]


def list_award_traces(
    db: Connection, branch_ids: Collection[int], since: datetime, until: datetime
) -> list[AwardTrace]:
    """Return what was awarded at the branches' sessions that began in a span of time."""
    scans = (
        sa.select(sa.func.count())
        .where(
            checkins.c.session_id == awards.c.session_id,
            checkins.c.resident_id == awards.c.resident_id,
            checkins.c.device.is_not(None),
        )
        .correlate(awards)
        .scalar_subquery()
    )
    query = (
        sa.select(
            awards.c.entry_id,
            awards.c.session_id,
            awards.c.resident_id,
            sa.func.coalesce(sessions.c.signed_off_by, ""),
            awards.c.grade,
            scans,
            awards.c.present_minutes,
            sessions.c.starts_at,
            sessions.c.ends_at,
        )
        .join(sessions, sessions.c.session_id == awards.c.session_id)
        .join(activities, activities.c.activity_id == sessions.c.activity_id)
        .where(
            activities.c.branch_id.in_(branch_ids),
            sessions.c.starts_at >= since,
            sessions.c.starts_at < until,
            awards.c.entry_id.is_not(None),
            awards.c.kind == "attendance",
        )
        .order_by(sessions.c.starts_at.desc(), awards.c.award_id.desc())
        .limit(TRACES_MAX)
    )
    return [
        AwardTrace(*row[:6], row.present_minutes == (row.ends_at - row.starts_at).total_seconds() // 60)
        for row in reversed(db.execute(query).all())
    ]
