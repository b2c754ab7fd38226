"""Sign-offs in which the leader's word stands for much: they wait until somebody else has looked at them.

Nothing is credited before. The second person sees whose minutes are the leader's, and agrees or returns the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.deeds import Deed, Kind, record
from moralbank.activities import queries, signoff
from moralbank.activities.errors import SecondNeeded, SecondOwn, SignOffDecided, SignOffHeld, UnknownHeldSignOff
from moralbank.activities.models import activities, held_signoffs, sessions
from moralbank.activities.signoff import Decision, SignOff
from moralbank.activities.values import Session, State
from moralbank.approvals.errors import NotYours
from moralbank.approvals.service import Hand, is_one_person
from moralbank.branches.queries import lies_below

_H = held_signoffs.c


@dataclass(frozen=True, slots=True)
class Held:
    """A sign-off that waits for a second person, or waited."""

    held_id: int
    session_id: int
    #: Whom the leader confirms, with the minutes that are the leader's word: [[resident, minutes or None], …].
    decisions: list[list[int | None]]
    head_count: int
    closes_early: bool
    overridden: int
    asked_by: str
    asked_login_id: int
    asked_at: datetime
    state: str
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None

    @property
    def confirmed(self) -> list[Decision]:
        return [Decision(int(who), minutes) for who, minutes in self.decisions if who is not None]


_HELD = sa.select(*(_H[name] for name in Held.__dataclass_fields__))


def sign_off(
    db: Connection,
    hand: Hand,
    session_id: int,
    decisions: Sequence[Decision],
    head_count: int,
    *,
    resident_id: int | None = None,
    closes_early: bool = False,
) -> SignOff | Held:
    """End a session as signoff.sign_off does, or hold it for a second person where the leader overrides much.

    Raises (in the order checked): UnknownSession, SignOffHeld while one waits, and as signoff.sign_off does.
    """
    session = queries.lock_session(db, session_id)
    if session.state is State.OPEN and find_held(db, session_id) is not None:
        raise SignOffHeld()
    try:
        return signoff.sign_off(
            db,
            session_id,
            decisions,
            head_count,
            actor=hand.actor,
            resident_id=resident_id,
            closes_early=closes_early,
        )
    except SecondNeeded as needed:
        # Refused before anything was written.
        return _hold(db, hand, session_id, decisions, head_count, closes_early, int(str(needed.fields["people"])))


def _hold(
    db: Connection,
    hand: Hand,
    session_id: int,
    decisions: Sequence[Decision],
    head_count: int,
    closes_early: bool,
    overridden: int,
) -> Held:
    row = {
        "session_id": session_id,
        "decisions": [[one.resident_id, one.minutes] for one in decisions],
        "head_count": head_count,
        "closes_early": closes_early,
        "overridden": overridden,
        "asked_by": hand.actor,
        "asked_login_id": hand.login_id,
        "asked_at": clock.now(),
        "state": "waiting",
    }
    db.execute(held_signoffs.insert().values(row))
    held = find_held(db, session_id)
    assert held is not None, "it was written just now"
    return held


def agree(db: Connection, hand: Hand, session_id: int, *, resident_id: int | None = None) -> SignOff:
    """Sign as the second person: everybody is credited as the leader said. Again: the same again.

    resident_id: of the one who agrees, if they are a resident.
    Raises (in the order checked): UnknownHeldSignOff, SecondOwn, and as signoff.sign_off does.
    """
    session = queries.lock_session(db, session_id)
    if session.state is State.SIGNED_OFF:
        return SignOff(session, tuple(queries.list_awards(db, session_id)), is_repeat=True)
    held = _waiting(db, session_id)
    if is_one_person(db, hand, held.asked_login_id):
        raise SecondOwn()
    done = signoff.sign_off(
        db,
        session_id,
        held.confirmed,
        held.head_count,
        actor=held.asked_by,
        resident_id=resident_id,
        closes_early=held.closes_early,
        second=hand.actor,
    )
    _end(db, held, "agreed", hand.actor)
    _record(db, hand, session, held)
    return done


def send_back(db: Connection, hand: Hand, session_id: int, reason: str) -> Held:
    """Return a sign-off to its leader, and say why: nothing is credited, and it may be signed anew.

    Raises (in the order checked): UnknownHeldSignOff, SecondOwn.
    """
    session = queries.lock_session(db, session_id)
    held = _waiting(db, session_id)
    if is_one_person(db, hand, held.asked_login_id):
        raise SecondOwn()
    _end(db, held, "returned", hand.actor, reason)
    _record(db, hand, session, held)
    return get_held(db, held.held_id)


def withdraw(db: Connection, hand: Hand, session_id: int) -> Held:
    """Take one's own sign-off back, to sign anew. Raises (in the order checked): UnknownHeldSignOff, NotYours."""
    queries.lock_session(db, session_id)
    held = _waiting(db, session_id)
    if held.asked_login_id != hand.login_id:
        raise NotYours()
    _end(db, held, "withdrawn", hand.actor)
    return get_held(db, held.held_id)


def _waiting(db: Connection, session_id: int) -> Held:
    """Return what waits of a session that can still be signed off. Raises: UnknownHeldSignOff, SignOffDecided."""
    held = find_held(db, session_id)
    if held is not None:
        return held
    if find_last(db, session_id) is not None:
        raise SignOffDecided()
    raise UnknownHeldSignOff()


def _end(db: Connection, held: Held, state: str, actor: str, reason: str | None = None) -> None:
    ended = {"state": state, "decided_by": actor, "decided_at": clock.now(), "reason": reason}
    db.execute(held_signoffs.update().where(_H.held_id == held.held_id).values(ended))


def _record(db: Connection, hand: Hand, session: Session, held: Held) -> None:
    about = f"session:{held.session_id}"
    record(db, Deed(hand.actor, Kind.APPROVE, session.activity.branch_id, about=about, count=held.overridden))


def get_held(db: Connection, held_id: int) -> Held:
    """Return a held sign-off. Raises: UnknownHeldSignOff."""
    row = db.execute(_HELD.where(_H.held_id == held_id)).first()
    if row is None:
        raise UnknownHeldSignOff()
    return Held(*row)


def find_held(db: Connection, session_id: int) -> Held | None:
    """Return the sign-off of a session that waits for a second person, or None."""
    row = db.execute(_HELD.where(_H.session_id == session_id, _H.state == "waiting")).first()
    return Held(*row) if row else None


def find_last(db: Connection, session_id: int) -> Held | None:
    """Return the last sign-off of a session that waited, whatever became of it, or None."""
    query = _HELD.where(_H.session_id == session_id).order_by(_H.held_id.desc()).limit(1)
    row = db.execute(query).first()
    return Held(*row) if row else None


def held_sessions(db: Connection, session_ids: Sequence[int]) -> set[int]:
    """Return which of these sessions wait for a second person."""
    query = sa.select(_H.session_id).where(_H.session_id.in_(list(session_ids)), _H.state == "waiting")
    return set(db.execute(query).scalars())


def count_waiting(db: Connection, paths: Sequence[str], login_id: int) -> int:
    """Return how many sign-offs below these paths wait for this login, which did not ask for them."""
    joined = held_signoffs.join(sessions, sessions.c.session_id == _H.session_id).join(
        activities, activities.c.activity_id == sessions.c.activity_id
    )
    below = lies_below(activities.c.branch_id, paths)
    waits = (_H.state == "waiting") & (sessions.c.state == State.OPEN.value) & (_H.asked_login_id != login_id)
    query = sa.select(sa.func.count()).select_from(joined).where(waits, below)
    return int(db.execute(query).scalar_one())
