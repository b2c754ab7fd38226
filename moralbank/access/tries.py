"""Counts tries to come in, before they are judged, so that many at once gain nobody a guess."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.errors import Locked, TooManyRequests
from moralbank.access.models import access_tries
from moralbank.db import insert_for

WRONG_PER_IDENTIFIER = 5
FIRST_LOCK = timedelta(minutes=15)
#: 15 minutes doubled seven times is more than a day; longer would only punish the owner.
LOCKS_MAX = 7
WRONG_PER_ADDRESS = 30
#: Of a form that gives nothing away, so that a whole street behind one address may use it.
REQUESTS_PER_ADDRESS = 120
ADDRESS_WINDOW = timedelta(minutes=10)
FORGET_AFTER = timedelta(days=2)


def begin_try(db: Connection, identifier: str, address: str) -> None:
    """Count a try as wrong until `end_try` says it was right.

    Raises (in the order checked): Locked.
    """
    now = clock.now()
    _count_identifier(db, _key("name", identifier), now)
    _count_address(db, _key("address", address), now)


def count_request(db: Connection, form: str, address: str) -> None:
    """Count a request to a form that anybody may send. Raises: TooManyRequests."""
    now = clock.now()
    key = _key(form, address)
    row = _locked_row(db, key, now)
    started, count = row.window_started_at, row.failures
    if started + ADDRESS_WINDOW <= now:
        started, count = now, 0
    elif count >= REQUESTS_PER_ADDRESS:
        raise TooManyRequests(seconds=ceil((started + ADDRESS_WINDOW - now).total_seconds()))
    values = {"failures": count + 1, "window_started_at": started}
    db.execute(access_tries.update().where(access_tries.c.key == key).values(values))


def end_try(db: Connection, identifier: str, address: str) -> None:
    """Take a try back that was right: the identifier is as new, the address has one wrong try fewer."""
    now = clock.now()
    db.execute(access_tries.delete().where(access_tries.c.key == _key("name", identifier)))
    db.execute(
        access_tries.update()
        .where(access_tries.c.key == _key("address", address), access_tries.c.failures > 0)
        .values(failures=access_tries.c.failures - 1, locked_until_at=None)
    )
    is_over = sa.or_(access_tries.c.locked_until_at.is_(None), access_tries.c.locked_until_at < now)
    db.execute(access_tries.delete().where(access_tries.c.window_started_at < now - FORGET_AFTER, is_over))


def forgive(db: Connection, identifier: str) -> None:
    """Unlock an identifier, when its secret was reset by somebody who may."""
    db.execute(access_tries.delete().where(access_tries.c.key == _key("name", identifier)))


def _count_identifier(db: Connection, key: str, now: datetime) -> None:
    row = _locked_row(db, key, now)
    failures, locks, until = row.failures, row.locks, row.locked_until_at
    if until is not None:
        if until > now:
            raise _locked(until, now)
        failures, until = 0, None
    failures += 1
    if failures >= WRONG_PER_IDENTIFIER:
        until = now + FIRST_LOCK * 2 ** min(locks, LOCKS_MAX)
        locks += 1
    values = {"failures": failures, "locks": locks, "locked_until_at": until}
    db.execute(access_tries.update().where(access_tries.c.key == key).values(values))


def _count_address(db: Connection, key: str, now: datetime) -> None:
    row = _locked_row(db, key, now)
    failures, started = row.failures, row.window_started_at
    if started + ADDRESS_WINDOW <= now:
        failures, started = 0, now
    elif failures >= WRONG_PER_ADDRESS:
        raise _locked(started + ADDRESS_WINDOW, now)
    values = {"failures": failures + 1, "window_started_at": started}
    db.execute(access_tries.update().where(access_tries.c.key == key).values(values))


def _locked_row(db: Connection, key: str, now: datetime) -> sa.Row[tuple[object, ...]]:
    """Return the key's row, held against other tries until this one is counted."""
    fresh = {"key": key, "failures": 0, "window_started_at": now, "locks": 0, "locked_until_at": None}
    db.execute(insert_for(db, access_tries).values(fresh).on_conflict_do_nothing())
    return db.execute(sa.select(access_tries).where(access_tries.c.key == key).with_for_update()).one()


def _locked(until: datetime, now: datetime) -> Locked:
    seconds = ceil((until - now).total_seconds())
    return Locked(minutes=ceil(seconds / 60), seconds=seconds)


def _key(kind: str, value: str) -> str:
    return sha256(f"{kind}:{value.strip().casefold()}".encode()).hexdigest()
