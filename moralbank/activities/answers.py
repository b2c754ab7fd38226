"""What a scan is answered: its verdict with the scan that stands and the facts its sentence is filled with. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from moralbank import clock
from moralbank.activities import verdicts
from moralbank.activities.presence import minutes_so_far
from moralbank.activities.values import CheckIn, Direction, Doubt, Session
from moralbank.activities.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict with the scan that stands and the facts its sentence is filled with."""

    verdict: Verdict
    session: Session | None = None
    scan: CheckIn | None = None
    resident_id: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def answer(verdict: Verdict, session: Session, at: datetime, *, resident_id: int | None = None) -> Answer:
    """Return an answer whose sentence can name the session's hours."""
    facts = {
        "now": clock.now(),
        "at": at,
        "opens": session.in_from if at < session.in_from else session.out_from,
        "closes": session.in_until if at < session.out_from else session.out_until,
        "out_from": session.out_from,
        "capacity": session.activity.capacity,
    }
    return Answer(verdict, session, resident_id=resident_id, facts=facts)


def standing(session: Session, resident_id: int, verdict: Verdict, at: datetime, scans: Sequence[CheckIn]) -> Answer:
    """Return the verdict with the last of a person's scans and their minutes so far.

    Who repeats a scan that waits for the leader is told again that it waits, not that all is well.
    """
    if not scans:
        return answer(verdict, session, at, resident_id=resident_id)
    last = scans[-1]
    if verdict.code == "already" and last.is_pending:
        verdict = counted(last.direction, last.doubt)
    said = answer(verdict, session, at, resident_id=resident_id)
    said.facts["minutes"] = minutes_so_far(session, scans)
    if verdict.is_good:
        said.facts["at"] = last.at
    return replace(said, scan=last)


def replayed(session: Session, before: CheckIn, scans: Sequence[CheckIn]) -> Answer:
    """Return what the scan recorded before is answered when it is sent again."""
    verdict = counted(before.direction, before.doubt)
    if verdict in (verdicts.OK, verdicts.OK_OUT):
        verdict = verdicts.REPLAYED if before.direction is Direction.IN else verdicts.REPLAYED_OUT
    return replace(standing(session, before.resident_id, verdict, before.at, scans), scan=before)


def counted(direction: Direction, doubt: Doubt | None) -> Verdict:
    """Return the verdict on a scan that is on record."""
    if doubt in (Doubt.SAME_DEVICE, Doubt.OVERLAP):
        return verdicts.REVIEW
    if doubt is Doubt.HELPED:
        return verdicts.PENDING_HELPED if direction is Direction.IN else verdicts.PENDING_HELPED_OUT
    if doubt is Doubt.ACTED and direction is Direction.IN:
        return verdicts.PENDING_ACTED
    if doubt is not None:
        return verdicts.PENDING if direction is Direction.IN else verdicts.PENDING_OUT
    return verdicts.OK if direction is Direction.IN else verdicts.OK_OUT
