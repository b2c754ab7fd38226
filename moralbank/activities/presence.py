"""What a person's scans in one session come to: minutes, grade, doubts, and what the next scan means.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from moralbank.activities import verdicts
from moralbank.activities.values import CheckIn, Direction, Doubt, Means, Session
from moralbank.activities.verdicts import Verdict

#: A second scan so soon is a nervous thumb, not somebody leaving.
REPEAT = timedelta(minutes=2)
#: Under this share of the planned time the rules of earning look twice (earning.Limits.presence_percent).
ENOUGH_PERCENT = 60
_SCANNED_BY_CODE = {
    Means.ROTATING, Means.POSTER, Means.DESK_CARD, Means.DESK_PHOTO, Means.BENEFICIARY, Means.HELPED_CARD,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Next:
    """What a scan will be recorded as."""

    direction: Direction
    visit_no: int


@dataclass(frozen=True, slots=True)
class Presence:
    """A person's time in a session as the scans tell it, before the leader has looked."""

    came_at: datetime | None
    left_at: datetime | None
    minutes: int
    #: The most the leader may confirm: up to the plan where a scan is missing, else what the scans say.
    minutes_max: int
    grade: str
    doubts: tuple[Doubt, ...]

    @property
    def needs_leader(self) -> bool:
        """Whether nothing is credited until the leader has said that the person was there."""
        return any(doubt is not Doubt.SHORT for doubt in self.doubts)


def minutes_of(intervals: Iterable[tuple[datetime, datetime]], starts_at: datetime, ends_at: datetime) -> int:
    """Return the whole minutes that the intervals cover of the planned time; overlapping ones count once."""
    seconds, reached = 0.0, starts_at
    for begin, end in sorted(intervals):
        begin, end = max(begin, reached), min(end, ends_at)
        if end > begin:
            seconds += (end - begin).total_seconds()
            reached = end
    return int(seconds) // 60


def next_scan(
    session: Session,
    scans: Sequence[CheckIn],
    at: datetime,
    wanted: Direction | None = None,
    *,
    is_override: bool = False,
) -> Next | Verdict:
    """Decide what a scan at an instant means for a person with these scans, or why it means nothing.

    wanted: None lets the person's state decide: out when they are in and the time for it has come, else in.
    is_override: staff vouch for it, so the hours don't matter.
    """
    last = scans[-1] if scans else None
    if last is not None and wanted in (None, last.direction) and abs(at - last.at) < REPEAT:
        return _already(last)
    is_in = last is not None and last.direction is Direction.IN
    if wanted is None:
        leaves = is_in and (is_override or at >= session.out_from)
        wanted = Direction.OUT if leaves else Direction.IN
    visit_no = last.visit_no if last else 0
    if wanted is Direction.OUT:
        if last is not None and not is_in:
            return verdicts.ALREADY_OUT
        return _within(session.out_from, session.out_until, at, is_override) or Next(wanted, max(visit_no, 1))
    if is_in:
        return verdicts.ALREADY
    refusal = _within(session.in_from, session.in_until, at, is_override)
    if refusal and last is not None:
        return verdicts.ALREADY_OUT
    return refusal or Next(wanted, visit_no + 1)


def _already(last: CheckIn) -> Verdict:
    return verdicts.ALREADY if last.direction is Direction.IN else verdicts.ALREADY_OUT


def _within(opens: datetime, closes: datetime, at: datetime, is_override: bool) -> Verdict | None:
    if is_override:
        return None
    if at < opens:
        return verdicts.NOT_OPEN
    return verdicts.CLOSED if at > closes else None


def minutes_so_far(session: Session, scans: Sequence[CheckIn]) -> int:
    """Return the minutes of presence_of, and nothing else."""
    left = {scan.visit_no: scan.at for scan in scans if scan.direction is Direction.OUT}
    intervals = [
        (scan.at, left.get(scan.visit_no) or max(session.ends_at, scan.at))
        for scan in scans
        if scan.direction is Direction.IN
    ]
    return minutes_of(intervals, session.starts_at, session.ends_at)


def presence_of(session: Session, scans: Sequence[CheckIn], more_doubts: Collection[Doubt] = ()) -> Presence:
    """Return what one person's scans, in order of time, come to.

    A check-out that nobody made stands at the planned end and waits for the leader; without a check-in
    there is
    no time at all until the leader gives it. more_doubts: what the scans don't tell.
    """
    came = {scan.visit_no: scan for scan in scans if scan.direction is Direction.IN}
    left = {scan.visit_no: scan for scan in scans if scan.direction is Direction.OUT}
    doubts = {*more_doubts, *(scan.doubt for scan in scans if scan.doubt is not None)}
    if came.keys() - left.keys():
        doubts.add(Doubt.NO_OUT)
    if left.keys() - came.keys():
        doubts.add(Doubt.NO_IN)
    intervals = [
        (scan.at, left[visit].at if visit in left else max(session.ends_at, scan.at)) for visit, scan in came.items()
    ]
    minutes = minutes_of(intervals, session.starts_at, session.ends_at)
    whole = [*intervals, *((session.starts_at, left[visit].at) for visit in left.keys() - came.keys())]
    minutes_max = minutes_of(whole, session.starts_at, session.ends_at)
    if minutes * 100 < session.planned_minutes * ENOUGH_PERCENT:
        doubts.add(Doubt.SHORT)
    is_proven = not doubts - {Doubt.SHORT} and all(scan.means in _SCANNED_BY_CODE for scan in scans)
    return Presence(
        came_at=min((scan.at for scan in came.values()), default=None),
        left_at=max((scan.at for scan in left.values() if scan.means is not Means.PLANNED_END), default=None),
        minutes=minutes,
        minutes_max=minutes_max,
        grade="A" if is_proven else "B",
        doubts=tuple(doubt for doubt in Doubt if doubt in doubts),
    )
