"""Makes a session's awards: one decision of the rules per person and one batch to the ledger."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ledger
from moralbank.activities.models import awards, sessions
from moralbank.activities.tally import Tally, read_tally, reversed_awards, standing
from moralbank.activities.values import Session
from moralbank.approvals.service import follow_posted
from moralbank.branches.queries import get_branch
from moralbank.earning import Claim, Outcome, Reason, Rule, award, get_rule
from moralbank.errors import MoralBankError
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.residents.queries import Resident, residents_by_id

LEADING_RULE = "V10"
FIRST_SERVICE_RULE = "P06"
POINTS_LIVE_MONTHS = 36
#: Reasons of an award that was not made: the person is credited for another session of the same hours, or is a
#: minor of whom no guardian is on record.
OVERLAP = "overlap"
NO_GUARDIAN = "no-guardian"
_NOTHING = Outcome(0, 0, 0, 0, 0, (), review=True, reason=Reason.NOTHING_DONE)


@dataclass(frozen=True, slots=True)
class Attended:
    """A person whom the leader confirmed, with the minutes that count."""

    resident: Resident
    minutes: int
    grade: str


@dataclass(frozen=True, slots=True)
class _Form:
    """What every award of the session has in common."""

    session: Session
    book: int
    day: date
    actor: str
    issuer: int
    registry: int
    #: Who else agreed to it; most sign-offs need nobody.
    checker: str | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class _Item:
    """One award on its way: the row to keep and, when there is something to post, the draft."""

    row: dict[str, Any]
    draft: Draft | None
    #: The branch of the person, who looks after a message to them.
    home: int


def award_session(
    db: Connection, session: Session, people: Sequence[Attended], *, actor: str, second: str | None = None
) -> None:
    """Credit the people of a session by its rule, then first services and the leader's points, in one batch.

    Writes: the ledger entries and a row for every outcome, refused and capped ones too; a message to each person to
        whom it brought something.
    """
    leader_id = session.activity.leader_resident_id
    leaders = list(residents_by_id(db, [leader_id]).values()) if leader_id is not None and people else []
    form = _form(db, session, actor, second)
    _tell(db, form, _award(db, form, people, [leader for leader in leaders if not leader.awaits_guardian]))


def award_late(db: Connection, session: Session, one: Attended, *, maker: str, checker: str) -> None:
    """Credit somebody who was entered late as the sign-off would have, by two people; leading brings nothing twice.

    Writes: as award_session, but for the message.
    """
    _award(db, replace(_form(db, session, maker, checker), is_late=True), [one], [])


def _form(db: Connection, session: Session, actor: str, checker: str | None = None) -> _Form:
    branch = get_branch(db, session.activity.branch_id)
    assert branch.book_id is not None, "an activity is held where a book is kept"
    return _Form(
        session,
        branch.book_id,
        clock.local(session.starts_at).date(),
        actor,
        ledger.internal_account(db, branch.book_id, AccountKind.ISSUER),
        ledger.internal_account(db, branch.book_id, AccountKind.REGISTRY),
        checker,
    )


def _award(db: Connection, form: _Form, people: Sequence[Attended], leaders: Sequence[Resident]) -> list[_Item]:
    """Decide and post the awards of people and of who led them, and return what came of each."""
    session = form.session
    everybody = {person.resident_id: person for person in [*(one.resident for one in people), *leaders]}
    accounts = {who: resident.account_id for who, resident in everybody.items()}
    taken_back = reversed_awards(db, form.book, list(everybody))
    tally = read_tally(db, form.book, accounts, form.day, taken_back)
    rule = get_rule(db, session.activity.rule_code, form.day)
    elsewhere = _credited_elsewhere(db, session, everybody, taken_back)
    items = [_attendance(form, rule, one, tally, one.resident.resident_id in elsewhere) for one in people]
    served = [item.row["resident_id"] for item in items if item.row["service_minutes"]]
    beginners = [everybody[who] for who in served if not tally.has_served(who)]
    for code, kind, group in (
        (FIRST_SERVICE_RULE, "first-service", beginners),
        (LEADING_RULE, "leading", leaders),
    ):
        if group:
            items += _bonuses(form, get_rule(db, code, form.day), kind, group, tally)
    _post(db, items)
    return items


def expiry_of(day: date) -> date:
    """Return the first day on which points of a day are gone: the same day 36 months on, or the month's
    last.
    """
    year, month = day.year + POINTS_LIVE_MONTHS // 12, day.month
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _attendance(form: _Form, rule: Rule, one: Attended, tally: Tally, is_elsewhere: bool) -> _Item:
    who = one.resident.resident_id
    source = f"{form.session.session_id}:{who}"
    if is_elsewhere or one.resident.awaits_guardian:
        return _item(form, rule, "attendance", source, one, _NOTHING, OVERLAP if is_elsewhere else NO_GUARDIAN)
    claim = Claim(minutes=one.minutes, planned_minutes=form.session.planned_minutes)
    outcome = award(rule, claim, tally.totals(who, rule.code))
    tally.add(who, rule.code, outcome)
    return _item(form, rule, "attendance", source, one, outcome)


def _bonuses(form: _Form, rule: Rule, kind: str, people: Iterable[Resident], tally: Tally) -> list[_Item]:
    """Return the points a session brings beside the attendance; they follow from it, with its proof."""
    items = []
    for resident in people:
        who = resident.resident_id
        outcome = award(rule, Claim(), tally.totals(who, rule.code))
        tally.add(who, rule.code, outcome)
        source = f"{form.session.session_id}:{who}"
        grade = "C" if form.is_late else "A"
        items.append(_item(form, rule, kind, source, Attended(resident, 0, grade), outcome))
    return items


def _item(
    form: _Form,
    rule: Rule,
    kind: str,
    source: str,
    one: Attended,
    outcome: Outcome,
    reason: str | None = None,
) -> _Item:
    row = {
        "session_id": form.session.session_id,
        "resident_id": one.resident.resident_id,
        "kind": kind,
        "rule_code": rule.code,
        "rule_version": rule.version,
        "occurred_on": form.day,
        "grade": one.grade,
        "reason": reason or outcome.reason.value,
        "capped_by": " ".join(outcome.capped_by),
        "review": outcome.review,
        "entry_id": None,
        "counted_times": outcome.counted_times,
        "surplus_points": outcome.surplus_points,
        "points": outcome.points,
        "present_minutes": one.minutes,
        "counted_minutes": outcome.counted_minutes,
        "service_minutes": outcome.minutes,
    }
    legs = _legs(form, one.resident.account_id, outcome)
    if not legs:
        return _Item(row, None, one.resident.branch_id)
    draft = Draft(
        book=form.book,
        kind="award",
        legs=legs,
        key=f"{kind}:{source}",
        actor=form.actor,
        checker=form.checker,
        branch=form.session.activity.branch_id,
        source=(kind, source),
        rule=(rule.code, rule.version),
        grade=one.grade,
        occurred_on=form.day,
        private={"activity": form.session.activity.title, "place": form.session.activity.place},
    )
    return _Item(row, draft, one.resident.branch_id)


def _legs(form: _Form, account: int, outcome: Outcome) -> tuple[Leg, ...]:
    legs: tuple[Leg, ...] = ()
    if outcome.points:
        expires_on = expiry_of(clock.today())
        legs += (Leg(form.issuer, Unit.POINTS, -outcome.points),)
        legs += (Leg(account, Unit.POINTS, outcome.points, expires_on=expires_on),)
    if outcome.minutes:
        legs += (
            Leg(form.registry, Unit.MINUTES, -outcome.minutes),
            Leg(account, Unit.MINUTES, outcome.minutes),
        )
    return legs


def _post(db: Connection, items: Sequence[_Item]) -> None:
    """Post what there is to post and keep every outcome; what the ledger refused counts towards no cap."""
    drafts = [item.draft for item in items if item.draft is not None]
    verdicts = ledger.post_many(db, drafts) if drafts else []
    if drafts:
        follow_posted(db, drafts[0].book, drafts, verdicts)
    answers = iter(verdicts)
    for item in items:
        if item.draft is None:
            continue
        answer = next(answers)
        if isinstance(answer, MoralBankError):
            item.row.update(
                reason=answer.code,
                points=0,
                surplus_points=0,
                service_minutes=0,
                counted_minutes=0,
                counted_times=0,
            )
        else:
            item.row["entry_id"] = answer.entry_id
    if items:
        db.execute(awards.insert(), [item.row for item in items])


def _tell(db: Connection, form: _Form, items: Sequence[_Item]) -> None:
    """Tell everybody once what the session brought them, all of it together; who got nothing is told nothing."""
    points: dict[int, int] = {}
    minutes: dict[int, int] = {}
    homes: dict[int, int] = {}
    for item in items:
        who = item.row["resident_id"]
        homes[who] = item.home
        points[who] = points.get(who, 0) + item.row["points"]
        minutes[who] = minutes.get(who, 0) + item.row["service_minutes"]
    event = f"award:session:{form.session.session_id}"
    messages.tell(
        db,
        [
            Note("award", event, home, who, facts={"points": points[who]})
            if points[who]
            else Note("service", event, home, who, facts={"minutes": minutes[who]})
            for who, home in homes.items()
            if points[who] or minutes[who]
        ],
    )


def _credited_elsewhere(
    db: Connection, session: Session, people: Collection[int], taken_back: Collection[UUID]
) -> set[int]:
    """Return who has an attendance entry of another session whose hours overlap: nobody is in two places."""
    query = (
        sa.select(awards.c.resident_id)
        .join(sessions, sessions.c.session_id == awards.c.session_id)
        .where(
            awards.c.resident_id.in_(list(people)),
            awards.c.kind == "attendance",
            awards.c.entry_id.is_not(None),
            standing(taken_back),
            sessions.c.session_id != session.session_id,
            sessions.c.starts_at < session.ends_at,
            sessions.c.ends_at > session.starts_at,
        )
    )
    return set(db.execute(query).scalars())
