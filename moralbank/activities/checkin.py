"""Turns scans into check-ins and check-outs: the one gate every scan goes through, as sets; undo; forgotten check-outs.

A set is cut into waves in which no nonce, no resident and no phone stands twice. So within a wave no scan changes what
another one is judged by, except for a session's last places, which are given out in order.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import gate, queries, verdicts
from moralbank.activities.answers import Answer, answer, counted, replayed, standing
from moralbank.activities.errors import ReasonMissing, SessionOver, UnknownScan
from moralbank.activities.gate import Door
from moralbank.activities.models import checkins, sessions
from moralbank.activities.presence import Next, next_scan
from moralbank.activities.values import CheckIn, Direction, Doubt, Means, State
from moralbank.activities.verdicts import Verdict
from moralbank.db import Raced, insert_for
from moralbank.errors import MoralBankError
from moralbank.prepared import ask
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import Resident, asking_residents


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan that is to be counted for a person."""

    session_id: int
    resident_id: int
    means: Means
    #: The caller's key: the same scan sent again is answered again and counted once.
    nonce: str
    actor: str
    #: None: now.
    at: datetime | None = None
    #: None: by the person's state.
    direction: Direction | None = None
    #: Hash of the phone's cookie.
    device: str | None = None
    station: int = 0
    #: Somebody else of the family, or a helper, scanned for the person.
    is_acted: bool = False
    #: Who else may be there by this phone: no stranger's phone for each other, but the leader is told.
    kin: frozenset[int] = frozenset()
    #: Why staff count it outside the hours or beyond the list; it waits for the leader then.
    override: str | None = None


@dataclass(slots=True)
class _Case:
    """One scan on its way to an answer."""

    scan: Scan
    at: datetime
    door: Door | None
    answer: Answer | MoralBankError | None = None
    #: The nonce stands for a scan that was undone: it takes a new one to come back.
    is_spent: bool = False
    #: The scan recorded under the nonce, and whether it stands.
    known: tuple[CheckIn, bool] | None = None
    #: The person's standing scans in the session.
    scans: list[CheckIn] = field(default_factory=list)
    resident: Resident | None = None
    #: Whose the phone is for this session, if anybody's.
    user: int | None = None
    #: The person checked in to another session of the same hours.
    is_elsewhere: bool = False
    step: Next = field(init=False)
    #: The person is on the session's list.
    is_going: bool = False
    doubt: Doubt | None = None

    @property
    def pair(self) -> gate.Pair:
        return self.scan.session_id, self.scan.resident_id

    @property
    def is_vouched(self) -> bool:
        """Whether staff let the person in whatever the hours and the list say."""
        return self.scan.override is not None

    @property
    def has_list(self) -> bool:
        """Whether it matters who signed up for the session."""
        activity = self.door.session.activity if self.door else None
        return activity is not None and (activity.needs_signup or activity.capacity is not None)

    def tell(self, verdict: Verdict) -> None:
        """Answer with the verdict and what stands."""
        assert self.door is not None, "a scan for no session has its answer"
        self.answer = standing(self.door.session, self.scan.resident_id, verdict, self.at, self.scans)


def check_in(db: Connection, scan: Scan) -> Answer:
    """Count one: a set of one. Raises: as check_in_many refuses."""
    [found] = check_in_many(db, [scan])
    if isinstance(found, MoralBankError):
        raise found
    return found


def check_in_many(
    db: Connection,
    scans: Sequence[Scan],
    doors: Mapping[int, Door] | None = None,
    people: Mapping[int, Resident] = MappingProxyType({}),
) -> list[Answer | MoralBankError]:
    """Count scans, in or out, or say why one doesn't count: each is answered as if they had come one after the other.

    The one gate: every scan of every means comes through here. Refusals: ReasonMissing when staff override without
    saying why, UnknownResident.
    doors: of all the sessions, where this transaction has locked them; people: those whom it has read, by id.
    Raises: Raced when other transactions were faster again and again.
    """
    if doors is None:
        doors = gate.lock_doors(db, {scan.session_id for scan in scans})
    now = clock.now()
    cases = [
        _Case(scan, scan.at or now, doors.get(scan.session_id), resident=people.get(scan.resident_id)) for scan in scans
    ]
    for wave in _waves(cases):
        _judge(db, wave)
        # Another phone wrote the same scan first: now it is on record, and that is judged.
        _judge(db, _open(wave))
        if _open(wave):
            raise Raced
    return [case.answer for case in cases if case.answer is not None]


def _waves(cases: Sequence[_Case]) -> list[list[_Case]]:
    """Cut a set into parts in which none depends on another, and which keep the order of those that do."""
    waves: list[list[_Case]] = []
    last: dict[Hashable, int] = {}
    for case in cases:
        scan = case.scan
        once = [("nonce", scan.nonce), ("resident", scan.resident_id), ("phone", scan.session_id, scan.device)]
        keys = once if scan.device else once[:2]
        number = max(last.get(key, -1) for key in keys) + 1
        if case.door is not None and case.door.session.activity.capacity is not None:
            # Nobody overtakes another on the way to a session's last place.
            number = max(number, last.get(("places", scan.session_id), 0))
            last["places", scan.session_id] = number
        last |= dict.fromkeys(keys, number)
        if number == len(waves):
            waves.append([])
        waves[number].append(case)
    return waves


def _judge(db: Connection, cases: Sequence[_Case]) -> None:
    """Answer the cases of a wave, but for those whose row another transaction wrote first."""
    for step in (_refuse_blank, _look, _recall, _find_steps, _look_around, _give_places, _write):
        cases = _open(cases)
        if not cases:
            return
        step(db, cases)


def _open(cases: Sequence[_Case]) -> list[_Case]:
    return [case for case in cases if case.answer is None]


def _refuse_blank(_db: Connection, cases: Sequence[_Case]) -> None:
    for case in cases:
        if case.scan.override is not None and not case.scan.override.strip():
            case.answer = ReasonMissing({"reason": [ReasonMissing.sentence]})
        elif case.door is None:
            case.answer = Answer(verdicts.UNKNOWN, resident_id=case.scan.resident_id)


def _look(db: Connection, cases: Sequence[_Case]) -> None:
    """Read all that the scans are judged by: what is on record of them, the people, the lists and the phones."""
    unvouched = [case for case in cases if not case.is_vouched]
    known, scans, people, going, users, elsewhere = ask(
        db,
        gate.asking_nonces([case.scan.nonce for case in cases]),
        queries.asking_scans([case.pair for case in cases]),
        asking_residents({case.scan.resident_id for case in unvouched if case.resident is None}),
        gate.asking_going([case.pair for case in cases if case.has_list]),
        gate.asking_first_users([(case.scan.session_id, case.scan.device) for case in unvouched if case.scan.device]),
        gate.asking_elsewhere([case.pair for case in unvouched if case.scan.direction is not Direction.OUT]),
    )
    for case, found, standing_scans in zip(cases, known, scans, strict=True):
        case.known, case.scans = found, standing_scans
        case.resident = case.resident or people.get(case.scan.resident_id)
        case.is_going, case.is_elsewhere = case.pair in going, case.pair in elsewhere
        case.user = users.get((case.scan.session_id, case.scan.device))


def _recall(_db: Connection, cases: Sequence[_Case]) -> None:
    """Answer scans that were sent before."""
    for case in cases:
        if case.known is None or case.door is None:
            continue
        before, stands = case.known
        if not stands:
            case.is_spent = True
        elif (before.session_id, before.resident_id) != case.pair:
            case.answer = Answer(verdicts.EXPIRED, case.door.session, resident_id=case.scan.resident_id)
        else:
            case.answer = replayed(case.door.session, before, case.scans)


def _find_steps(_db: Connection, cases: Sequence[_Case]) -> None:
    """Find what each scan would be recorded as, by the hours and what stands."""
    for case in cases:
        assert case.door is not None, "a scan for no session has its answer"
        session = case.door.session
        if not session.takes_scans:
            case.answer = answer(verdicts.CLOSED, session, case.at, resident_id=case.scan.resident_id)
            continue
        step = next_scan(session, case.scans, case.at, case.scan.direction, is_override=case.is_vouched)
        if isinstance(step, Next):
            case.step = step
        else:
            case.tell(step)


def _look_around(_db: Connection, cases: Sequence[_Case]) -> None:
    """Refuse who saves in another book, and find why others must wait."""
    for case in cases:
        if not case.scans and not case.is_vouched:
            _check_newcomer(case)
        case.doubt = _doubt(case)


def _check_newcomer(case: _Case) -> None:
    if case.resident is None:
        case.answer = UnknownResident()
    elif case.door is not None and case.resident.book_id != case.door.book_id:
        case.tell(verdicts.OTHER_BANK)
    elif case.resident.awaits_guardian:
        case.tell(verdicts.NO_GUARDIAN)


def _doubt(case: _Case) -> Doubt | None:
    """Return why a scan must wait for the leader, or None."""
    if case.is_vouched:
        return Doubt.OVERRIDE
    is_others_phone = case.user not in (None, case.scan.resident_id)
    if is_others_phone and case.user not in case.scan.kin:
        return Doubt.SAME_DEVICE
    if case.is_elsewhere and case.step.direction is Direction.IN:
        return Doubt.OVERLAP
    if is_others_phone or case.scan.is_acted:
        return Doubt.ACTED
    if case.step.direction is Direction.OUT and not case.scans:
        return Doubt.NO_IN
    if case.scan.means in (Means.BENEFICIARY, Means.HELPED_CARD):
        return Doubt.HELPED
    return Doubt.POSTER if case.scan.means is Means.POSTER else None


def _give_places(db: Connection, cases: Sequence[_Case]) -> None:
    """Refuse who isn't on the list where there must be one, and who finds the house full."""
    wanting: list[tuple[_Case, int]] = []
    for case in cases:
        if case.door is None or case.scans or case.is_going:
            continue
        activity = case.door.session.activity
        if activity.needs_signup and not case.is_vouched:
            case.tell(verdicts.NOT_REGISTERED)
        elif activity.capacity is not None:
            wanting.append((case, activity.capacity))
    taken = gate.lock_places(db, {case.scan.session_id for case, _ in wanting})
    for case, capacity in wanting:
        if not case.is_vouched and taken[case.scan.session_id] >= capacity:
            case.tell(verdicts.FULL)
        elif not case.is_spent:
            taken[case.scan.session_id] += 1


def _write(db: Connection, cases: Sequence[_Case]) -> None:
    """Write the scans down; whose gate was taken meanwhile stays without an answer."""
    for case in cases:
        if case.is_spent:
            is_in = case.scans and case.scans[-1].direction is Direction.IN
            case.tell(verdicts.ALREADY if is_in else verdicts.ALREADY_OUT if case.scans else verdicts.EXPIRED)
    now = clock.now()
    # In one order everywhere, so that two sets wait for each other and never in a ring.
    writing = sorted(_open(cases), key=lambda case: case.pair)
    rows = [_row(case) for case in writing]
    more = [{"recorded_at": now, "pending": case.doubt is not None, "station": case.scan.station} for case in writing]
    written = gate.write(db, [row | rest for row, rest in zip(rows, more, strict=True)])
    for case, row, checkin_id in zip(writing, rows, written, strict=True):
        if checkin_id is not None:
            case.scans.append(CheckIn(checkin_id=checkin_id, is_pending=case.doubt is not None, **row))
            case.tell(counted(case.step.direction, case.doubt))


def _row(case: _Case) -> dict[str, Any]:
    return {
        "session_id": case.scan.session_id,
        "resident_id": case.scan.resident_id,
        "direction": case.step.direction,
        "visit_no": case.step.visit_no,
        "nonce": case.scan.nonce,
        "at": case.at,
        "means": case.scan.means,
        "doubt": case.doubt,
        "reason": case.scan.override,
        "actor": case.scan.actor,
        "device": case.scan.device,
    }


def undo(db: Connection, session_id: int, checkin_id: int, *, actor: str) -> CheckIn:
    """Take back a mis-scan before the sign-off; what stands after it in the same visit must be undone first.

    Raises (in the order checked): UnknownSession, SessionOver, UnknownScan.
    """
    session = queries.lock_session(db, session_id)
    if session.state is not State.OPEN:
        raise SessionOver()
    scan = queries.find_scan(db, checkin_id)
    if scan is None or scan.session_id != session_id:
        raise UnknownScan()
    if queries.list_scans(db, session_id, scan.resident_id)[-1].checkin_id != checkin_id:
        raise UnknownScan()
    mine = checkins.update().where(checkins.c.checkin_id == checkin_id)
    db.execute(mine.values(undone_at=clock.now(), undone_by=actor))
    return scan


def close_forgotten(db: Connection, now: datetime, session_id: int | None = None) -> int:
    """Check everybody out at the planned end who forgot to, once the time for it is over; return how many.

    What is written waits for the leader, who sees it in the list. With a session the hours don't matter:
    it is
    being signed off. Closing twice closes once.
    """
    out = checkins.alias("out")
    left = sa.exists().where(
        out.c.session_id == checkins.c.session_id,
        out.c.resident_id == checkins.c.resident_id,
        out.c.visit_no == checkins.c.visit_no,
        out.c.direction == Direction.OUT,
        out.c.undone_at.is_(None),
    )
    query = (
        sa.select(checkins.c.checkin_id, checkins.c.session_id, checkins.c.resident_id, checkins.c.visit_no)
        .add_columns(sessions.c.ends_at, sessions.c.out_after_minutes)
        .join(sessions, sessions.c.session_id == checkins.c.session_id)
        .where(checkins.c.direction == Direction.IN, checkins.c.undone_at.is_(None), ~left)
        .where(sessions.c.state == State.OPEN, sessions.c.ends_at <= now)
    )
    if session_id is not None:
        query = query.where(sessions.c.session_id == session_id)
    rows = [
        _closing(row, now)
        for row in db.execute(query)
        if session_id is not None or row.ends_at + timedelta(minutes=row.out_after_minutes) < now
    ]
    if not rows:
        return 0
    insert = insert_for(db, checkins).on_conflict_do_nothing().returning(checkins.c.checkin_id)
    return len(db.execute(insert, rows).all())


def _closing(row: Any, now: datetime) -> dict[str, Any]:
    return {
        "session_id": row.session_id,
        "resident_id": row.resident_id,
        "direction": Direction.OUT,
        "visit_no": row.visit_no,
        "nonce": f"planned-end:{row.checkin_id}",
        "at": row.ends_at,
        "recorded_at": now,
        "means": Means.PLANNED_END,
        "pending": True,
        "doubt": Doubt.NO_OUT,
        "actor": "system",
        "station": 0,
    }
