"""Calendars of sessions: a branch's for anybody, and a resident's own behind a secret address that they can change.

Source: RFC 5545 (the file), RFC 7986 (its name and how often it is worth fetching).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids
from moralbank.activities.models import feeds
from moralbank.activities.queries import list_of_branches, list_signed_up
from moralbank.activities.values import Session, State, Status
from moralbank.db import insert_for

#: A calendar keeps what is over for a while, so that it doesn't vanish from the phone overnight.
PAST = timedelta(days=31)
_REFRESH = timedelta(hours=3)


def spell(name: str, host: str, sessions: Iterable[Session], url_of: dict[int, str]) -> bytes:
    """Return the sessions as an iCalendar file; a cancelled one says so, since just leaving it out would not be seen.

    url_of: the page of each activity, by its id.
    """
    from icalendar import Calendar, Event  # Here, because a start need not wait for what a calendar needs.

    calendar = Calendar()
    calendar.add("prodid", "-//moralbank//calendar//ZH")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    for session in sessions:
        activity, event = session.activity, Event()
        event.add("uid", f"session-{session.session_id}@{host}")
        event.add("dtstamp", clock.now())
        event.add("dtstart", session.starts_at)
        event.add("dtend", session.ends_at)
        event.add("summary", activity.title)
        event.add("location", activity.place)
        event.add("url", url_of[activity.activity_id])
        is_off = session.state is State.CANCELLED or activity.status is Status.CANCELLED
        event.add("status", "CANCELLED" if is_off else "CONFIRMED")
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def of_branches(db: Connection, branch_ids: Collection[int], now: datetime) -> list[Session]:
    """Return what a branch's calendar shows: what is announced there, and what was lately."""
    return list_of_branches(db, branch_ids, now - PAST)


def of_resident(db: Connection, resident_id: int, now: datetime) -> list[Session]:
    """Return what a resident's calendar shows: what they signed up for."""
    return list_signed_up(db, resident_id, now - PAST)


def make_address(db: Connection, resident_id: int) -> str:
    """Give a resident a secret for the address of their calendar and return it; one they had before is void."""
    secret = ids.token(24)
    row = {"resident_id": resident_id, "secret_hash": _hash(secret), "made_at": clock.now()}
    insert = insert_for(db, feeds).values(row)
    anew = {name: insert.excluded[name] for name in ("secret_hash", "made_at")}
    db.execute(insert.on_conflict_do_update(index_elements=["resident_id"], set_=anew))
    return secret


def drop_address(db: Connection, resident_id: int) -> None:
    """Let nobody read a resident's calendar any more."""
    db.execute(feeds.delete().where(feeds.c.resident_id == resident_id))


def find_owner(db: Connection, secret: str) -> int | None:
    """Return whose calendar the secret opens, or None."""
    owner: int | None = db.execute(sa.select(feeds.c.resident_id).where(feeds.c.secret_hash == _hash(secret))).scalar()
    return owner


def address_since(db: Connection, resident_id: int) -> datetime | None:
    """Return since when a resident's calendar has the address it has, or None where it has none."""
    since: datetime | None = db.execute(sa.select(feeds.c.made_at).where(feeds.c.resident_id == resident_id)).scalar()
    return since


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
