"""What one resident may spend, checked while the resident's month is locked; writes only that month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.merchants.queries import Offer, month_of
from moralbank.prepared import Prepared
from moralbank.redemptions.errors import (
    CardLimitReached,
    ChargedJustNow,
    DayLimitReached,
    MonthLimitReached,
    OfferLimitReached,
)
from moralbank.redemptions.models import charges, spendings
from moralbank.redemptions.numbers import Means


@dataclass(frozen=True, slots=True)
class Limits:
    """What one resident may spend at all merchants together."""

    points_per_day_max: int = 300
    points_per_month_max: int = 600
    #: By card and PIN alone, without a phone.
    card_points_per_day_max: int = 50
    #: Within this time the same merchant, resident and points are asked about before they are charged again.
    repeat_seconds: int = 60


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the resident's charges come to that were not undone."""

    #: Of the offer asked for, this month.
    times: int
    #: Points of today, at all merchants, and those of them by card.
    spent: int
    spent_by_card: int
    #: Charges of the same points at the same merchant, just now.
    alike: int


def check_and_count(
    db: Connection,
    limits: Limits,
    merchant_id: int,
    resident_id: int,
    offer: Offer | None,
    points: int,
    means: Means,
    *,
    is_confirmed: bool,
) -> None:
    """Count the points into the resident's month and refuse what goes beyond a limit.

    Counting comes first because it locks the resident: two tills at once are looked at one after the other.
    Raises (in the order checked): MonthLimitReached, OfferLimitReached, DayLimitReached, CardLimitReached;
        ChargedJustNow when the merchant charged the resident the same a moment ago and nobody has confirmed it.
    """
    _count(db, limits, resident_id, points)
    standing = _look(db, limits, merchant_id, resident_id, offer, points)
    if offer is not None and standing.times >= offer.per_resident_per_month:
        raise OfferLimitReached(offer=offer.title, times=offer.per_resident_per_month)
    if standing.spent + points > limits.points_per_day_max:
        raise DayLimitReached(points=limits.points_per_day_max)
    if means is Means.CARD_PIN and standing.spent_by_card + points > limits.card_points_per_day_max:
        raise CardLimitReached(points=limits.card_points_per_day_max)
    if standing.alike and not is_confirmed:
        raise ChargedJustNow(points=points)


def give_back(db: Connection, resident_id: int, day: date, points: int) -> None:
    """Take an undone charge out of the resident's month again."""
    month = (spendings.c.resident_id == resident_id) & (spendings.c.month_on == month_of(day))
    db.execute(spendings.update().where(month).values(points=spendings.c.points - points))


_COUNT = Prepared(
    lambda insert: (
        insert(spendings)
        .values({column.name: sa.bindparam(column.name) for column in spendings.c})
        .on_conflict_do_update(
            index_elements=["resident_id", "month_on"],
            set_={"points": spendings.c.points + sa.bindparam("points")},
            where=spendings.c.points + sa.bindparam("points") <= sa.bindparam("most", type_=sa.Integer),
        )
        .returning(spendings.c.points)
    )
)


def _count(db: Connection, limits: Limits, resident_id: int, points: int) -> None:
    most = limits.points_per_month_max
    month = month_of(clock.today())
    if points > most or not _COUNT.first(db, resident_id=resident_id, month_on=month, points=points, most=most):
        raise MonthLimitReached(points=most)


def _sum(what: sa.ColumnElement[int] | int, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*conditions), what), else_=0)), 0)


_today = charges.c.charged_at >= sa.bindparam("today_from")
_STANDING = Prepared(
    sa.select(
        _sum(1, charges.c.charged_at >= sa.bindparam("month_from"), charges.c.offer_id == sa.bindparam("offer_id")),
        _sum(charges.c.points, _today),
        _sum(charges.c.points, _today, charges.c.means == Means.CARD_PIN.value),
        _sum(
            1,
            charges.c.charged_at >= sa.bindparam("just_from"),
            charges.c.merchant_id == sa.bindparam("merchant_id"),
            charges.c.points == sa.bindparam("points"),
        ),
    ).where(
        charges.c.resident_id == sa.bindparam("resident_id"),
        charges.c.charged_at >= sa.bindparam("all_from"),
        charges.c.undone_at.is_(None),
    )
)


def _look(
    db: Connection, limits: Limits, merchant_id: int, resident_id: int, offer: Offer | None, points: int
) -> _Standing:
    """Look once at all that the limits ask about, no further back than they need."""
    today = clock.today()
    just_from = clock.now() - timedelta(seconds=limits.repeat_seconds)
    today_from, month_from = clock.start_of(today), clock.start_of(month_of(today))
    row = _STANDING.first(
        db,
        resident_id=resident_id,
        merchant_id=merchant_id,
        offer_id=offer.offer_id if offer else None,
        points=points,
        month_from=month_from,
        today_from=today_from,
        just_from=just_from,
        all_from=min(just_from, month_from if offer else today_from),
    )
    assert row is not None, "sums have a row"
    return _Standing(*row)
