"""Sessions in somebody's home: the one who is helped holds the code, says who came and went, and how it was.

Who that is stands here alone: no entry, no public page and no other resident's page tells of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ids
from moralbank.activities import queries
from moralbank.activities.errors import (
    HelpedRevoked,
    HelpedThemselves,
    NotHelpedHere,
    SessionOver,
    TooManyHelped,
    UnknownHelped,
    UnknownScan,
)
from moralbank.activities.models import checkins, helped, helped_confirms, ratings, sessions
from moralbank.activities.values import CheckIn, Direction, Means, Mode, State
from moralbank.db import insert_for

#: A code's byte for the station says who of a session's helped people holds it.
HELPED_MAX = 255
#: How long after the session the page of the helped person still opens.
PAGE_LIVES = timedelta(days=1)
#: How long the name of somebody who is no resident is kept after the session.
LABEL_LIVES = timedelta(days=30)
RATINGS = (1, 2, 3)
#: Fewer ratings than this say who gave them.
RATINGS_LEAST = 5


@dataclass(frozen=True, slots=True)
class Helped:
    """Somebody who is helped in a session; number tells them apart within it, and stands in their code."""

    helped_id: int
    session_id: int
    number: int
    #: None: no resident of the bank, whom staff calls by the label.
    resident_id: int | None
    label: str
    made_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Visit:
    """A scan of the helped person's code, as they see it, and whether they said that it is so."""

    scan: CheckIn
    is_confirmed: bool


def add_helped(
    db: Connection, session_id: int, *, resident_id: int | None = None, label: str = ""
) -> tuple[Helped, str]:
    """Write down who is helped in a session and return the secret of their page, which is shown once.

    Raises (in the order checked): UnknownSession, SessionOver, NotHelpedHere, TooManyHelped.
    """
    session = queries.lock_session(db, session_id)
    if session.state is not State.OPEN:
        raise SessionOver()
    if session.activity.mode is not Mode.BENEFICIARY:
        raise NotHelpedHere()
    before = list_helped(db, session_id)
    number = max((one.number for one in before), default=0) + 1
    if number > HELPED_MAX:
        raise TooManyHelped(most=HELPED_MAX)
    secret = ids.token(24)
    row = {
        "session_id": session_id,
        "number": number,
        "resident_id": resident_id,
        "label": label,
        "secret_hash": _hash(secret),
        "made_at": clock.now(),
    }
    made = db.execute(helped.insert().values(row).returning(helped.c.helped_id)).scalar_one()
    return get_helped(db, session_id, made), secret


def renew_secret(db: Connection, session_id: int, helped_id: int) -> str:
    """Give the page a new address, which is shown once; the old one opens nothing any more.

    Raises (in the order checked): UnknownHelped, HelpedRevoked: the card that was printed would be good again.
    """
    get_helped(db, session_id, helped_id)
    secret = ids.token(24)
    mine = helped.update().where(helped.c.helped_id == helped_id, helped.c.revoked_at.is_(None))
    if not db.execute(mine.values(secret_hash=_hash(secret))).rowcount:
        raise HelpedRevoked()
    return secret


def revoke(db: Connection, session_id: int, helped_id: int) -> None:
    """Make page and card worthless; what was confirmed stays. Raises: UnknownHelped."""
    get_helped(db, session_id, helped_id)
    standing = (helped.c.helped_id == helped_id) & helped.c.revoked_at.is_(None)
    db.execute(helped.update().where(standing).values(revoked_at=clock.now()))


def get_helped(db: Connection, session_id: int, helped_id: int) -> Helped:
    """Return somebody who is helped in a session. Raises: UnknownHelped."""
    found = find_helped(db, helped_id)
    if found is None or found.session_id != session_id:
        raise UnknownHelped()
    return found


def find_helped(db: Connection, helped_id: int) -> Helped | None:
    """Return somebody who is helped, their code revoked or not, or None."""
    row = db.execute(_HELPED.where(helped.c.helped_id == helped_id)).first()
    return None if row is None else Helped(*row)


def find_by_number(db: Connection, session_id: int, number: int) -> Helped | None:
    """Return who holds the codes of this number in a session, or None."""
    row = db.execute(_HELPED.where(helped.c.session_id == session_id, helped.c.number == number)).first()
    return None if row is None else Helped(*row)


def find_by_secret(db: Connection, secret: str) -> Helped | None:
    """Return whose page this secret opens, until a day after the session, or None."""
    opened = sa.and_(helped.c.secret_hash == _hash(secret), helped.c.revoked_at.is_(None))
    query = _HELPED.join(sessions, sessions.c.session_id == helped.c.session_id).where(
        opened, sessions.c.ends_at > clock.now() - PAGE_LIVES
    )
    row = db.execute(query).first()
    return None if row is None else Helped(*row)


def list_helped(db: Connection, session_id: int) -> list[Helped]:
    """List who is helped in a session, in the order of their numbers."""
    query = _HELPED.where(helped.c.session_id == session_id).order_by(helped.c.number)
    return [Helped(*row) for row in db.execute(query)]


def list_visits(db: Connection, one: Helped) -> list[Visit]:
    """List the scans of somebody's code, oldest first."""
    here = sa.and_(
        checkins.c.session_id == one.session_id,
        checkins.c.station == one.number,
        checkins.c.means.in_(_BY_HELPED),
        checkins.c.undone_at.is_(None),
    )
    query = sa.select(*queries.CHECKIN).where(here).order_by(checkins.c.checkin_id)
    scans = [queries.checkin_of(row) for row in db.execute(query)]
    confirmed = confirmed_scans(db, one.session_id)
    return [Visit(scan, scan.checkin_id in confirmed) for scan in scans]


def confirm(db: Connection, one: Helped, checkin_id: int, rating: int | None = None) -> None:
    """Let the helped person say that somebody came or went; twice is once, and only the first rating counts.

    rating: 1 (not content) to 3, with a check-out. It is only added up for the activity and month: no row says who
    gave it, or for whom.
    Raises (in the order checked): SessionOver, UnknownScan, HelpedThemselves.
    """
    session = queries.lock_session(db, one.session_id)
    if session.state is not State.OPEN:
        raise SessionOver()
    scan = queries.find_scan(db, checkin_id)
    if scan is None or (scan.session_id, scan.means in _BY_HELPED) != (one.session_id, True):
        raise UnknownScan()
    if checkin_id not in {visit.scan.checkin_id for visit in list_visits(db, one)}:
        raise UnknownScan()
    if scan.resident_id == one.resident_id:
        raise HelpedThemselves()
    row = {"checkin_id": checkin_id, "confirmed_at": clock.now()}
    new = insert_for(db, helped_confirms).values(row).on_conflict_do_nothing()
    is_first = db.execute(new.returning(helped_confirms.c.checkin_id)).first() is not None
    if is_first and rating in RATINGS and scan.direction is Direction.OUT:
        _rate(db, session.activity.activity_id, clock.local(session.starts_at).date().replace(day=1), rating)


def confirmed_scans(db: Connection, session_id: int) -> set[int]:
    """Return which scans of a session the helped person confirmed."""
    query = (
        sa.select(helped_confirms.c.checkin_id)
        .join(checkins, checkins.c.checkin_id == helped_confirms.c.checkin_id)
        .where(checkins.c.session_id == session_id)
    )
    return set(db.execute(query).scalars())


def ratings_of(db: Connection, activity_id: int) -> dict[int, int]:
    """Return how often an activity was given each rating, or nothing where so few would say who gave them."""
    query = sa.select(ratings.c.rating, sa.func.sum(ratings.c.times)).where(ratings.c.activity_id == activity_id)
    found = {row[0]: int(row[1]) for row in db.execute(query.group_by(ratings.c.rating))}
    return found if sum(found.values()) >= RATINGS_LEAST else {}


def forget_labels(db: Connection, now: datetime) -> int:
    """Blank what people who are no residents were called, a month after their session; return how many."""
    over = sa.select(sessions.c.session_id).where(sessions.c.ends_at < now - LABEL_LIVES)
    named = (helped.c.label != "") & helped.c.session_id.in_(over)
    return db.execute(helped.update().where(named).values(label="")).rowcount


def _rate(db: Connection, activity_id: int, month: date, rating: int) -> None:
    row = {"activity_id": activity_id, "month": month, "rating": rating, "times": 1}
    once_more = {"times": ratings.c.times + 1}
    insert = insert_for(db, ratings).values(row)
    db.execute(insert.on_conflict_do_update(index_elements=["activity_id", "month", "rating"], set_=once_more))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


_BY_HELPED: Collection[Means] = (Means.BENEFICIARY, Means.HELPED_CARD)
_HELPED = sa.select(*(helped.c[name] for name in Helped.__dataclass_fields__))
