"""What residents were credited before, read once for a whole session, and moved on award by award."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.activities.models import awards
from moralbank.approvals import queries as approvals
from moralbank.earning import Outcome, Totals
from moralbank.ledger import Unit


@dataclass(slots=True)
class _Sums:
    """One person's sums under one rule."""

    minutes_in_day: int = 0
    times_in_day: int = 0
    times_in_month: int = 0
    times_ever: int = 0
    points_in_month: int = 0
    points_in_year: int = 0


@dataclass(slots=True)
class Tally:
    """The totals of the people of a session on its day, by person and rule."""

    sums: dict[tuple[int, str], _Sums] = field(default_factory=dict)
    points: dict[int, int] = field(default_factory=dict)
    minutes: dict[int, int] = field(default_factory=dict)

    def totals(self, resident_id: int, rule_code: str) -> Totals:
        """Return what the caps of a rule have to know of a person."""
        theirs = [sums for (who, _), sums in self.sums.items() if who == resident_id]
        own = self.sums.get((resident_id, rule_code), _Sums())
        return Totals(
            rule_minutes_in_day=own.minutes_in_day,
            minutes_in_day=sum(sums.minutes_in_day for sums in theirs),
            rule_times_in_day=own.times_in_day,
            rule_times_in_month=own.times_in_month,
            rule_times_ever=own.times_ever,
            points_in_month=sum(sums.points_in_month for sums in theirs),
            points_in_year=sum(sums.points_in_year for sums in theirs),
            balance_points=max(0, self.points.get(resident_id, 0)),
        )

    def has_served(self, resident_id: int) -> bool:
        """Tell whether the person's service record held anything before this session."""
        return self.minutes.get(resident_id, 0) > 0

    def add(self, resident_id: int, rule_code: str, outcome: Outcome) -> None:
        """Let the next award of the session know of this one."""
        sums = self.sums.setdefault((resident_id, rule_code), _Sums())
        sums.minutes_in_day += outcome.counted_minutes
        sums.times_in_day += outcome.counted_times
        sums.times_in_month += outcome.counted_times
        sums.times_ever += outcome.counted_times
        sums.points_in_month += outcome.points
        sums.points_in_year += outcome.points
        self.points[resident_id] = self.points.get(resident_id, 0) + outcome.points


def reversed_awards(db: Connection, book: int, people: Collection[int]) -> set[UUID]:
    """Return which entries of these residents' awards are reversed: for what comes next they never were."""
    query = sa.select(awards.c.entry_id).where(awards.c.resident_id.in_(people), awards.c.entry_id.is_not(None))
    return ledger.reversed_ones(db, book, db.execute(query).scalars()) | approvals.taken_back(db, book, people)


def standing(taken_back: Collection[UUID]) -> sa.ColumnElement[bool]:
    """Return the condition that an award stands: none of its points was taken back."""
    return sa.or_(awards.c.entry_id.is_(None), awards.c.entry_id.not_in(taken_back))


def read_tally(
    db: Connection, book: int, accounts: Mapping[int, int], day: date, taken_back: Collection[UUID] = ()
) -> Tally:
    """Return the tally of the residents (with their accounts) for a day. Three queries, however many people.

    taken_back: the entries that count towards no cap (see reversed_awards).
    """
    first = day.replace(day=1)
    next_month = (first + timedelta(days=32)).replace(day=1)
    in_month = sa.and_(awards.c.occurred_on >= first, awards.c.occurred_on < next_month)
    in_year = sa.and_(awards.c.occurred_on >= date(day.year, 1, 1), awards.c.occurred_on <= date(day.year, 12, 31))
    query = (
        sa.select(
            awards.c.resident_id,
            awards.c.rule_code,
            _sum_where(awards.c.occurred_on == day, awards.c.counted_minutes),
            _sum_where(awards.c.occurred_on == day, awards.c.counted_times),
            _sum_where(in_month, awards.c.counted_times),
            sa.func.sum(awards.c.counted_times),
            _sum_where(in_month, awards.c.points),
            _sum_where(in_year, awards.c.points),
        )
        .where(awards.c.resident_id.in_(list(accounts)), standing(taken_back))
        .group_by(awards.c.resident_id, awards.c.rule_code)
    )
    tally = Tally()
    for row in db.execute(query):
        tally.sums[row[0], row[1]] = _Sums(*(int(amount) for amount in row[2:]))
    points = ledger.available(db, book, list(accounts.values()))
    minutes = ledger.balances(db, book, list(accounts.values()), Unit.MINUTES)
    for who, account in accounts.items():
        tally.points[who] = points.get(account, 0)
        tally.minutes[who] = minutes.get(account, 0)
    return tally


def _sum_where(condition: sa.ColumnElement[bool], amount: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, amount), else_=0))
