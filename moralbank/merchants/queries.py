"""Reads merchants and offers; what leaves here are frozen values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from moralbank import clock
from moralbank.errors import MoralBankError
from moralbank.merchants.errors import OfferNotActive, UnknownMerchant, UnknownOffer
from moralbank.merchants.models import deeds, merchants, offer_months, offers
from moralbank.merchants.schedules import EVERY_DAY, MINUTES_OF_DAY, Schedule, closed
from moralbank.messages.values import Reach
from moralbank.prepared import Prepared, Question, all_rows, ask

SETTLEMENT_MODES = ("donated", "subsidised", "recirculated")
STATUSES = ("applied", "visited", "active", "suspended", "left")
LIST_MAX = 500


@dataclass(frozen=True, slots=True)
class Merchant:
    """A partner merchant; account_id is where its points arrive in the book."""

    merchant_id: int
    book_id: int
    account_id: int
    branch_id: int
    code: str
    name: str
    kind: str
    contact: str
    phone: str
    settlement_mode: str
    status: str

    @property
    def is_active(self) -> bool:
        return self.status == "active"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a merchant gives for points; settlement_fen is what the fund pays for one."""

    offer_id: int
    merchant_id: int
    code: str
    title: str
    points: int
    monthly_quota: int
    per_resident_per_month: int
    settlement_fen: int
    status: str
    from_on: date | None = None
    until_on: date | None = None
    weekdays: int = EVERY_DAY
    opens_minutes: int = 0
    closes_minutes: int = MINUTES_OF_DAY
    photo_key: str | None = None

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.from_on, self.until_on, self.weekdays, self.opens_minutes, self.closes_minutes)

    def refusal_now(self) -> MoralBankError | None:
        """Return why it can't be had at this moment, off the list or by its schedule, or None."""
        if not self.is_active:
            return OfferNotActive(offer=self.title)
        return closed(self.schedule, self.title, clock.now())


@dataclass(frozen=True, slots=True)
class StockedOffer:
    """An offer with its merchant and what is left of it in one month."""

    offer: Offer
    merchant: Merchant
    used: int

    @property
    def left(self) -> int:
        return max(0, self.offer.monthly_quota - self.used)

    @property
    def opens_at(self) -> datetime | None:
        """When it can be had next by its schedule: now, while it can be; None when it is over."""
        return self.offer.schedule.next_opening(clock.now())

    @property
    def photo_path(self) -> str | None:
        return f"/photos/{self.offer.photo_key}" if self.offer.photo_key else None

    @property
    def is_open(self) -> bool:
        """Whether its schedule has it given at this moment."""
        return self.offer.schedule.is_open(clock.now())


_MERCHANT = [merchants.c[name] for name in Merchant.__slots__]
_OFFER = [offers.c[name] for name in Offer.__slots__]


def month_of(day: date) -> date:
    """Return the first day of a date's month, by which offers are counted."""
    return day.replace(day=1)


_FIND_MERCHANT = Prepared(sa.select(*_MERCHANT).where(merchants.c.merchant_id == sa.bindparam("merchant_id")))
_FIND_OFFER = Prepared(sa.select(*_OFFER).where(offers.c.offer_id == sa.bindparam("offer_id")))


def find_merchant(db: Connection, merchant_id: int) -> Merchant | None:
    row = _FIND_MERCHANT.first(db, merchant_id=merchant_id)
    return Merchant(*row) if row else None


def get_merchant(db: Connection, merchant_id: int) -> Merchant:
    """Return the merchant or raise UnknownMerchant."""
    merchant = find_merchant(db, merchant_id)
    if merchant is None:
        raise UnknownMerchant
    return merchant


def find_merchant_by_code(db: Connection, book_id: int, code: str) -> Merchant | None:
    where = (merchants.c.book_id == book_id) & (merchants.c.code == code)
    row = db.execute(sa.select(*_MERCHANT).where(where)).first()
    return Merchant(*row) if row else None


def list_merchants(
    db: Connection,
    *,
    branch_ids: list[int] | None = None,
    status: str | None = None,
    q: str = "",
    after_id: int = 0,
    limit: int = LIST_MAX,
) -> list[Merchant]:
    """List merchants as they joined; branch_ids None means everywhere, q is part of a name, or a code."""
    query = sa.select(*_MERCHANT).where(merchants.c.merchant_id > after_id)
    if branch_ids is not None:
        query = query.where(merchants.c.branch_id.in_(branch_ids))
    if status:
        query = query.where(merchants.c.status == status)
    if q:
        query = query.where(sa.or_(merchants.c.name.contains(q, autoescape=True), merchants.c.code == q.upper()))
    rows = db.execute(query.order_by(merchants.c.merchant_id).limit(min(limit, LIST_MAX)))
    return [Merchant(*row) for row in rows]


def all_merchants(db: Connection, branch_ids: list[int] | None = None) -> list[Merchant]:
    """Return all merchants of branches, however many they are; None means everywhere."""
    found: list[Merchant] = []
    while page := list_merchants(db, branch_ids=branch_ids, after_id=found[-1].merchant_id if found else 0):
        found += page
    return found


def list_merchants_by_id(db: Connection, merchant_ids: Collection[int]) -> dict[int, Merchant]:
    """Return the merchants with these ids, for what names many at once."""
    found: dict[int, Merchant]
    [found] = ask(db, asking_merchants(merchant_ids))
    return found


def asking_merchants(merchant_ids: Collection[int]) -> Question[dict[int, Merchant]]:
    """Ask for the merchants with these ids."""
    given = [{"merchant_id": merchant_id} for merchant_id in merchant_ids]
    return Question(_FIND_MERCHANT, given, lambda found: {row[0]: Merchant(*row) for rows in found for row in rows})


def asking_offers(offer_ids: Collection[int]) -> Question[dict[int, Offer]]:
    """Ask for the offers with these ids."""
    given = [{"offer_id": offer_id} for offer_id in offer_ids]
    return Question(_FIND_OFFER, given, lambda found: {row[0]: Offer(*row) for rows in found for row in rows})


_USED = Prepared(
    sa.select(offer_months.c.offer_id, offer_months.c.used).where(
        offer_months.c.offer_id == sa.bindparam("offer_id"), offer_months.c.month_on == sa.bindparam("month_on")
    )
)


def asking_used(offer_ids: Collection[int], day: date) -> Question[dict[int, int]]:
    """Ask how many of each offer were used up in the day's month; what nobody has had yet is left out."""
    given = [{"offer_id": offer_id, "month_on": month_of(day)} for offer_id in offer_ids]
    return Question(_USED, given, lambda found: dict(all_rows(found)))


def find_offer(db: Connection, offer_id: int) -> Offer | None:
    row = _FIND_OFFER.first(db, offer_id=offer_id)
    return Offer(*row) if row else None


def get_offer(db: Connection, offer_id: int) -> Offer:
    """Return the offer or raise UnknownOffer."""
    offer = find_offer(db, offer_id)
    if offer is None:
        raise UnknownOffer
    return offer


def find_offer_by_code(db: Connection, merchant_id: int, code: str) -> Offer | None:
    where = (offers.c.merchant_id == merchant_id) & (offers.c.code == code)
    row = db.execute(sa.select(*_OFFER).where(where)).first()
    return Offer(*row) if row else None


def get_stocked_offer(db: Connection, offer_id: int) -> StockedOffer:
    """Return one offer with its merchant and this month's use, or raise UnknownOffer."""
    row = db.execute(_stocked().where(offers.c.offer_id == offer_id)).first()
    if row is None:
        raise UnknownOffer
    return _to_stocked(row)


def list_offers(
    db: Connection,
    *,
    merchant_id: int | None = None,
    branch_ids: list[int] | None = None,
    book_id: int | None = None,
    only_open: bool = False,
    only_standing: bool = False,
    after_id: int = 0,
    limit: int = LIST_MAX,
) -> list[StockedOffer]:
    """List offers with this month's use.

    only_standing: those that some are left of and that are not over; only_open: of them those that a resident could
    take at this moment.
    """
    query = _stocked().where(offers.c.offer_id > after_id)
    if merchant_id is not None:
        query = query.where(offers.c.merchant_id == merchant_id)
    if branch_ids is not None:
        query = query.where(merchants.c.branch_id.in_(branch_ids))
    if book_id is not None:
        query = query.where(merchants.c.book_id == book_id)
    if only_open or only_standing:
        used = sa.func.coalesce(offer_months.c.used, 0)
        query = query.where(merchants.c.status == "active", offers.c.status == "active", used < offers.c.monthly_quota)
        query = query.where(offers.c.until_on.is_(None) | (offers.c.until_on >= clock.today()))
    if only_open:
        query = query.where(_is_open())
    rows = db.execute(query.order_by(offers.c.offer_id).limit(min(limit, LIST_MAX)))
    return [_to_stocked(row) for row in rows]


def _is_open() -> sa.ColumnElement[bool]:
    """Say for a query what Schedule.is_open says of a value, but for the last day."""
    at = clock.local(clock.now())
    minute = at.hour * 60 + at.minute
    return sa.and_(
        offers.c.from_on.is_(None) | (offers.c.from_on <= at.date()),
        offers.c.weekdays.op("&", is_comparison=False)(1 << at.weekday()) != 0,
        offers.c.opens_minutes <= minute,
        offers.c.closes_minutes > minute,
    )


def _stocked() -> sa.Select[tuple[object, ...]]:
    this_month = (offer_months.c.offer_id == offers.c.offer_id) & (offer_months.c.month_on == month_of(clock.today()))
    return (
        sa.select(*_OFFER, *_MERCHANT, sa.func.coalesce(offer_months.c.used, 0))
        .join_from(offers, merchants, offers.c.merchant_id == merchants.c.merchant_id)
        .outerjoin(offer_months, this_month)
    )


def _to_stocked(row: Row[tuple[object, ...]]) -> StockedOffer:
    middle = len(_OFFER)
    return StockedOffer(Offer(*row[:middle]), Merchant(*row[middle:-1]), row[-1])  # type: ignore[arg-type]


def branch_of_account(book_id: sa.ColumnElement[int], account_id: sa.ColumnElement[int]) -> sa.ScalarSelect[int]:
    """Return as a column for a query of another package the branch of the merchant whose account it is, or NULL."""
    where = (merchants.c.book_id == book_id) & (merchants.c.account_id == account_id)
    return sa.select(merchants.c.branch_id).where(where).scalar_subquery()


def merchants_by_account(db: Connection, account_ids: Collection[int]) -> dict[int, Merchant]:
    """Return the merchants whose points arrive in these accounts, by account."""
    rows = db.execute(sa.select(*_MERCHANT).where(merchants.c.account_id.in_(account_ids)))
    return {row.account_id: Merchant(*row) for row in rows}


@dataclass(frozen=True, slots=True)
class Change:
    """One detail that a deed set; before and after are None where they are nobody's business."""

    detail: str
    before: str | int | None
    after: str | int | None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done to a merchant or, where there is a title, to one of its offers."""

    #: "added", "edited" or "status".
    deed: str
    offer_title: str | None
    changes: tuple[Change, ...]
    done_at: datetime
    done_by: str


def list_deeds(db: Connection, merchant_id: int, *, limit: int = 50) -> list[Deed]:
    """List what was done to a merchant and its offers, newest first."""
    statement = (
        sa.select(deeds.c.deed, offers.c.title, deeds.c.changes, deeds.c.done_at, deeds.c.done_by)
        .select_from(deeds.outerjoin(offers, offers.c.offer_id == deeds.c.offer_id))
        .where(deeds.c.merchant_id == merchant_id)
        .order_by(deeds.c.deed_id.desc())
        .limit(min(limit, LIST_MAX))
    )
    rows = db.execute(statement)
    return [Deed(deed, title, tuple(Change(*one) for one in changes), *rest) for deed, title, changes, *rest in rows]


def reach_of(db: Connection, merchant_ids: Collection[int]) -> dict[int, Reach]:
    """Return where merchants who are here can be reached, by merchant."""
    row = merchants.c
    query = sa.select(row.merchant_id, row.phone, row.code).where(
        row.merchant_id.in_(list(merchant_ids)), row.status != "left"
    )
    return {one.merchant_id: Reach(phone=one.phone or None, number=one.code) for one in db.execute(query)}
