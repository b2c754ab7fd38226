"""Takes in what phones scanned while there was no network: each scan on record once, the earliest of a person counts.

The server refuses nothing that happened. What it can't count by itself waits in the list for staff, without credit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import gate, queries, verdicts
from moralbank.activities.answers import Answer
from moralbank.activities.cards import NUMBER_DIGITS, read_codes
from moralbank.activities.checkin import Scan, check_in
from moralbank.activities.devices import Device
from moralbank.activities.models import checkins, device_scans
from moralbank.activities.presence import Next, next_scan
from moralbank.activities.values import CheckIn, Direction, Doubt, Means, Session
from moralbank.activities.verdicts import Verdict
from moralbank.branches.queries import get_branch
from moralbank.residents.queries import find_by_cards, find_by_numbers
from moralbank.residents.values import CARD_DIGITS

BATCH_MAX = 100
#: A clock that is wrong by more than this dates nothing.
SKEW_MAX = timedelta(minutes=5)
#: So long after a session's end its scans are still counted.
LATE = timedelta(hours=72)
CODE_MAX = 40
#: A verdict on a scan that is not on record, and what staff must look at then.
_CAUSES = {
    "not_open": "window", "closed": "window", "not_registered": "unlisted", "full": "full", "unknown": "unknown",
}  # fmt: skip
_T = device_scans.c


@dataclass(frozen=True, slots=True)
class Kept:
    """One scan as a phone kept it; device_time is the phone's own clock."""

    nonce: str
    session_id: int
    code: str
    direction: Direction | None
    device_time: datetime
    seq: int
    prev_hash: str

    @property
    def hash(self) -> str:
        """Return what the phone's next scan names as the one before it."""
        utc = self.device_time.astimezone(UTC)
        time = f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
        parts = (self.nonce, self.session_id, self.code, self.direction or "", time, self.seq, self.prev_hash)
        return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """What a phone sends at once, and what its clock showed then."""

    device: Device
    sent_at: datetime
    scans: Sequence[Kept]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a scan: counted, already or review; accepted or dismissed once staff have looked.

    kept: nothing yet. It belongs to a branch that the one who sends it doesn't reach, so the phone keeps it.
    """

    nonce: str
    state: str
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whose code was scanned; cause: why it can't be counted by itself, None where it can."""

    resident_id: int | None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    state: str
    cause: str | None = None
    checkin_id: int | None = None


def nonce_of(scan_nonce: str) -> str:
    """Return the key of a phone's scan, the same whether it comes at once or in a batch."""
    return f"scan:{scan_nonce}"


def take_batch(db: Connection, batch: Batch, reach: Collection[int], *, actor: str) -> list[Taken]:
    """Write every scan of a batch down and count what can be counted; sent again it is answered as before.

    reach: the branches of the one who sends it.
    Writes: a row for each scan; check-ins; an earlier scan takes the place of a later one of the same way and visit.
    """
    now = clock.now()
    sessions = {session_id: session for session_id in _ids(batch) if (session := _reached(db, session_id, reach))}
    known = _known(db, [scan.nonce for scan in batch.scans])
    fresh = [scan for scan in batch.scans if scan.nonce not in known and scan.session_id in sessions]
    whose = _holders(db, sessions, fresh)
    broken = _broken_links(db, batch.device.device_id, fresh)
    skew = now - batch.sent_at
    taken = dict(known)
    for scan in sorted(fresh, key=lambda scan: (scan.device_time, scan.seq)):
        if scan.nonce in taken:
            continue
        session, holder = sessions[scan.session_id], whose[scan.nonce]
        at = min(scan.device_time + skew, now)
        cause = _doubted(batch.device, session, skew, scan.nonce in broken, now)
        placed = _Placed("review", cause) if cause else _count(db, session, holder, scan, at, actor)
        _write(db, batch, scan, placed, holder, at, now, actor)
        taken[scan.nonce] = Taken(scan.nonce, placed.state, placed.cause)
        if placed.state == "counted" and holder.resident_id is not None:
            _judge_again(db, session, holder.resident_id, actor)
    return [taken.get(scan.nonce, Taken(scan.nonce, "kept")) for scan in batch.scans]


def place(
    db: Connection, session: Session, scan: Scan, direction: Direction | None, at: datetime
) -> Answer | CheckIn | None:
    """Count a scan of an earlier time as if it had come at its time.

    Returns the gate's answer; or the scan of the same way and visit that it took the place of, being earlier; or None
    where it would turn what stands upside down, which only people can judge.
    """
    standing = sorted(queries.list_scans(db, scan.session_id, scan.resident_id), key=lambda one: one.at)
    real = [one for one in standing if one.means is not Means.PLANNED_END]
    before, after = [one for one in real if one.at <= at], [one for one in real if one.at > at]
    if not after and real == standing:
        return check_in(db, replace(scan, at=at, direction=direction))
    step = next_scan(session, before, at, direction, is_override=scan.override is not None)
    if isinstance(step, Verdict):
        return Answer(step, session)
    planned = next((one for one in standing if one not in real and one.visit_no == step.visit_no), None)
    later = after[0] if after else planned
    if later is None or (later.direction, later.visit_no) != (step.direction, step.visit_no):
        return None
    return later if _take_place_of(db, later, replace(scan, at=at), step) else None


def _take_place_of(db: Connection, later: CheckIn, scan: Scan, step: Next) -> bool:
    """Write the earlier scan down in the place of the later one, which stays as one that was taken back."""
    mine = (checkins.c.checkin_id == later.checkin_id) & checkins.c.undone_at.is_(None)
    taken_back = {"undone_at": clock.now(), "undone_by": scan.actor}
    if db.execute(checkins.update().where(mine).values(taken_back)).rowcount != 1:
        return False
    doubt = later.doubt if later.means is not Means.PLANNED_END else None
    doubt = Doubt.OVERRIDE if scan.override is not None else doubt
    row = {
        "session_id": scan.session_id, "resident_id": scan.resident_id, "direction": step.direction,
        "visit_no": step.visit_no, "nonce": scan.nonce, "at": scan.at, "recorded_at": clock.now(), "means": scan.means,
        "pending": doubt is not None, "doubt": doubt, "reason": scan.override, "actor": scan.actor, "device": None,
        "station": scan.station,
    }  # fmt: skip
    [checkin_id] = gate.write(db, [row])
    moved = device_scans.update().where(_T.checkin_id == later.checkin_id, _T.state == "counted")
    db.execute(moved.values(state="already"))
    return checkin_id is not None


def checkin_under(db: Connection, nonce: str) -> int | None:
    """Return the check-in on record under a nonce, standing or taken back, or None."""
    return db.execute(sa.select(checkins.c.checkin_id).where(checkins.c.nonce == nonce)).scalar()


def _ids(batch: Batch) -> list[int]:
    # In one order everywhere, so that two batches wait for each other and never in a ring.
    return sorted({scan.session_id for scan in batch.scans})


def _reached(db: Connection, session_id: int, reach: Collection[int]) -> Session | None:
    """Return a session within reach, held: batches of one session are taken in one after the other."""
    found = queries.find_session(db, session_id)
    if found is None or found.activity.branch_id not in reach:
        return None
    return queries.lock_session(db, session_id)


def _known(db: Connection, nonces: Sequence[str]) -> dict[str, Taken]:
    query = sa.select(_T.nonce, _T.state, _T.cause).where(_T.nonce.in_(nonces))
    return {row.nonce: Taken(*row) for row in db.execute(query)}


def _holders(db: Connection, sessions: Mapping[int, Session], scans: Sequence[Kept]) -> dict[str, _Holder]:
    """Return by nonce whose code each scan saw."""
    found: dict[str, _Holder] = {}
    for session_id, session in sessions.items():
        mine = [scan for scan in scans if scan.session_id == session_id]
        book_id = get_branch(db, session.activity.branch_id).book_id
        read = read_codes(db, [scan.code for scan in mine], book_id)
        found |= {scan.nonce: _holder(db, scan.code, who, book_id) for scan, who in zip(mine, read, strict=True)}
    return found


def _holder(db: Connection, code: str, read: int | Answer, book_id: int | None) -> _Holder:
    if isinstance(read, int):
        return _Holder(read)
    if read.verdict is verdicts.REVOKED_CARD or read.verdict is verdicts.NO_GUARDIAN:
        # Staff who look at it are told who it was; a card that nobody has any more says nothing about anybody.
        [card] = find_by_cards(db, [code])
        [person] = find_by_numbers(db, book_id, [code]) if book_id is not None and card is None else [None]
        bearer = card[0] if card else person
        cause = "revoked" if read.verdict is verdicts.REVOKED_CARD else "guardian"
        return _Holder(bearer.resident_id if bearer else None, cause)
    return _Holder(None, "unknown")


def _broken_links(db: Connection, device_id: int, scans: Sequence[Kept]) -> set[str]:
    """Return which scans don't follow the phone's scan before them, where that is on record.

    A scan that was answered at once is in no batch, so a number may be missing; one that stands twice may not.
    """
    numbers = {number for scan in scans for number in (scan.seq - 1, scan.seq)}
    query = sa.select(_T.seq, _T.hash).where(_T.device_id == device_id, _T.seq.in_(numbers))
    hashes = {row.seq: row.hash for row in db.execute(query)}
    broken = set()
    for scan in sorted(scans, key=lambda scan: scan.seq):
        if scan.seq in hashes or hashes.get(scan.seq - 1, scan.prev_hash) != scan.prev_hash:
            broken.add(scan.nonce)
        hashes.setdefault(scan.seq, scan.hash)
    return broken


def _doubted(device: Device, session: Session, skew: timedelta, is_broken: bool, now: datetime) -> str | None:
    """Return why the scan is not counted by itself, whoever it is of."""
    if device.revoked_at is not None:
        return "device"
    if abs(skew) > SKEW_MAX:
        return "clock"
    if is_broken:
        return "chain"
    if now > session.ends_at + LATE:
        return "late"
    return None if session.takes_scans else "signed-off"


def _count(db: Connection, session: Session, holder: _Holder, scan: Kept, at: datetime, actor: str) -> _Placed:
    if holder.resident_id is None or holder.cause is not None:
        return _Placed("review", holder.cause)
    if on_record := checkin_under(db, nonce_of(scan.nonce)):
        return _Placed("counted", None, on_record)
    whole = Scan(session.session_id, holder.resident_id, _means(scan), nonce_of(scan.nonce), actor)
    return _placed(db, session, whole, scan.direction, at)


def _means(scan: Kept) -> Means:
    return Means.DESK_DIGITS if len(scan.code) == NUMBER_DIGITS else Means.DESK_CARD


def _placed(db: Connection, session: Session, scan: Scan, direction: Direction | None, at: datetime) -> _Placed:
    found = place(db, session, scan, direction, at)
    if found is None:
        return _Placed("review", "order")
    if isinstance(found, CheckIn):
        return _Placed("counted", None, checkin_under(db, scan.nonce))
    verdict = found.verdict
    if verdict.code == "already":
        return _Placed("already")
    on_record = checkin_under(db, scan.nonce)
    if verdict.is_good:
        # A repeated scan of somebody who waits for the leader is told again that they wait: that is no scan of its own.
        return _Placed("counted", None, on_record) if on_record else _Placed("already")
    return _Placed("review", _CAUSES.get(verdict.code, "other"))


def _write(
    db: Connection, batch: Batch, scan: Kept, placed: _Placed, holder: _Holder, at: datetime, now: datetime, actor: str
) -> None:
    row = {
        "nonce": scan.nonce, "device_id": batch.device.device_id, "session_id": scan.session_id,
        "resident_id": holder.resident_id, "code": None if holder.resident_id else shown(scan.code),
        "direction": scan.direction, "device_time": scan.device_time, "sent_at": batch.sent_at, "received_at": now,
        "at": at, "means": _means(scan), "seq": scan.seq, "prev_hash": scan.prev_hash, "hash": scan.hash,
        "state": placed.state, "cause": placed.cause, "checkin_id": placed.checkin_id, "uploaded_by": actor,
    }  # fmt: skip
    db.execute(device_scans.insert().values(row))


def shown(code: str) -> str:
    """Return a code as staff may see it: of a card its first two and last four digits."""
    is_card = len(code) == CARD_DIGITS and code.isdigit()
    return f"{code[:2]}…{code[-4:]}" if is_card else code[:CODE_MAX]


def _judge_again(db: Connection, session: Session, resident_id: int, actor: str) -> None:
    """Count what waited only because the scan before it had not come in yet, such as a check-out from another phone."""
    waiting = sa.select(_T.scan_id, _T.nonce, _T.means, _T.direction, _T.at).where(
        _T.session_id == session.session_id,
        _T.resident_id == resident_id,
        _T.state == "review",
        _T.cause.in_(("window", "order")),
    )
    for row in db.execute(waiting.order_by(_T.at)).all():
        scan = Scan(session.session_id, resident_id, Means(row.means), nonce_of(row.nonce), actor)
        direction = Direction(row.direction) if row.direction else None
        placed = _placed(db, session, scan, direction, row.at)
        if placed.state != "review":
            values: dict[str, Any] = {"state": placed.state, "cause": None, "checkin_id": placed.checkin_id}
            db.execute(device_scans.update().where(_T.scan_id == row.scan_id).values(values))
