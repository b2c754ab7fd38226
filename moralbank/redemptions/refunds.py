"""Gives points back after the time for undoing: in part or whole, only to who paid, never more than is left of it.

On the day of the charge the shop's supervisor does it; after that one asks and another checks (moralbank.approvals).
What is given back whole mirrors its entry; a part is an entry of its own whose source names the entry it takes from,
and lives as long as the longest-lived points that had been spent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.approvals import queries as approvals
from moralbank.approvals import service as approvals_service
from moralbank.approvals.queries import Request
from moralbank.approvals.service import Hand, Trade
from moralbank.db import insert_for
from moralbank.errors import N_
from moralbank.merchants.queries import get_merchant
from moralbank.merchants.service import give_back_offer
from moralbank.merchants.supervisors import is_supervisor
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.redemptions import errors
from moralbank.redemptions.charging import POINTS_ONLY, are_family
from moralbank.redemptions.limits import give_back
from moralbank.redemptions.models import charges, refunds
from moralbank.redemptions.queries import UNDO_SECONDS, Receipt, get_receipt
from moralbank.redemptions.vouchers import find_collected
from moralbank.residents.errors import ResidentForgotten
from moralbank.residents.queries import Resident, find_residents, get_resident


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be given back and why; is_returned: what was bought came back."""

    points: int
    is_returned: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Refund:
    """What was given back of a charge, or waits for a second person."""

    refund_id: int
    charge_id: int
    points: int
    is_returned: bool
    reason: str
    asked_at: datetime
    asked_by: str
    request_id: int | None
    #: None, as all below, until it is done.
    number: int | None
    entry_id: UUID | None
    refunded_at: datetime | None
    #: waiting, refused, withdrawn or lapsed while it is not done, then posted.
    state: str = "posted"


_REFUND = [refunds.c[name] for name in Refund.__dataclass_fields__ if name in refunds.c]


def refund(
    db: Connection, hand: Hand, charge_id: int, wish: Wish, key: str, *, operator_resident_id: int | None = None
) -> Refund:
    """Give points of a charge back, or ask that they be; the same key again gives the same answer.

    Writes: on the day itself the entry and the shop's stock; after it what a second person is asked.
    Raises (in the order checked): UnknownCharge, RefundKeyReused, NothingToRefund, RefundTooEarly, RefundTooMuch,
        ResidentForgotten; on the day SupervisorNeeded, OwnHousehold; later OwnAffair; what else the ledger refuses.
    """
    receipt = _locked(db, charge_id)
    found = [one for one in list_refunds(db, charge_id) if one[1] == key]
    if found:
        if (found[0][0].points, found[0][0].is_returned) != (wish.points, wish.is_returned):
            raise errors.RefundKeyReused
        return found[0][0]
    _check(receipt, wish.points)
    resident = get_resident(db, receipt.resident_id)
    if resident.is_forgotten:
        raise ResidentForgotten
    is_today = clock.local(receipt.charged_at).date() == clock.today()
    request_id = None
    if not is_today:
        branch_id = get_merchant(db, receipt.merchant_id).branch_id
        asked = approvals_service.ask_refund(db, hand, resident.resident_id, branch_id, wish.points, wish.reason)
        request_id = asked.request_id
    else:
        if not is_supervisor(db, receipt.merchant_id, hand.login_id):
            raise errors.SupervisorNeeded
        operator = find_residents(db, {operator_resident_id or 0}).get(operator_resident_id or 0)
        if operator is not None and are_family(operator, resident):
            raise errors.OwnHousehold
    row = {
        "charge_id": charge_id,
        "book_id": receipt.book_id,
        "points": wish.points,
        "is_returned": wish.is_returned,
        "reason": wish.reason,
        "key": key,
        "asked_at": clock.now(),
        "asked_by": hand.actor,
        "request_id": request_id,
    }
    refund_id: int = db.execute(insert_for(db, refunds).values(row).returning(refunds.c.refund_id)).scalar_one()
    if is_today:
        _give(db, get_refund(db, refund_id), receipt, resident, checker=None)
    return get_refund(db, refund_id)


def _locked(db: Connection, charge_id: int) -> Receipt:
    """Return a charge that nobody else gives back of until this transaction ends. Raises: UnknownCharge."""
    db.execute(sa.select(charges.c.charge_id).where(charges.c.charge_id == charge_id).with_for_update())
    return get_receipt(db, charge_id)


def _check(receipt: Receipt, points: int) -> None:
    if not receipt.rest_points:
        raise errors.NothingToRefund
    if clock.now() <= receipt.charged_at + timedelta(seconds=UNDO_SECONDS):
        raise errors.RefundTooEarly(seconds=UNDO_SECONDS)
    if points > receipt.rest_points:
        raise errors.RefundTooMuch(points=receipt.rest_points)


def get_refund(db: Connection, refund_id: int) -> Refund:
    """Return a refund that the caller knows is there."""
    row = db.execute(sa.select(*_REFUND).where(refunds.c.refund_id == refund_id)).one()
    return _with_state(db, Refund(*row))


def list_refunds(db: Connection, charge_id: int) -> list[tuple[Refund, str]]:
    """Return what was given back of a charge, or asked to be, in that order; each with its key."""
    query = sa.select(*_REFUND, refunds.c.key).where(refunds.c.charge_id == charge_id).order_by(refunds.c.refund_id)
    return [(_with_state(db, Refund(*row)), key) for *row, key in db.execute(query).all()]


def _with_state(db: Connection, found: Refund) -> Refund:
    if found.refunded_at is not None or found.request_id is None:
        return found
    return replace(found, state=approvals.get_request(db, found.request_id).shown_state)


def _give(db: Connection, asked: Refund, receipt: Receipt, resident: Resident, checker: str | None) -> ledger.Posted:
    """Give back what was asked. Raises: RefundTooMuch, when others took of the rest meanwhile."""
    fits = (
        (charges.c.charge_id == receipt.charge_id)
        & charges.c.undone_at.is_(None)
        & (charges.c.refunded_points + asked.points <= charges.c.points)
    )
    given = charges.update().where(fits).values(refunded_points=charges.c.refunded_points + asked.points)
    if not db.execute(given).rowcount:
        raise errors.RefundTooMuch(points=receipt.rest_points)
    collected = find_collected(db, receipt.charge_id)
    # What had been reserved was counted into the month, and taken from the shelf, of the day on which it was.
    day = clock.local(collected.reserved_at if collected else receipt.charged_at).date()
    give_back(db, day, [replace(receipt, points=asked.points)])
    if asked.is_returned and receipt.offer_id is not None:
        first = charges.update().where(charges.c.charge_id == receipt.charge_id, charges.c.returned_at.is_(None))
        if db.execute(first.values(returned_at=clock.now())).rowcount:
            give_back_offer(db, receipt.offer_id, day)
    done = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(refunds.c.owed_fen), 0)).where(
        refunds.c.charge_id == receipt.charge_id, refunds.c.refunded_at.is_not(None)
    )
    number, less = db.execute(done).one()
    number += 1
    owed = db.execute(sa.select(charges.c.owed_fen).where(charges.c.charge_id == receipt.charge_id)).scalar() or 0
    posted = _post(db, asked, receipt, resident, number, checker)
    back = receipt.refunded_points + asked.points
    db.execute(
        refunds.update()
        .where(refunds.c.refund_id == asked.refund_id)
        .values(
            number=number,
            # Of the whole, so that many small parts come to the same as one.
            owed_fen=owed * back // receipt.points - less,
            entry_id=posted.entry_id,
            refunded_at=clock.now(),
            refunded_by=asked.asked_by,
            checked_by=checker,
        )
    )
    facts: dict[str, str | int] = {"points": asked.points, "shop": receipt.merchant_name}
    event = f"refund:{receipt.charge_id}:{posted.entry_id.hex}"
    messages.tell(db, [Note("refund", event, resident.branch_id, resident.resident_id, facts=facts)])
    return posted


def _post(
    db: Connection, asked: Refund, receipt: Receipt, resident: Resident, number: int, checker: str | None
) -> ledger.Posted:
    assert receipt.entry_id is not None, "a charge with a rest moved points"
    key = f"refund:{receipt.charge_id}:{number}"
    private = {"memo": receipt.title or POINTS_ONLY, "place": receipt.merchant_name, "reason": asked.reason}
    entry = ledger.get_entry(db, receipt.book_id, receipt.entry_id)
    is_paid_by_them = any(leg.account == resident.account_id for leg in entry.legs)
    if asked.points == receipt.points and is_paid_by_them:
        return ledger.reverse(
            db, receipt.book_id, entry.entry_id, kind="refund", key=key, actor=asked.asked_by, checker=checker,
            private=private,
        )  # fmt: skip
    merchant = get_merchant(db, receipt.merchant_id)
    draft = ledger.Draft(
        book=receipt.book_id,
        kind="refund",
        legs=(
            ledger.Leg(merchant.account_id, ledger.Unit.POINTS, -asked.points),
            ledger.Leg(
                resident.account_id, ledger.Unit.POINTS, asked.points, _lives_until(db, receipt, resident, entry)
            ),
        ),
        key=key,
        actor=asked.asked_by,
        checker=checker,
        branch=entry.branch,
        source=("refund", f"{entry.entry_id.hex}:{number}"),
        private=private,
    )
    return ledger.post(db, draft)


def _lives_until(db: Connection, receipt: Receipt, resident: Resident, entry: ledger.Entry) -> date | None:
    # What had been reserved was drawn from the resident's points when it was.
    collected = find_collected(db, receipt.charge_id)
    spent_by = collected.hold_entry_id if collected and collected.hold_entry_id else entry.entry_id
    return ledger.drawn_until(db, receipt.book_id, resident.account_id, ledger.Unit.POINTS, spent_by)


def _carry_out(db: Connection, request: Request, checker: str) -> ledger.Posted:
    """Give back what a second person approved. Raises (in the order checked): NothingToRefund, RefundTooMuch."""
    asked = _of_request(db, request)
    receipt = _locked(db, asked.charge_id)
    _check(receipt, asked.points)
    return _give(db, asked, receipt, get_resident(db, receipt.resident_id), checker)


def _tell(db: Connection, request: Request) -> dict[str, str]:
    receipt = get_receipt(db, _of_request(db, request).charge_id)
    return {
        N_("商家"): receipt.merchant_name,
        N_("单号"): receipt.number,
        N_("项目"): receipt.title or POINTS_ONLY,
        N_("收款时间"): f"{clock.local(receipt.charged_at):%Y-%m-%d %H:%M}",
    }


def _of_request(db: Connection, request: Request) -> Refund:
    row = db.execute(sa.select(*_REFUND).where(refunds.c.request_id == request.request_id)).one()
    return Refund(*row)


approvals_service.take_on("refund", Trade(_carry_out, _tell))


def forget(db: Connection, resident_id: int) -> int:
    """Blank why points were given back to a person who is forgotten; return how many refunds there are."""
    theirs = sa.select(charges.c.charge_id).where(charges.c.resident_id == resident_id)
    return db.execute(refunds.update().where(refunds.c.charge_id.in_(theirs)).values(reason="")).rowcount
