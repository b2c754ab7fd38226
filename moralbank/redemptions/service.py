"""Charging at the counter: one key, one code, one charge, in one transaction with its entry; and undoing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids, ledger
from moralbank.access.queries import find_resident_login
from moralbank.errors import N_, Refused
from moralbank.merchants import queries as merchant_queries
from moralbank.merchants import service as merchant_service
from moralbank.merchants.errors import MerchantNotActive, OfferNotActive, UnknownOffer
from moralbank.merchants.queries import Merchant, Offer
from moralbank.prepared import Prepared
from moralbank.redemptions import errors
from moralbank.redemptions.codes import find_code, spend_code
from moralbank.redemptions.errors import KeyReused, NeverArrived, UndoByOther, UndoTooLate
from moralbank.redemptions.limits import DEFAULT_LIMITS, Limits, check_and_count, give_back
from moralbank.redemptions.models import answers, charges
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.queries import UNDO_SECONDS, Answer, Receipt, find_answer, get_receipt
from moralbank.residents.errors import CardRevoked
from moralbank.residents.queries import Resident, find_by_card, find_resident, get_resident

UNKNOWN_PER_MINUTE_MAX = 10
#: What a line says where points were typed and no offer was chosen.
POINTS_ONLY = N_("积分兑换")
#: The fingerprint of a key that was closed before anything came with it.
_ANY = b""
_UNKNOWN = (errors.UnknownCode.code, errors.UnknownCard.code)


@dataclass(frozen=True, slots=True)
class Till:
    """Who charges, where: an operator's login at a device of a merchant."""

    merchant_id: int
    operator_id: int
    terminal: str
    #: None: the operator is no resident as far as the bank knows.
    operator_resident_id: int | None = None

    @property
    def actor(self) -> str:
        return f"operator:{self.operator_id}"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be charged and what authorises it.

    offer_id: None means that the points were typed; then points is a number above zero.
    proven_login_id: by card only, the login whose PIN was right just now.
    is_confirmed: the operator was asked about a repetition and wants it.
    """

    offer_id: int | None
    points: int | None
    means: Means
    number: str
    proven_login_id: int | None = None
    is_confirmed: bool = False

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what is asked. The PIN is no part of it: six digits would be read back from a hash."""
        asked = [self.offer_id, self.points, self.means, self.number, self.is_confirmed]
        return hashlib.sha256(json.dumps(asked).encode()).digest()


def charge(db: Connection, till: Till, order: Order, key: str, limits: Limits = DEFAULT_LIMITS) -> Receipt:
    """Charge a resident once for this key and return the receipt, the first one if the key comes again.

    Raises (in the order checked): KeyReused, the refusal that the key had, TillLocked, UnknownMerchant,
        MerchantNotActive, UnknownOffer, OfferNotActive, UnknownCode, CodeUsed, CodeExpired or UnknownCard,
        CardRevoked, CardWithoutPin, WrongPin; ResidentNotActive, OtherBank, OwnHousehold, the limits,
        ChargedJustNow, CodeUsed, OfferUsedUp, NotEnoughPoints, and what else the ledger refuses.
    """
    if not _claim(db, till, key, order.fingerprint):
        return replace(_answered(db, till, key, order.fingerprint), replayed=True)
    check_till(db, till)
    merchant, offer = _shop(db, till, order)
    resident = _payer(db, order)
    _check_payer(db, till, merchant, resident)
    points = order.points if offer is None else offer.points
    assert points is not None, "the schema gives points where it gives no offer"
    check_and_count(
        db,
        limits,
        merchant.merchant_id,
        resident.resident_id,
        offer,
        points,
        order.means,
        is_confirmed=order.is_confirmed,
    )
    code_hash = spend_code(db, order.number) if order.means is Means.CODE else None
    if offer is not None:
        merchant_service.take_offer(db, offer, clock.today())
    receipt = _write(db, till, order, merchant, resident, offer, points, code_hash)
    _settle_claim(db, till, key, receipt.charge_id)
    return receipt


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
    if now > receipt.charged_at + timedelta(seconds=UNDO_SECONDS):
        raise UndoTooLate(seconds=UNDO_SECONDS)
    still = (charges.c.charge_id == charge_id) & charges.c.undone_at.is_(None)
    if not db.execute(charges.update().where(still).values(undone_at=now)).rowcount:
        return replace(get_receipt(db, charge_id), replayed=True)
    day = clock.local(receipt.charged_at).date()
    give_back(db, receipt.resident_id, day, receipt.points)
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
    return get_receipt(db, charge_id)


def remember_refusal(db: Connection, till: Till, key: str, fingerprint: bytes, refusal: Refused) -> Receipt | Refused:
    """Keep a refusal as the key's answer, unless the key has one, and return the answer it has now.

    Comes in a transaction of its own, after the one that was refused was undone; so it returns what others raise.
    """
    if _claim(db, till, key, fingerprint):
        fields = json.dumps(refusal.fields, ensure_ascii=False)
        db.execute(answers.update().where(_is_key(till, key)).values(refusal=refusal.code, fields=fields))
    outcome = find_outcome(db, till, key)
    assert outcome is not None, "a claimed key has an answer"
    return outcome


def find_outcome(db: Connection, till: Till, key: str) -> Receipt | Refused | None:
    """Return what became of a key: its receipt, its refusal, or None while nothing has come."""
    answer = find_answer(db, till.merchant_id, till.operator_id, key)
    return None if answer is None else _result(db, answer)


def close_key(db: Connection, till: Till, key: str) -> Receipt | Refused:
    """Say for good what became of a key. One that has not come is refused, however late it arrives."""
    return remember_refusal(db, till, key, _ANY, NeverArrived())


_UNKNOWN_TRIES = Prepared(
    sa.select(sa.func.count(), sa.func.min(answers.c.answered_at)).where(
        answers.c.operator_id == sa.bindparam("operator_id"),
        answers.c.answered_at > sa.bindparam("since"),
        sa.or_(*(answers.c.refusal == code for code in _UNKNOWN)),
    )
)


def check_till(db: Connection, till: Till) -> None:
    """Stop an operator who tries out numbers. Raises: TillLocked."""
    since = clock.now() - timedelta(minutes=1)
    row = _UNKNOWN_TRIES.first(db, operator_id=till.operator_id, since=since)
    assert row is not None, "a count has a row"
    count, first_at = row
    if count >= UNKNOWN_PER_MINUTE_MAX:
        raise errors.TillLocked(seconds=1 + int((first_at - since).total_seconds()))


_CLAIM = Prepared(
    lambda insert: (
        insert(answers)
        .values(
            merchant_id=sa.bindparam("merchant_id"),
            operator_id=sa.bindparam("operator_id"),
            key=sa.bindparam("key"),
            fingerprint=sa.bindparam("fingerprint"),
            fields="{}",
            answered_at=sa.bindparam("answered_at"),
        )
        .on_conflict_do_nothing()
        .returning(answers.c.key)
    )
)
_SETTLE = Prepared(
    answers.update()
    .where(
        answers.c.merchant_id == sa.bindparam("at_merchant_id"),
        answers.c.operator_id == sa.bindparam("of_operator_id"),
        answers.c.key == sa.bindparam("for_key"),
    )
    .values(charge_id=sa.bindparam("charge_id"))
)


def _claim(db: Connection, till: Till, key: str, fingerprint: bytes) -> bool:
    """Take the key; False when it was taken before. A till at the same key at the same instant waits here."""
    claimed = _CLAIM.first(
        db,
        merchant_id=till.merchant_id,
        operator_id=till.operator_id,
        key=key,
        fingerprint=fingerprint,
        answered_at=clock.now(),
    )
    return claimed is not None


def _settle_claim(db: Connection, till: Till, key: str, charge_id: int) -> None:
    _SETTLE.touch(
        db, at_merchant_id=till.merchant_id, of_operator_id=till.operator_id, for_key=key, charge_id=charge_id
    )


def _is_key(till: Till, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        answers.c.merchant_id == till.merchant_id,
        answers.c.operator_id == till.operator_id,
        answers.c.key == key,
    )


def _answered(db: Connection, till: Till, key: str, fingerprint: bytes) -> Receipt:
    answer = find_answer(db, till.merchant_id, till.operator_id, key)
    assert answer is not None, "a key that is taken has an answer"
    if answer.fingerprint not in (fingerprint, _ANY):
        raise KeyReused
    result = _result(db, answer)
    if isinstance(result, Refused):
        raise result
    return result


def _result(db: Connection, answer: Answer) -> Receipt | Refused:
    return _refusal(answer) if answer.charge_id is None else get_receipt(db, answer.charge_id)


def _refusal(answer: Answer) -> Refused:
    """Return the refusal as it was the first time."""
    known = {kind.code: kind for kind in _kinds_of(Refused)}
    return known.get(answer.refusal or "", Refused)(**answer.fields)


def _kinds_of(family: type[Refused]) -> list[type[Refused]]:
    return [family, *(kind for child in family.__subclasses__() for kind in _kinds_of(child))]


def _shop(db: Connection, till: Till, order: Order) -> tuple[Merchant, Offer | None]:
    merchant = merchant_queries.get_merchant(db, till.merchant_id)
    if not merchant.is_active:
        raise MerchantNotActive(merchant=merchant.name)
    if order.offer_id is None:
        return merchant, None
    offer = merchant_queries.get_offer(db, order.offer_id)
    if offer.merchant_id != merchant.merchant_id:
        raise UnknownOffer
    if not offer.is_active:
        raise OfferNotActive(offer=offer.title)
    return merchant, offer


def _payer(db: Connection, order: Order) -> Resident:
    """Return the resident who authorised the charge."""
    if order.means is Means.CODE:
        return get_resident(db, find_code(db, order.number))
    resident, login_id = find_card_holder(db, order.number)
    if order.proven_login_id != login_id:
        raise errors.WrongPin
    return resident


def find_card_holder(db: Connection, card_number: str) -> tuple[Resident, int]:
    """Return whose card in force this is, and the login whose PIN goes with it.

    Raises (in the order checked): UnknownCard, CardRevoked, CardWithoutPin.
    """
    found = find_by_card(db, card_number)
    if found is None:
        raise errors.UnknownCard
    resident, card = found
    if not card.is_active:
        raise CardRevoked(tail=card.tail)
    login = find_resident_login(db, resident.resident_id)
    if login is None or login.secret_kind != "pin" or login.suspended_at is not None:
        raise errors.CardWithoutPin
    return resident, login.login_id


def _check_payer(db: Connection, till: Till, merchant: Merchant, resident: Resident) -> None:
    if not resident.is_active:
        raise errors.ResidentNotActive
    if resident.book_id != merchant.book_id:
        raise errors.OtherBank
    operator = find_resident(db, till.operator_resident_id) if till.operator_resident_id else None
    if operator is None:
        return
    is_family = operator.household_id is not None and operator.household_id == resident.household_id
    if is_family or operator.resident_id == resident.resident_id:
        raise errors.OwnHousehold


_NEW = [column.name for column in charges.c if column.name not in ("charge_id", "undone_at", "undo_entry_id")]
_WRITE = Prepared(charges.insert().values({name: sa.bindparam(name) for name in _NEW}).returning(charges.c.charge_id))


def _write(
    db: Connection,
    till: Till,
    order: Order,
    merchant: Merchant,
    resident: Resident,
    offer: Offer | None,
    points: int,
    code_hash: bytes | None,
) -> Receipt:
    """Write the charge down, post its entry and return the receipt."""
    row: dict[str, Any] = {
        "book_id": merchant.book_id,
        "merchant_id": merchant.merchant_id,
        "operator_id": till.operator_id,
        "terminal": till.terminal,
        "resident_id": resident.resident_id,
        "offer_id": offer.offer_id if offer else None,
        "title": offer.title if offer else "",
        "points": points,
        "means": order.means,
        "entry_id": ids.new_id() if points else None,
        "charged_at": clock.now(),
    }
    written = _WRITE.first(db, **row, code_hash=code_hash)
    assert written is not None, "an INSERT returns its row"
    receipt = Receipt(
        **row,
        charge_id=written[0],
        undone_at=None,
        merchant_name=merchant.name,
        masked_name=resident.masked_name,
    )
    if points:
        _post(db, till, merchant, resident, receipt)
    return receipt


def _post(db: Connection, till: Till, merchant: Merchant, resident: Resident, receipt: Receipt) -> None:
    """Move the points to the merchant. Raises: NotEnoughPoints, and what else the ledger refuses."""
    draft = ledger.Draft(
        book=receipt.book_id,
        kind="redemption",
        legs=(
            ledger.Leg(resident.account_id, ledger.Unit.POINTS, -receipt.points),
            ledger.Leg(merchant.account_id, ledger.Unit.POINTS, receipt.points),
        ),
        key=f"charge:{receipt.charge_id}",
        actor=till.actor,
        branch=merchant.branch_id,
        source=("redemption", str(receipt.charge_id)),
        private={"memo": receipt.title or POINTS_ONLY, "place": merchant.name},
        entry_id=receipt.entry_id,
    )
    try:
        ledger.post(db, draft)
    except ledger.InsufficientBalance:
        raise errors.NotEnoughPoints(points=receipt.points) from None
