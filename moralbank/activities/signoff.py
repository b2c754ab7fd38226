"""The leader's signature: who was there and for how long, and from that every award of the session at
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.deeds import Deed, Kind, record
from moralbank.activities import queries
from moralbank.activities.awarding import Attended, award_session
from moralbank.activities.checkin import close_forgotten
from moralbank.activities.errors import (
    BadDecision,
    CheckOutOpen,
    HeadCountDiffers,
    NotOnRoster,
    NotStarted,
    OwnAttendance,
    SecondNeeded,
    SessionOver,
    StillInside,
)
from moralbank.activities.helped import confirmed_scans
from moralbank.activities.models import sessions
from moralbank.activities.newcomers import newcomers
from moralbank.activities.presence import Presence, presence_of
from moralbank.activities.spots import list_rounds
from moralbank.activities.values import Award, CheckIn, Doubt, Means, Mode, Session, State
from moralbank.errors import N_, Refused
from moralbank.residents.queries import Resident, find_resident, residents_by_id

#: The leader's word stands alone for so many people of a session, or for a tenth of it if that is more.
OVERRIDES_MAX, OVERRIDES_SHARE = 3, 10


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One person of a session as the leader sees them."""

    resident: Resident
    presence: Presence
    scans: tuple[CheckIn, ...]
    is_signed_up: bool

    @property
    def reasons(self) -> list[str]:
        """What staff wrote when they counted a scan outside the rules."""
        return [scan.reason for scan in self.scans if scan.reason]


@dataclass(frozen=True, slots=True)
class Decision:
    """That the leader saw a person; minutes: None takes what the scans say."""

    resident_id: int
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class SignOff:
    """A signed-off session and everything it brought, refusals and reviews too."""

    session: Session
    awards: tuple[Award, ...]
    is_repeat: bool = False


def roster(db: Connection, session: Session) -> list[RosterRow]:
    """Return everybody with a scan, doubts first, then by arrival."""
    scans = queries.scans_by_resident(db, session.session_id)
    people = residents_by_id(db, list(scans))
    coming = {signup.resident_id for signup in queries.list_signups(db, session.session_id)}
    confirmed = confirmed_scans(db, session.session_id) if session.activity.mode is Mode.BENEFICIARY else set()
    if confirmed:
        scans = {who: [_as_confirmed(scan, confirmed) for scan in theirs] for who, theirs in scans.items()}
    silent = {who for one in list_rounds(db, session.session_id, scans) for who in one.missing}
    new = newcomers(db, list(scans), session.in_from)
    more = {
        who: [*([Doubt.NO_ANSWER] if who in silent else []), *([Doubt.NEWCOMER] if who in new else [])] for who in scans
    }
    rows = [
        RosterRow(
            people[who],
            presence_of(session, theirs, more[who]),
            tuple(theirs),
            who in coming,
        )
        for who, theirs in scans.items()
    ]
    return sorted(rows, key=lambda row: (not row.presence.doubts, row.scans[0].at, row.resident.resident_id))


def _as_confirmed(scan: CheckIn, confirmed: set[int]) -> CheckIn:
    """Return a scan without the doubt that the helped person's word has lifted."""
    is_settled = scan.doubt is Doubt.HELPED and scan.checkin_id in confirmed
    return replace(scan, doubt=None, is_pending=False) if is_settled else scan


def sign_off(
    db: Connection,
    session_id: int,
    decisions: Sequence[Decision],
    head_count: int,
    *,
    actor: str,
    resident_id: int | None = None,
    closes_early: bool = False,
    second: str | None = None,
) -> SignOff:
    """End a session: credit those whom the leader confirms, once, and return what came of it; again, the
    same again.

    resident_id: of the one who signs, if they are a resident; nobody signs for themselves or their family.
    closes_early: after the planned end nobody is waited for who may still check out.
    second: who else looked at it, where the leader's word stands for more than a few (see `overridden`).
    Writes: the ledger entries, the awards, the check-outs nobody made.
    Raises (in the order checked): UnknownSession, SessionOver, NotStarted, StillInside, CheckOutOpen,
        NotOnRoster, BadDecision, HeadCountDiffers, OwnAttendance, SecondNeeded.
    """
    one_at_a_time(db)
    session = queries.lock_session(db, session_id)
    if session.state is State.SIGNED_OFF:
        return SignOff(session, tuple(queries.list_awards(db, session_id)), is_repeat=True)
    if not session.takes_scans:
        raise SessionOver()
    now = clock.now()
    rows = {row.resident.resident_id: row for row in roster(db, session)}
    refusal = too_early(session, rows.values(), now)
    if refusal is not None and not (closes_early and isinstance(refusal, CheckOutOpen)):
        raise refusal
    confirmed = {decision.resident_id: decision for decision in decisions}
    _check_decisions(rows, confirmed)
    if head_count != len(confirmed):
        raise HeadCountDiffers(
            {"head_count": [N_("和名单上确认的人数不一样。")]},
            head_count=head_count,
            confirmed=len(confirmed),
        )
    _refuse_own(db, session, [rows[who].resident for who in confirmed], resident_id)
    by_word = overridden(rows, decisions)
    if second is None and len(by_word) > OVERRIDES_MAX and len(by_word) * OVERRIDES_SHARE > len(confirmed):
        raise SecondNeeded(people=len(by_word), confirmed=len(confirmed))
    close_forgotten(db, now, session_id)
    attended = [_attended(rows[who], decision) for who, decision in confirmed.items()]
    award_session(db, session, attended, actor=actor, second=second)
    signed = {
        "state": State.SIGNED_OFF,
        "head_count": head_count,
        "signed_off_by": actor,
        "signed_off_at": now,
    }
    db.execute(sessions.update().where(sessions.c.session_id == session_id).values(signed))
    place, about = session.activity.branch_id, f"session:{session_id}"
    record(db, Deed(actor, Kind.APPROVE, place, about=about, count=len(confirmed)))
    return SignOff(queries.get_session(db, session_id), tuple(queries.list_awards(db, session_id)))


def overridden(rows: Mapping[int, RosterRow], decisions: Sequence[Decision]) -> list[int]:
    """Return whose attendance is the leader's word.

    Their minutes are not those of the scans, or staff counted a scan outside the rules; a paper roster was compared by
    two people already.
    """
    return [
        one.resident_id
        for one in decisions
        if one.minutes not in (None, rows[one.resident_id].presence.minutes)
        or any(scan.reason and scan.means is not Means.PAPER for scan in rows[one.resident_id].scans)
    ]


def one_at_a_time(db: Connection) -> None:
    """Let sign-offs pass singly, so that two of one day never both read the same person's totals."""
    if db.dialect.name == "postgresql":
        db.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('moralbank sign-off'))"))


def too_early(session: Session, rows: Iterable[RosterRow], now: datetime) -> Refused | None:
    """Return why the session is not to be signed off yet, and from when it is; None when it is time."""
    if now < session.out_from:
        return NotStarted(opens=f"{clock.local(session.out_from):%H:%M}")
    inside = sum(1 for row in rows if Doubt.NO_OUT in row.presence.doubts)
    if inside and now < session.ends_at:
        return StillInside(people=inside, ends=f"{clock.local(session.ends_at):%H:%M}")
    if inside and now <= session.out_until:
        return CheckOutOpen(people=inside, closes=f"{clock.local(session.out_until):%H:%M}")
    return None


def _check_decisions(rows: Mapping[int, RosterRow], confirmed: Mapping[int, Decision]) -> None:
    if confirmed.keys() - rows.keys():
        raise NotOnRoster()
    wrong = {
        f"minutes_{who}": [N_("请填 0 到上限之间的整数。")]
        for who, decision in confirmed.items()
        if decision.minutes is not None and not 0 <= decision.minutes <= rows[who].presence.minutes_max
    }
    if wrong:
        raise BadDecision(wrong)


def _refuse_own(db: Connection, session: Session, people: Sequence[Resident], resident_id: int | None) -> None:
    if resident_id is None:
        return
    signer = find_resident(db, resident_id)
    home = signer.household_id if signer else None
    is_related = any(
        person.resident_id == resident_id or (home is not None and person.household_id == home) for person in people
    )
    if is_related or session.activity.leader_resident_id == resident_id:
        raise OwnAttendance()


def _attended(row: RosterRow, decision: Decision) -> Attended:
    """Return what the leader confirmed; minutes other than the scans' own are the leader's word, so grade
    B.
    """
    said = row.presence.minutes if decision.minutes is None else decision.minutes
    grade = row.presence.grade if said == row.presence.minutes else "B"
    return Attended(row.resident, said, grade)
