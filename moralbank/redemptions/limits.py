"""What one resident may spend, checked while the resident's month is locked; writes only that month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.db import insert_for
from moralbank.merchants.queries import Offer, month_of
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


def check_and_count(
    db: Connection, limits: Limits, resident_id: int, offer: Offer | None, points: int, means: Means
) -> None:
    """Count the points into the resident's month and refuse what goes beyond a limit.

    Counting comes first because it locks the resident: two tills at once are looked at one after the other.
    Raises (in the order checked): MonthLimitReached, OfferLimitReached, DayLimitReached, CardLimitReached.
    """
    _count(db, limits, resident_id, points)
    today = clock.today()
    if offer is not None:
        since = clock.start_of(month_of(today))
        taken = _standing(db, resident_id, since, charges.c.offer_id == offer.offer_id, sa.func.count())
        if taken >= offer.per_resident_per_month:
            raise OfferLimitReached(offer=offer.title, times=offer.per_resident_per_month)
    spent = sa.func.coalesce(sa.func.sum(charges.c.points), 0)
    since = clock.start_of(today)
    if _standing(db, resident_id, since, sa.true(), spent) + points > limits.points_per_day_max:
        raise DayLimitReached(points=limits.points_per_day_max)
    if means is Means.CARD_PIN:
        by_card = _standing(db, resident_id, since, charges.c.means == Means.CARD_PIN, spent)
        if by_card + points > limits.card_points_per_day_max:
            raise CardLimitReached(points=limits.card_points_per_day_max)


def ask_about_repeat(db: Connection, limits: Limits, merchant_id: int, resident_id: int, points: int) -> None:
    """Raise ChargedJustNow when the merchant charged the resident the same a moment ago."""
    since = clock.now() - timedelta(seconds=limits.repeat_seconds)
    same = sa.and_(charges.c.merchant_id == merchant_id, charges.c.points == points)
    if _standing(db, resident_id, since, same, sa.func.count()):
        raise ChargedJustNow(points=points)


def give_back(db: Connection, resident_id: int, day: date, points: int) -> None:
    """Take an undone charge out of the resident's month again."""
    month = (spendings.c.resident_id == resident_id) & (spendings.c.month_on == month_of(day))
    db.execute(spendings.update().where(month).values(points=spendings.c.points - points))


def _count(db: Connection, limits: Limits, resident_id: int, points: int) -> None:
    if points > limits.points_per_month_max:
        raise MonthLimitReached(points=limits.points_per_month_max)
    row = insert_for(db, spendings).values(resident_id=resident_id, month_on=month_of(clock.today()), points=points)
    counted = row.on_conflict_do_update(
        index_elements=["resident_id", "month_on"],
        set_={"points": spendings.c.points + points},
        where=spendings.c.points + points <= limits.points_per_month_max,
    )
    if db.execute(counted.returning(spendings.c.points)).first() is None:
        raise MonthLimitReached(points=limits.points_per_month_max)


def _standing(
    db: Connection,
    resident_id: int,
    since: datetime,
    condition: sa.ColumnElement[bool],
    what: sa.ColumnElement[int],
) -> int:
    """Return a figure over the resident's charges since an instant that were not undone."""
    query = sa.select(what).where(
        charges.c.resident_id == resident_id,
        charges.c.charged_at >= since,
        charges.c.undone_at.is_(None),
        condition,
    )
    return db.execute(query.select_from(charges)).scalar_one()
