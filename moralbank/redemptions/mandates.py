"""What a code pays for that somebody else showed: their scope and limits, as they stand when it is scanned."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.behalf import queries as behalf
from moralbank.behalf.values import Limits, Link
from moralbank.errors import MoralBankError
from moralbank.merchants.queries import month_of
from moralbank.redemptions.errors import (
    HelperChargeLimitReached,
    HelperDayLimitReached,
    HelperEnded,
    HelperMonthLimitReached,
)
from moralbank.redemptions.models import charges
from moralbank.residents.queries import Resident, find_residents


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent by a link and stands: today, and this month."""

    today: int = 0
    this_month: int = 0


@dataclass(frozen=True, slots=True)
class Mandate:
    """A link as a till meets it: who showed the code, within what, and what they spent by it already."""

    link: Link
    masked_name: str
    #: None: a helper who is no resident.
    helper: Resident | None
    spent: Spent

    @property
    def actor(self) -> str:
        return self.link.actor


@dataclass(frozen=True, slots=True)
class Left:
    """What a helper may still spend for somebody."""

    today: int
    this_month: int


def find_mandates(db: Connection, link_ids: Collection[int]) -> dict[int, Mandate]:
    """Return links as tills meet them, by id; what they spent is as committed, or written under the same lock."""
    links = behalf.find_links(db, link_ids)
    names = behalf.parties(db, list(links.values()))
    people = find_residents(
        db, {link.actor_resident_id for link in links.values() if link.actor_resident_id is not None}
    )
    spent = spent_by(db, link_ids)
    return {
        link_id: Mandate(
            link, names[link_id].masked_name, people.get(link.actor_resident_id or 0), spent.get(link_id, Spent())
        )
        for link_id, link in links.items()
    }


def spent_by(db: Connection, link_ids: Collection[int]) -> dict[int, Spent]:
    """Return what was spent, and not given back, by each link or one of before between the same two."""
    alike = behalf.list_alike(db, link_ids)
    today = clock.today()
    kept = charges.c.points - charges.c.refunded_points
    of_today = sa.case((charges.c.charged_at >= clock.start_of(today), kept), else_=0)
    query = (
        sa.select(charges.c.link_id, sa.func.sum(of_today), sa.func.sum(kept))
        .where(
            # The index is by resident.
            charges.c.resident_id.in_({who for _, who, _ in alike}),
            charges.c.charged_at >= clock.start_of(month_of(today)),
            charges.c.link_id.in_({other for _, _, other in alike}),
            charges.c.undone_at.is_(None),
        )
        .group_by(charges.c.link_id)
    )
    sums = {link_id: (int(day), int(month)) for link_id, day, month in db.execute(query)}
    found: dict[int, Spent] = {}
    for link_id, _, other in alike:
        so_far, (day, month) = found.get(link_id, Spent()), sums.get(other, (0, 0))
        found[link_id] = Spent(so_far.today + day, so_far.this_month + month)
    return found


def left_by(db: Connection, links: Collection[Link]) -> dict[int, Left]:
    """Return what helpers may still spend by their links, by link."""
    spent = spent_by(db, [link.link_id for link in links])
    return {
        link.link_id: left_of(link.limits, spent.get(link.link_id, Spent()))
        for link in links
        if link.limits is not None
    }


def left_of(limits: Limits, spent: Spent) -> Left:
    """Return what may still be spent today and this month, never below nothing. Pure."""
    month = max(0, limits.points_per_month_max - spent.this_month)
    return Left(min(month, max(0, limits.points_per_day_max - spent.today)), month)


def judge(mandate: Mandate, points: int) -> MoralBankError | None:
    """Return what a charge by somebody else's code is refused for, if anything. Pure.

    In the order checked: HelperEnded, and for helpers HelperChargeLimitReached, HelperDayLimitReached,
    HelperMonthLimitReached; family spends within the resident's own limits.
    """
    link, limits = mandate.link, mandate.link.limits
    if not link.stands or not link.scope.may_pay:
        return HelperEnded()
    if limits is None:
        return None
    if points > limits.points_per_charge_max:
        return HelperChargeLimitReached(points=limits.points_per_charge_max)
    if mandate.spent.today + points > limits.points_per_day_max:
        return HelperDayLimitReached(points=limits.points_per_day_max)
    if mandate.spent.this_month + points > limits.points_per_month_max:
        return HelperMonthLimitReached(points=limits.points_per_month_max)
    return None
