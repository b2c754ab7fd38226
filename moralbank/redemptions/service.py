"""What a till does: charge, undo, and ask what became of a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.errors import MoralBankError, Refused
from moralbank.merchants import service as merchant_service
from moralbank.merchants.queries import get_merchant
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.redemptions import vouchers
from moralbank.redemptions.answers import ANY, find_answers, keep_refusal, outcome
from moralbank.redemptions.charging import POINTS_ONLY, charge_many
from moralbank.redemptions.errors import NeverArrived, UndoByOther, UndoTooLate
from moralbank.redemptions.limits import DEFAULT_LIMITS, Limits, give_back
from moralbank.redemptions.models import charges
from moralbank.redemptions.orders import Ask, Order, Till
from moralbank.redemptions.queries import UNDO_SECONDS, Receipt, get_receipt


def charge(db: Connection, till: Till, order: Order, key: str, limits: Limits = DEFAULT_LIMITS) -> Receipt:
    """Charge one: a batch of one. Raises: as charge_many refuses."""
    [verdict] = charge_many(db, [Ask(till, order, key)], limits)
    if isinstance(verdict, MoralBankError):
        raise verdict
    return verdict


def undo(db: Connection, till: Till, charge_id: int) -> Receipt:
    """Undo a charge: same operator, same till, within two minutes, once. A repetition gets the same answer.

    Raises (in the order checked): UnknownCharge, UndoByOther, UndoTooLate, and what else the ledger refuses.
    """
    receipt = get_receipt(db, charge_id, till.merchant_id)
    if (receipt.operator_id, receipt.terminal) != (till.operator_id, till.terminal):
        raise UndoByOther
    if receipt.undone_at is not None:
        return replace(receipt, replayed=True)
    now = clock.now()
    # What was given back in part was charged long enough ago, whatever a clock that was set back says.
    if now > receipt.charged_at + timedelta(seconds=UNDO_SECONDS) or receipt.refunded_points:
        raise UndoTooLate(seconds=UNDO_SECONDS)
    still = (charges.c.charge_id == charge_id) & charges.c.undone_at.is_(None) & (charges.c.refunded_points == 0)
    if not db.execute(charges.update().where(still).values(undone_at=now)).rowcount:
        receipt = get_receipt(db, charge_id)
        if receipt.undone_at is None:
            raise UndoTooLate(seconds=UNDO_SECONDS)
        return replace(receipt, replayed=True)
    day = clock.local(receipt.charged_at).date()
    # What had been reserved is reserved again, so month and shelf stay as they are.
    if not vouchers.reopen(db, charge_id):
        give_back(db, day, [receipt])
        if receipt.offer_id is not None:
            merchant_service.give_back_offer(db, receipt.offer_id, day)
    if receipt.entry_id is not None:
        posted = ledger.reverse(
            db,
            receipt.book_id,
            receipt.entry_id,
            kind="undo",
            key=f"undo:{charge_id}",
            actor=till.actor,
            private={"memo": receipt.title or POINTS_ONLY, "place": receipt.merchant_name},
        )
        undone = charges.update().where(charges.c.charge_id == charge_id)
        db.execute(undone.values(undo_entry_id=posted.entry_id))
        told = {"points": receipt.points, "shop": receipt.merchant_name}
        branch_id = get_merchant(db, till.merchant_id).branch_id
        note = Note("undo", f"undo:{charge_id}", branch_id, resident_id=receipt.resident_id, facts=told)
        messages.tell(db, [note])
    return get_receipt(db, charge_id)


def remember_refusal(db: Connection, till: Till, key: str, fingerprint: bytes, refusal: Refused) -> Receipt | Refused:
    """Keep a refusal as the key's answer, unless the key has one, and return the answer it has now.

    Comes in a transaction of its own, after the one that was refused was undone; so it returns what others raise.
    """
    keep_refusal(db, (till.merchant_id, till.operator_id, key), fingerprint, refusal)
    found = find_outcome(db, till, key)
    assert found is not None, "a key that is kept has an answer"
    return found


def find_outcome(db: Connection, till: Till, key: str) -> Receipt | Refused | None:
    """Return what became of a key: its receipt, its refusal, or None while nothing has come."""
    [answer] = find_answers(db, [(till.merchant_id, till.operator_id, key)])
    return None if answer is None else outcome(db, answer)


def close_key(db: Connection, till: Till, key: str) -> Receipt | Refused:
    """Say for good what became of a key. One that has not come is refused, however late it arrives."""
    return remember_refusal(db, till, key, ANY, NeverArrived())
