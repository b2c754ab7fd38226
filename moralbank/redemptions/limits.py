"""What one resident may spend, checked while the resident's month is locked; writes only that month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.errors import MoralBankError
from moralbank.merchants.queries import Offer, month_of
from moralbank.prepared import Insert, Prepared, Question, Row, all_rows
from moralbank.redemptions.errors import (
    CardLimitReached,
    ChargedJustNow,
    DayLimitReached,
    OfferLimitReached,
    PhoneNeeded,
)
from moralbank.redemptions.models import charges, spendings, vouchers
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.queries import Receipt


@dataclass(frozen=True, slots=True)
class Limits:
    """What one resident may spend at all merchants together."""

    points_per_day_max: int = 300
    points_per_month_max: int = 600
    #: By card and PIN alone, without a phone.
    card_points_per_day_max: int = 50
    #: Within this time the same merchant, resident and points are asked about before they are charged again.
    repeat_seconds: int = 60
    #: What a code alone pays at most; above it the resident agrees on the phone. None: whatever the code is for.
    phone_above_points: int | None = None


DEFAULT_LIMITS = Limits()
#: What holds where a code is scanned, by hand or by a program.
TILL_LIMITS = Limits(phone_above_points=100)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the resident's charges come to that were not undone."""

    #: Of the offer asked for, this month.
    times: int
    #: Points of today, at all merchants, and those of them by card.
    spent: int
    spent_by_card: int
    #: Charges of the same points at the same merchant, just now.
    alike: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What a resident is about to pay at a merchant."""

    merchant_id: int
    resident_id: int
    offer: Offer | None
    points: int
    means: Means
    #: The operator was asked about a repetition and wants it.
    is_confirmed: bool
    #: The resident agreed on their own phone.
    is_agreed: bool = False


def judge(limits: Limits, bill: Bill, standing: Standing) -> MoralBankError | None:
    """Return what a counted bill is refused for, if anything.

    In the order checked: OfferLimitReached, DayLimitReached, CardLimitReached, PhoneNeeded; ChargedJustNow when the
    merchant charged the resident the same a moment ago and nobody has confirmed it.
    """
    offer, points = bill.offer, bill.points
    if offer is not None and standing.times >= offer.per_resident_per_month:
        return OfferLimitReached(offer=offer.title, times=offer.per_resident_per_month)
    if standing.spent + points > limits.points_per_day_max:
        return DayLimitReached(points=limits.points_per_day_max)
    if bill.means is Means.CARD_PIN and standing.spent_by_card + points > limits.card_points_per_day_max:
        return CardLimitReached(points=limits.card_points_per_day_max)
    most = limits.phone_above_points
    if most is not None and bill.means is Means.CODE and points > most and not bill.is_agreed:
        return PhoneNeeded(points=points)
    if standing.alike and not bill.is_confirmed:
        return ChargedJustNow(points=points)
    return None


#: Never below nothing: what was reserved in one month may be collected, and given back, in another.
_fewer = spendings.c.points - sa.bindparam("less", type_=sa.Integer)
_GIVE_BACK = Prepared(
    spendings.update()
    .where(spendings.c.resident_id == sa.bindparam("of_resident_id"), spendings.c.month_on == sa.bindparam("in_month"))
    .values(points=sa.case((_fewer >= 0, _fewer), else_=0))
)


def give_back(db: Connection, day: date, bills: Sequence[Bill | Receipt]) -> None:
    """Take what was not charged in the end, or was undone, out of its resident's month again."""
    month = month_of(day)
    _GIVE_BACK.touch_each(
        db, [{"of_resident_id": bill.resident_id, "in_month": month, "less": bill.points} for bill in bills]
    )


def _counting(insert: Insert) -> sa.Insert:
    adding = insert(spendings).values({column.name: sa.bindparam(column.name) for column in spendings.c})
    points = spendings.c.points + adding.excluded.points
    counted: sa.Insert = adding.on_conflict_do_update(
        index_elements=["resident_id", "month_on"],
        set_={"points": points},
        where=points <= sa.bindparam("most", type_=sa.Integer),
    ).returning(spendings.c.resident_id)
    return counted


_COUNT = Prepared(_counting)


def asking_to_count(limits: Limits, bills: Sequence[Bill]) -> Question[list[bool]]:
    """Ask to count each bill's points into its resident's month, and which of them fit into it.

    Each bill is of another resident. This locks the resident, so that two tills at once are looked at one after the
    other; what is refused later must be given back.
    """
    most = limits.points_per_month_max
    month = month_of(clock.today())
    # In one order everywhere, so that two batches wait for each other and never in a ring.
    fitting = sorted((bill for bill in bills if bill.points <= most), key=lambda bill: bill.resident_id)
    given = [
        {"resident_id": bill.resident_id, "month_on": month, "points": bill.points, "most": most} for bill in fitting
    ]

    def read(found: list[list[Row]]) -> list[bool]:
        counted = {resident_id for (resident_id,) in all_rows(found)}
        return [bill.resident_id in counted for bill in bills]

    return Question(_COUNT, given, read)


def _sum(what: sa.ColumnElement[int] | int, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*conditions), what), else_=0)), 0)


_today = charges.c.charged_at >= sa.bindparam("today_from")
_kept = charges.c.points - charges.c.refunded_points
_STANDING = Prepared(
    sa.select(
        _sum(
            1,
            charges.c.charged_at >= sa.bindparam("month_from"),
            charges.c.offer_id == sa.bindparam("offer_id"),
            charges.c.returned_at.is_(None),
        )
        + sa.select(sa.func.count())
        .where(
            vouchers.c.resident_id == sa.bindparam("resident_id"),
            vouchers.c.offer_id == sa.bindparam("offer_id"),
            vouchers.c.state == "waiting",
            vouchers.c.reserved_at >= sa.bindparam("month_from"),
        )
        .scalar_subquery(),
        _sum(_kept, _today),
        _sum(_kept, _today, charges.c.means == Means.CARD_PIN.value),
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


def asking_standings(limits: Limits, bills: Sequence[Bill]) -> Question[list[Standing]]:
    """Ask once for all that the limits ask about, no further back than they need."""
    today = clock.today()
    just_from = clock.now() - timedelta(seconds=limits.repeat_seconds)
    today_from, month_from = clock.start_of(today), clock.start_of(month_of(today))
    given = [
        {
            "resident_id": bill.resident_id,
            "merchant_id": bill.merchant_id,
            "offer_id": bill.offer.offer_id if bill.offer else None,
            "points": bill.points,
            "month_from": month_from,
            "today_from": today_from,
            "just_from": just_from,
            "all_from": min(just_from, month_from if bill.offer else today_from),
        }
        for bill in bills
    ]
    return Question(_STANDING, given, lambda found: [Standing(*row) for [row] in found])
