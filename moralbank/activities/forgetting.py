"""Takes away what activities hold of a person who is forgotten: coming sign-ups, reasons and devices of scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities.late_queries import count_open
from moralbank.activities.models import (
    activities,
    awards,
    checkins,
    device_scans,
    feeds,
    helped,
    late_entries,
    receipts,
    sessions,
    signups,
    spot_answers,
)
from moralbank.activities.service import cancel_sign_up
from moralbank.activities.values import State, Status


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What must be finished first: sessions that wait for their sign-off, activities that the person leads."""

    #: Late entries that wait, too.
    sessions: int
    led: int


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was taken away."""

    signups: int
    scans: int


def unfinished(db: Connection, resident_id: int) -> Unfinished:
    """Count what would give a forgotten person points, or leave people without a leader."""
    scanned = (
        sa.select(sa.func.count(sa.distinct(checkins.c.session_id)))
        .join(sessions, sessions.c.session_id == checkins.c.session_id)
        .where(checkins.c.resident_id == resident_id, checkins.c.undone_at.is_(None), sessions.c.state == State.OPEN)
    )
    led = (
        sa.select(sa.func.count(sa.distinct(activities.c.activity_id)))
        .join(sessions, sessions.c.activity_id == activities.c.activity_id)
        .where(activities.c.leader_resident_id == resident_id, sessions.c.state == State.OPEN)
        .where(activities.c.status.in_((Status.DRAFT, Status.PUBLISHED)))
    )
    waiting = db.execute(scanned).scalar_one() + count_open(db, resident_id)
    return Unfinished(waiting, db.execute(led).scalar_one())


def forget_attendance(db: Connection, resident_id: int) -> Removed:
    """Cancel what was to come and empty what was written beside scans; that somebody was there stays, by number."""
    coming = (
        sa.select(signups.c.session_id)
        .join(sessions, sessions.c.session_id == signups.c.session_id)
        .join(activities, activities.c.activity_id == sessions.c.activity_id)
        .where(signups.c.resident_id == resident_id, signups.c.state != "cancelled")
        .where(sessions.c.state == State.OPEN, sessions.c.starts_at > clock.now())
        .where(activities.c.status == Status.PUBLISHED)
        .order_by(signups.c.session_id)
    )
    cancelled = list(db.execute(coming).scalars())
    for session_id in cancelled:
        cancel_sign_up(db, session_id, resident_id)
    theirs = checkins.c.resident_id == resident_id
    scans = db.execute(checkins.update().where(theirs).values(reason=None, device=None)).rowcount
    kept = device_scans.update().where(device_scans.c.resident_id == resident_id)
    # Nobody is left whom staff could ask.
    decided = {"state": "dismissed", "decided_by": "system", "decided_at": clock.now()}
    db.execute(kept.where(device_scans.c.state == "review").values(decided))
    db.execute(kept.values(reason=None, code=None))
    db.execute(spot_answers.update().where(spot_answers.c.resident_id == resident_id).values(device=None))
    theirs_helped = helped.update().where(helped.c.resident_id == resident_id, helped.c.revoked_at.is_(None))
    db.execute(theirs_helped.values(revoked_at=clock.now()))
    entered = late_entries.update().where(late_entries.c.resident_id == resident_id)
    db.execute(entered.values(evidence="", note=None))
    db.execute(receipts.delete().where(receipts.c.used_by == resident_id))
    db.execute(feeds.delete().where(feeds.c.resident_id == resident_id))
    leads = activities.c.leader_resident_id == resident_id
    db.execute(activities.update().where(leads).values(leader_resident_id=None))
    return Removed(len(cancelled), scans)


def list_attendance(db: Connection, resident_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return all sign-ups, scans and awards of a person, and where they were helped, for the copy of their data."""
    found = {}
    tables = {
        "signups": signups,
        "scans": checkins,
        "kept_scans": device_scans,
        "late_entries": late_entries,
        "awards": awards,
        "helped": helped,
        "spot_answers": spot_answers,
    }
    for name, table in tables.items():
        # What opens a page is no data about somebody.
        told = [column for column in table.c if column.name != "secret_hash"]
        query = sa.select(*told).where(table.c.resident_id == resident_id).order_by(*table.primary_key)
        found[name] = [dict(row) for row in db.execute(query).mappings()]
    return found
