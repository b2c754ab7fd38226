"""Reserving an offer from the phone: its points are held by the ledger until it is collected, cancelled or lapses.

What is reserved is taken from the shelf and counted into the resident's month when it is, as a charge would be, so
nothing is promised twice; whoever ends it without collecting gives both back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids, ledger
from moralbank.db import Raced
from moralbank.errors import MoralBankError, Refused
from moralbank.ledger import Draft, Leg, Unit
from moralbank.merchants import queries as merchant_queries
from moralbank.merchants import service as merchant_service
from moralbank.merchants.errors import MerchantNotActive, OfferNotActive, OfferUsedUp
from moralbank.merchants.queries import Merchant, Offer
from moralbank.merchants.schedules import closed, reservable
from moralbank.prepared import ask
from moralbank.redemptions import errors
from moralbank.redemptions.answers import check_same, find_answers, keep_charge, outcome
from moralbank.redemptions.charging import POINTS_ONLY, are_family
from moralbank.redemptions.codes import digest
from moralbank.redemptions.limits import (
    DEFAULT_LIMITS,
    Bill,
    Limits,
    asking_standings,
    asking_to_count,
    give_back,
    judge,
)
from moralbank.redemptions.models import charges, vouchers
from moralbank.redemptions.numbers import CODE_RANDOM_DIGITS, VOUCHER_PREFIX, Means
from moralbank.redemptions.orders import Ask
from moralbank.redemptions.queries import Receipt, get_receipt
from moralbank.redemptions.tills import check_till
from moralbank.residents.queries import find_residents, get_resident

#: How many days after the day of reserving it can be collected, and how many a resident has at once.
DAYS = 7
AT_ONCE_MAX = 3
LIST_MAX = 50


@dataclass(frozen=True, slots=True)
class Voucher:
    """Something reserved; number is what the till scans."""

    voucher_id: int
    number: str
    resident_id: int
    merchant_id: int
    offer_id: int
    book_id: int
    title: str
    points: int
    hold_entry_id: UUID | None
    reserved_at: datetime
    until_on: date
    state: str
    ended_at: datetime | None
    charge_id: int | None
    collects: int

    @property
    def is_waiting(self) -> bool:
        """Whether it can be collected; after its last day it can't, noted or not."""
        return self.state == "waiting" and clock.today() <= self.until_on

    @property
    def shown_state(self) -> str:
        return "lapsed" if self.state == "waiting" and not self.is_waiting else self.state


_VOUCHER = [vouchers.c[name] for name in Voucher.__dataclass_fields__]


def reserve(
    db: Connection, resident_id: int, offer_id: int, key: str, *, actor: str, limits: Limits = DEFAULT_LIMITS
) -> Voucher:
    """Reserve one of an offer for a resident; the same key again gives the same voucher.

    Writes: the entry that holds the points, the resident's month, the shelf.
    Raises (in the order checked): UnknownOffer, MerchantNotActive, OfferNotActive, OfferEnded,
        OfferNotYet, UnknownResident, ResidentNotActive, OtherBank, MonthLimitReached, VouchersFull, OfferLimitReached,
        DayLimitReached, OfferUsedUp, NotEnoughPoints; Raced when the same key was faster elsewhere.
    """
    again = _find_by_key(db, resident_id, key)
    if again is not None:
        return again
    stocked = merchant_queries.get_stocked_offer(db, offer_id)
    offer, merchant = stocked.offer, stocked.merchant
    if not merchant.is_active:
        raise MerchantNotActive(merchant=merchant.name)
    if not offer.is_active:
        raise OfferNotActive(offer=offer.title)
    until_on = reservable(offer.schedule, offer.title, clock.now(), DAYS)
    resident = get_resident(db, resident_id)
    if not resident.is_active:
        raise errors.ResidentNotActive
    if resident.book_id != merchant.book_id:
        raise errors.OtherBank
    bill = Bill(merchant.merchant_id, resident_id, offer, offer.points, Means.CODE, is_confirmed=True)
    # Counting locks the resident, so that two phones at once are looked at one after the other.
    [is_counted], [standing] = ask(db, asking_to_count(limits, [bill]), asking_standings(limits, [bill]))
    if _find_by_key(db, resident_id, key) is not None:
        # The same press came twice at once, and the other was faster: run again, this one finds its voucher.
        raise Raced
    if not is_counted:
        raise errors.MonthLimitReached(points=limits.points_per_month_max)
    if len([one for one in list_vouchers(db, resident_id) if one.state == "waiting"]) >= AT_ONCE_MAX:
        raise errors.VouchersFull(most=AT_ONCE_MAX)
    refusal = judge(limits, bill, standing)
    if refusal is not None:
        raise refusal
    [is_taken] = merchant_service.take_offers(db, [offer], clock.today())
    if not is_taken:
        raise OfferUsedUp(offer=offer.title)
    now = clock.now()
    row = {
        "number": ids.checked_digits(VOUCHER_PREFIX, CODE_RANDOM_DIGITS),
        "resident_id": resident_id,
        "merchant_id": merchant.merchant_id,
        "offer_id": offer_id,
        "book_id": merchant.book_id,
        "title": offer.title,
        "points": offer.points,
        "hold_entry_id": ids.new_id() if offer.points else None,
        "key": key,
        "reserved_at": now,
        "until_on": until_on,
        "state": "waiting",
        "collects": 0,
    }
    voucher_id = db.execute(vouchers.insert().values(row).returning(vouchers.c.voucher_id)).scalar_one()
    voucher = get_voucher(db, voucher_id)
    if voucher.points:
        _hold(db, voucher, merchant, resident.account_id, actor)
    return voucher


def last_day_of(offer: Offer) -> date | None:
    """Return the last day on which one of an offer could be collected if it were reserved now, or None."""
    try:
        return reservable(offer.schedule, offer.title, clock.now(), DAYS)
    except Refused:
        return None


def _find_by_key(db: Connection, resident_id: int, key: str) -> Voucher | None:
    row = db.execute(sa.select(*_VOUCHER).where(vouchers.c.resident_id == resident_id, vouchers.c.key == key)).first()
    return Voucher(*row) if row else None


def _hold(db: Connection, voucher: Voucher, merchant: Merchant, account: int, actor: str) -> None:
    """Move the points to where nobody spends them. Raises: NotEnoughPoints."""
    draft = Draft(
        book=voucher.book_id,
        kind="hold",
        legs=(
            Leg(account, Unit.POINTS, -voucher.points),
            Leg(ledger.hold_account(db, voucher.book_id), Unit.POINTS, voucher.points),
        ),
        key=f"hold:{voucher.voucher_id}",
        actor=actor,
        branch=merchant.branch_id,
        source=("voucher", str(voucher.voucher_id)),
        private={"memo": voucher.title, "place": merchant.name},
        entry_id=voucher.hold_entry_id,
    )
    try:
        ledger.post(db, draft)
    except ledger.InsufficientBalance:
        raise errors.NotEnoughPoints(points=voucher.points) from None


def collect(db: Connection, one: Ask) -> Receipt:
    """Hand over what was reserved, once for the key: the held points go to the merchant.

    Raises (in the order checked): KeyReused, the refusal that the key had, TillLocked, UnknownMerchant,
        MerchantNotActive, UnknownCode, VoucherElsewhere, VoucherCollected, VoucherEnded, ResidentNotActive,
        OwnHousehold, OfferEnded, OfferNotYet.
    """
    till, order = one.till, one.order
    [answer] = find_answers(db, [one.name])
    if answer is not None:
        check_same(answer, order.fingerprint)
        found = outcome(db, answer)
        if isinstance(found, MoralBankError):
            raise found
        return replace(found, replayed=True)
    check_till(db, till.operator_id)
    merchant = merchant_queries.get_merchant(db, till.merchant_id)
    if not merchant.is_active:
        raise MerchantNotActive(merchant=merchant.name)
    voucher = _locked(db, vouchers.c.number == order.number)
    if voucher is None:
        raise errors.UnknownCode
    _check(db, voucher, merchant, till.operator_resident_id)
    offer = merchant_queries.get_offer(db, voucher.offer_id)
    # Its days were promised when it was reserved, whatever they are now; weekdays and hours are the shop's.
    refusal = closed(offer.schedule.hours, offer.title, clock.now())
    if refusal is not None:
        raise refusal
    row = {
        "book_id": voucher.book_id,
        "merchant_id": merchant.merchant_id,
        "operator_id": till.operator_id,
        "terminal": till.terminal,
        "resident_id": voucher.resident_id,
        "offer_id": voucher.offer_id,
        "title": voucher.title,
        "points": voucher.points,
        "means": Means.CODE,
        "settlement_mode": merchant.settlement_mode,
        "owed_fen": offer.settlement_fen if merchant.settlement_mode == "subsidised" else 0,
        # One more for each time, since what is undone may be collected again.
        "code_hash": digest(f"{voucher.number}:{voucher.collects}"),
        "entry_id": ids.new_id() if voucher.points else None,
        "charged_at": clock.now(),
    }
    charge_id = db.execute(charges.insert().values(row).returning(charges.c.charge_id)).scalar_one()
    receipt = get_receipt(db, charge_id)
    if voucher.points:
        _hand_over(db, receipt, merchant, till.actor)
    ended = {"state": "collected", "ended_at": clock.now(), "charge_id": charge_id, "collects": voucher.collects + 1}
    db.execute(vouchers.update().where(vouchers.c.voucher_id == voucher.voucher_id).values(ended))
    keep_charge(db, one, receipt)
    return receipt


def _check(db: Connection, voucher: Voucher, merchant: Merchant, operator_resident_id: int | None) -> None:
    if voucher.merchant_id != merchant.merchant_id:
        raise errors.VoucherElsewhere(merchant=merchant_queries.get_merchant(db, voucher.merchant_id).name)
    if voucher.state == "collected":
        raise errors.VoucherCollected
    if not voucher.is_waiting:
        raise errors.VoucherEnded
    resident = get_resident(db, voucher.resident_id)
    if not resident.is_active:
        raise errors.ResidentNotActive
    operator = find_residents(db, {operator_resident_id or 0}).get(operator_resident_id or 0)
    if operator is not None and are_family(operator, resident):
        raise errors.OwnHousehold


def _hand_over(db: Connection, receipt: Receipt, merchant: Merchant, actor: str) -> None:
    ledger.post(
        db,
        Draft(
            book=receipt.book_id,
            kind="redemption",
            legs=(
                Leg(ledger.hold_account(db, receipt.book_id), Unit.POINTS, -receipt.points),
                Leg(merchant.account_id, Unit.POINTS, receipt.points),
            ),
            key=f"charge:{receipt.charge_id}",
            actor=actor,
            branch=merchant.branch_id,
            source=("redemption", str(receipt.charge_id)),
            private={"memo": receipt.title or POINTS_ONLY, "place": merchant.name},
            entry_id=receipt.entry_id,
        ),
    )


def cancel(db: Connection, resident_id: int, voucher_id: int, *, actor: str) -> Voucher:
    """Give up what one reserved: points, month and shelf as before. A second time changes nothing.

    Raises (in the order checked): UnknownVoucher, VoucherCollected.
    """
    voucher = _locked(db, (vouchers.c.voucher_id == voucher_id) & (vouchers.c.resident_id == resident_id))
    if voucher is None:
        raise errors.UnknownVoucher
    if voucher.state == "collected":
        raise errors.VoucherCollected
    if voucher.state == "waiting":
        _end(db, voucher, "cancelled", actor)
    return get_voucher(db, voucher_id)


def cancel_all(db: Connection, resident_id: int, *, actor: str) -> int:
    """Give up whatever a resident has reserved, before they are forgotten; return how many it were."""
    waiting = [one for one in list_vouchers(db, resident_id) if one.state == "waiting"]
    for one in waiting:
        cancel(db, resident_id, one.voucher_id, actor=actor)
    return len(waiting)


def lapse(db: Connection, limit: int) -> int:
    """End what nobody collected in time, and return how many; the points are back with their residents."""
    late = (vouchers.c.state == "waiting") & (vouchers.c.until_on < clock.today())
    query = sa.select(*_VOUCHER).where(late).order_by(vouchers.c.voucher_id).limit(limit).with_for_update()
    rows = db.execute(query).all()
    for row in rows:
        _end(db, Voucher(*row), "lapsed", "system")
    return len(rows)


def _end(db: Connection, voucher: Voucher, state: str, actor: str) -> None:
    ended = {"state": state, "ended_at": clock.now()}
    db.execute(vouchers.update().where(vouchers.c.voucher_id == voucher.voucher_id).values(ended))
    day = clock.local(voucher.reserved_at).date()
    bill = Bill(voucher.merchant_id, voucher.resident_id, None, voucher.points, Means.CODE, is_confirmed=True)
    give_back(db, day, [bill])
    merchant_service.give_back_offer(db, voucher.offer_id, day)
    if voucher.hold_entry_id is not None:
        merchant = merchant_queries.get_merchant(db, voucher.merchant_id)
        ledger.reverse(
            db,
            voucher.book_id,
            voucher.hold_entry_id,
            kind="release",
            key=f"release:{voucher.voucher_id}",
            actor=actor,
            private={"memo": voucher.title, "place": merchant.name},
        )


def reopen(db: Connection, charge_id: int) -> bool:
    """Have what a charge collected wait again, since the charge is undone; tell whether it collected anything."""
    waiting = {"state": "waiting", "ended_at": None, "charge_id": None}
    return bool(db.execute(vouchers.update().where(vouchers.c.charge_id == charge_id).values(waiting)).rowcount)


def find_collected(db: Connection, charge_id: int) -> Voucher | None:
    """Return what a charge collected, or None."""
    row = db.execute(sa.select(*_VOUCHER).where(vouchers.c.charge_id == charge_id)).first()
    return Voucher(*row) if row else None


def get_voucher(db: Connection, voucher_id: int, resident_id: int | None = None) -> Voucher:
    """Return a voucher, of this resident if one is named. Raises: UnknownVoucher."""
    row = db.execute(sa.select(*_VOUCHER).where(vouchers.c.voucher_id == voucher_id)).first()
    if row is None or resident_id not in (None, row.resident_id):
        raise errors.UnknownVoucher
    return Voucher(*row)


def list_vouchers(db: Connection, resident_id: int) -> list[Voucher]:
    """List what a resident reserved: what waits first, then the latest."""
    query = sa.select(*_VOUCHER).where(vouchers.c.resident_id == resident_id)
    first = sa.case((vouchers.c.state == "waiting", 0), else_=1)
    return [Voucher(*row) for row in db.execute(query.order_by(first, vouchers.c.voucher_id.desc()).limit(LIST_MAX))]


def list_vouchers_after(db: Connection, resident_id: int, after_id: int, limit: int) -> list[Voucher]:
    """List what a resident reserved in that order, from just behind one of them."""
    query = sa.select(*_VOUCHER).where(vouchers.c.resident_id == resident_id, vouchers.c.voucher_id > after_id)
    return [Voucher(*row) for row in db.execute(query.order_by(vouchers.c.voucher_id).limit(limit))]


def held_points(db: Connection, resident_id: int) -> int:
    """Return the points that are held for what a resident has reserved."""
    query = sa.select(sa.func.coalesce(sa.func.sum(vouchers.c.points), 0)).where(
        vouchers.c.resident_id == resident_id, vouchers.c.state == "waiting"
    )
    return int(db.execute(query).scalar_one())


def _locked(db: Connection, which: sa.ColumnElement[bool]) -> Voucher | None:
    row = db.execute(sa.select(*_VOUCHER).where(which).with_for_update()).first()
    return Voucher(*row) if row else None
