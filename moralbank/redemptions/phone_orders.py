"""What is charged only when the resident agrees on their own phone: large charges, sales that the shop shows, stickers.

An order waits, and nothing moves until its resident agrees: then it is charged like any other, in that transaction. It
is over for good when they say no, when the till gives it up, or when its time is up.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.activities.queries import qr_keys_by_kid
from moralbank.activities.service import ensure_qr_key
from moralbank.db import Raced, insert_for
from moralbank.errors import Refused
from moralbank.merchants.errors import MerchantNotActive, UnknownOffer
from moralbank.merchants.queries import Offer, find_offer, get_merchant
from moralbank.merchants.service import lock_merchant
from moralbank.prepared import ask
from moralbank.redemptions import errors, pay_tokens
from moralbank.redemptions.answers import check_same, find_answers, keep_refusal, outcome
from moralbank.redemptions.charging import charge_many
from moralbank.redemptions.codes import Shown, asking_codes, digest, spending
from moralbank.redemptions.limits import DEFAULT_LIMITS
from moralbank.redemptions.models import charges, phone_orders, stickers
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Ask, Order, Payer, Till
from moralbank.redemptions.pay_tokens import SaleToken, StickerToken
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.tills import check_till

#: How long a resident has to agree to a large charge, and a sale hangs on the shop's screen.
LARGE_SECONDS, SALE_SECONDS = 120, 300
#: By stickers alone, as by card: whoever changed one must not get far.
STICKER_POINTS_PER_DAY_MAX = 50
_STICKER_TILL = "sticker:"


@dataclass(frozen=True, slots=True)
class PhoneOrder:
    """An order that a resident agrees to, or doesn't."""

    order_id: int
    kind: str
    number: str
    merchant_id: int
    operator_id: int
    operator_resident_id: int | None
    terminal: str
    key: str
    fingerprint: bytes
    offer_id: int | None
    title: str
    points: int
    resident_id: int | None
    code_hash: bytes
    made_at: datetime
    expires_at: datetime
    state: str
    refusal: str | None
    charge_id: int | None

    @property
    def is_waiting(self) -> bool:
        """Whether it can still be agreed to; after its time it can't, noted or not."""
        return self.state == "waiting" and clock.now() < self.expires_at

    @property
    def shown_state(self) -> str:
        return "expired" if self.state == "waiting" and not self.is_waiting else self.state

    @property
    def seconds_left(self) -> int:
        return max(0, int((self.expires_at - clock.now()).total_seconds()))

    @property
    def till(self) -> Till:
        return Till(self.merchant_id, self.operator_id, self.terminal, self.operator_resident_id)


_ORDER = [phone_orders.c[name] for name in PhoneOrder.__dataclass_fields__]


def ask_phone(db: Connection, till: Till, order: Order, key: str) -> PhoneOrder | Receipt | Refused:
    """Have the holder of a scanned code asked on their phone; the code is spent, so that it pays nothing else.

    Returns the answer that the key has already, if it has one.
    Raises (in the order checked): KeyReused, TillLocked, what is wrong with shop and offer, UnknownCode, CodeUsed,
        CodeExpired.
    """
    [answer] = find_answers(db, [(till.merchant_id, till.operator_id, key)])
    if answer is not None:
        check_same(answer, order.fingerprint)
        return outcome(db, answer)
    found = _asked_before(db, till, order, key)
    if found is not None:
        return found
    check_till(db, till.operator_id)
    offer = _sellable(db, till.merchant_id, order.offer_id)
    [[holder]] = ask(db, asking_codes([order.number]))
    if not isinstance(holder, Shown):
        # What used the code up may be the same press, which was faster elsewhere.
        found = _asked_before(db, till, order, key)
        if found is None:
            raise holder
        return found
    spent = digest(order.number)
    [is_spent] = ask(db, spending(db, [spent]))
    if not is_spent:
        raise Raced
    return _add(
        db, "large", till, order, key, offer, resident_id=holder.resident_id, code_hash=spent, seconds=LARGE_SECONDS
    )


def show_sale(db: Connection, till: Till, offer_id: int | None, points: int | None, key: str) -> PhoneOrder:
    """Make an order that the shop shows as a code; whoever opens it first may pay. The same key: the same order.

    Raises (in the order checked): KeyReused, MerchantNotActive, UnknownOffer, OfferNotActive, OfferEnded, OfferNotYet.
    """
    order = Order(offer_id, points, Means.CODE, "sale")
    found = _asked_before(db, till, order, key)
    if found is not None:
        return found
    offer = _sellable(db, till.merchant_id, offer_id)
    return _add(db, "sale", till, order, key, offer, resident_id=None, code_hash=b"", seconds=SALE_SECONDS)


def pay_sticker(
    db: Connection, token: StickerToken, resident_id: int, points: int, key: str, *, is_confirmed: bool = False
) -> PhoneOrder:
    """Pay what one typed to the shop whose sticker one scanned; the same key pays once.

    is_confirmed: they were asked about a repetition and want it.
    Raises (in the order checked): UnknownPhoneOrder, KeyReused, MerchantNotActive, as agree does, StickerLimitReached,
        PaidJustNow.
    """
    sticker = find_sticker(db, token)
    if sticker is None:
        raise errors.UnknownPhoneOrder
    till = Till(token.merchant_id, sticker, f"{_STICKER_TILL}{token.serial}")
    own_key = f"sticker:{resident_id}:{key}"
    order = Order(None, points, Means.CODE, "sticker")
    found = _asked_before(db, till, order, own_key)
    if found is None:
        _sellable(db, token.merchant_id, None)
        found = _add(
            db, "sticker", till, order, own_key, None, resident_id=resident_id, code_hash=b"", seconds=LARGE_SECONDS
        )
    if found.state != "waiting":
        return found
    paid = agree(db, found.order_id, resident_id)
    spent = sa.select(sa.func.coalesce(sa.func.sum(charges.c.points - charges.c.refunded_points), 0)).where(
        charges.c.resident_id == resident_id,
        charges.c.charged_at >= clock.start_of(clock.today()),
        charges.c.terminal.startswith(_STICKER_TILL),
        charges.c.undone_at.is_(None),
    )
    # Counted when the charge has locked the resident's month: two phones at once don't go beyond it together.
    if db.execute(spent).scalar_one() > STICKER_POINTS_PER_DAY_MAX:
        raise errors.StickerLimitReached(points=STICKER_POINTS_PER_DAY_MAX)
    if paid.charge_id is not None and not is_confirmed and _is_repeated(db, paid, paid.charge_id):
        raise errors.PaidJustNow(points=points)
    return paid


def _is_repeated(db: Connection, paid: PhoneOrder, charge_id: int) -> bool:
    """Tell whether the resident paid the shop the same a moment ago: a lost answer leads to another page."""
    query = sa.select(charges.c.charge_id).where(
        charges.c.resident_id == paid.resident_id,
        charges.c.charged_at >= clock.now() - timedelta(seconds=DEFAULT_LIMITS.repeat_seconds),
        charges.c.merchant_id == paid.merchant_id,
        charges.c.points == paid.points,
        charges.c.charge_id != charge_id,
        charges.c.undone_at.is_(None),
    )
    return db.execute(query.limit(1)).first() is not None


def _sellable(db: Connection, merchant_id: int, offer_id: int | None) -> Offer | None:
    merchant = get_merchant(db, merchant_id)
    if not merchant.is_active:
        raise MerchantNotActive(merchant=merchant.name)
    if offer_id is None:
        return None
    offer = find_offer(db, offer_id)
    if offer is None or offer.merchant_id != merchant_id:
        raise UnknownOffer
    refusal = offer.refusal_now()
    if refusal is not None:
        raise refusal
    return offer


def _add(
    db: Connection,
    kind: str,
    till: Till,
    order: Order,
    key: str,
    offer: Offer | None,
    *,
    resident_id: int | None,
    code_hash: bytes,
    seconds: int,
) -> PhoneOrder:
    number = str(secrets.randbits(64))
    points = offer.points if offer else order.points
    assert points is not None, "the schema gives points where it gives no offer"
    now = clock.now()
    row = {
        "kind": kind,
        "number": number,
        "merchant_id": till.merchant_id,
        "operator_id": till.operator_id,
        "operator_resident_id": till.operator_resident_id,
        "terminal": till.terminal,
        "key": key,
        "fingerprint": order.fingerprint,
        "offer_id": order.offer_id,
        "title": offer.title if offer else "",
        "points": points,
        "resident_id": resident_id,
        "code_hash": code_hash or digest(f"{kind}:{number}"),
        "made_at": now,
        "expires_at": now + timedelta(seconds=seconds),
        "state": "waiting",
    }
    insert = insert_for(db, phone_orders).values(row).returning(phone_orders.c.order_id)
    made = db.execute(insert.on_conflict_do_nothing(index_elements=["merchant_id", "operator_id", "key"])).scalar()
    if made is None:  # The same press came twice at once, and the other was faster: run again, this one finds it.
        raise Raced
    return get_order(db, made)


def claim(db: Connection, number: str, resident_id: int) -> PhoneOrder:
    """Open a sale: the first resident who does has it. Raises (in the order checked): UnknownPhoneOrder."""
    row = db.execute(sa.select(phone_orders.c.order_id).where(phone_orders.c.number == number)).first()
    if row is None:
        raise errors.UnknownPhoneOrder
    free = (phone_orders.c.order_id == row.order_id) & phone_orders.c.resident_id.is_(None)
    db.execute(phone_orders.update().where(free).values(resident_id=resident_id))
    return get_order(db, row.order_id, resident_id)


def agree(db: Connection, order_id: int, resident_id: int) -> PhoneOrder:
    """Charge what the resident agreed to, once; what the charge is refused for ends the order.

    Raises (in the order checked): UnknownPhoneOrder, PhoneOrderOver.
    """
    order = _locked(db, order_id, resident_id)
    if order.state == "paid":
        return order
    if not order.is_waiting:
        raise errors.PhoneOrderOver
    ensure_qr_key(db)  # The four digits of the receipt are made with it.
    payer = Payer(resident_id, order.code_hash, order.fingerprint)
    points = None if order.offer_id is not None else order.points
    asked = Order(order.offer_id, points, Means.CODE, "", is_confirmed=True, payer=payer)
    [verdict] = charge_many(db, [Ask(order.till, asked, order.key)])
    if isinstance(verdict, Receipt):
        _end(db, order, "paid", charge_id=verdict.charge_id)
    elif isinstance(verdict, Refused):
        keep_refusal(db, (order.merchant_id, order.operator_id, order.key), order.fingerprint, verdict)
        _end(db, order, "refused", refusal=verdict.code)
    else:
        raise verdict
    return get_order(db, order_id)


def give_up(db: Connection, order_id: int, *, resident_id: int | None = None, merchant_id: int | None = None) -> None:
    """End an order that nobody has agreed to: the resident declines it, or the till cancels it.

    Raises: UnknownPhoneOrder. What is over already stays as it is.
    """
    order = _locked(db, order_id, resident_id, merchant_id)
    if order.state == "waiting":
        _refuse(db, order, "cancelled" if resident_id is None else "declined")


def expire(db: Connection, limit: int) -> int:
    """End what nobody agreed to in time, and return how many orders that were."""
    late = (phone_orders.c.state == "waiting") & (phone_orders.c.expires_at <= clock.now())
    query = sa.select(*_ORDER).where(late).order_by(phone_orders.c.order_id).limit(limit).with_for_update()
    rows = db.execute(query).all()
    for row in rows:
        _refuse(db, PhoneOrder(*row), "expired")
    return len(rows)


def _refuse(db: Connection, order: PhoneOrder, state: str) -> None:
    keep_refusal(db, (order.merchant_id, order.operator_id, order.key), order.fingerprint, errors.NotAgreed())
    _end(db, order, state)


def _end(db: Connection, order: PhoneOrder, state: str, **more: object) -> None:
    this = phone_orders.update().where(phone_orders.c.order_id == order.order_id)
    db.execute(this.values(state=state, ended_at=clock.now(), **more))


def _asked_before(db: Connection, till: Till, order: Order, key: str) -> PhoneOrder | None:
    """Return what a till asked for with a key, or None. Raises: KeyReused, where it asked for something else."""
    found = find_by_key(db, till, key)
    if found is not None and found.fingerprint != order.fingerprint:
        raise errors.KeyReused
    return found


def find_by_key(db: Connection, till: Till, key: str) -> PhoneOrder | None:
    """Return what a till asked for with a key, or None."""
    row = db.execute(
        sa.select(*_ORDER).where(
            phone_orders.c.merchant_id == till.merchant_id,
            phone_orders.c.operator_id == till.operator_id,
            phone_orders.c.key == key,
        )
    ).first()
    return PhoneOrder(*row) if row else None


def get_order(
    db: Connection, order_id: int, resident_id: int | None = None, merchant_id: int | None = None
) -> PhoneOrder:
    """Return an order, of this resident or shop if one is named. Raises: UnknownPhoneOrder."""
    row = db.execute(sa.select(*_ORDER).where(phone_orders.c.order_id == order_id)).first()
    if row is None or resident_id not in (None, row.resident_id) or merchant_id not in (None, row.merchant_id):
        raise errors.UnknownPhoneOrder
    return PhoneOrder(*row)


def _locked(db: Connection, order_id: int, resident_id: int | None, merchant_id: int | None = None) -> PhoneOrder:
    db.execute(sa.select(phone_orders.c.order_id).where(phone_orders.c.order_id == order_id).with_for_update())
    return get_order(db, order_id, resident_id, merchant_id)


def find_waiting(db: Connection, resident_id: int) -> PhoneOrder | None:
    """Return what a resident is to agree to now, the latest first, or None."""
    mine = (phone_orders.c.resident_id == resident_id) & (phone_orders.c.state == "waiting")
    query = sa.select(*_ORDER).where(mine, phone_orders.c.expires_at > clock.now(), phone_orders.c.kind == "large")
    row = db.execute(query.order_by(phone_orders.c.order_id.desc()).limit(1)).first()
    return PhoneOrder(*row) if row else None


def add_sticker(db: Connection, merchant_id: int, operator_id: int) -> StickerToken:
    """Make one more code that hangs in a shop. Raises: UnknownMerchant."""
    lock_merchant(db, merchant_id)
    last = db.execute(sa.select(sa.func.max(stickers.c.serial)).where(stickers.c.merchant_id == merchant_id)).scalar()
    serial = (last or 0) + 1
    row = {"merchant_id": merchant_id, "serial": serial, "operator_id": operator_id, "made_at": clock.now()}
    db.execute(stickers.insert().values(row))
    return StickerToken(merchant_id, serial)


def revoke_sticker(db: Connection, token: StickerToken) -> None:
    """Take a sticker's code out of force; a second time changes nothing."""
    db.execute(stickers.update().where(_is(token), stickers.c.revoked_at.is_(None)).values(revoked_at=clock.now()))


def find_sticker(db: Connection, token: StickerToken) -> int | None:
    """Return under whose login a sticker in force is paid to, or None."""
    found: int | None = db.execute(
        sa.select(stickers.c.operator_id).where(_is(token), stickers.c.revoked_at.is_(None))
    ).scalar()
    return found


def list_stickers(db: Connection, merchant_id: int) -> list[StickerToken]:
    """List a shop's stickers in force."""
    query = sa.select(stickers.c.merchant_id, stickers.c.serial).where(
        stickers.c.merchant_id == merchant_id, stickers.c.revoked_at.is_(None)
    )
    return [StickerToken(*row) for row in db.execute(query.order_by(stickers.c.serial))]


def _is(token: StickerToken) -> sa.ColumnElement[bool]:
    return (stickers.c.merchant_id == token.merchant_id) & (stickers.c.serial == token.serial)


def sign(db: Connection, token: SaleToken | StickerToken) -> str:
    """Return a token as it stands in an address; makes the first key where there is none."""
    return pay_tokens.sign(ensure_qr_key(db), token)


def read_token(db: Connection, text: str) -> SaleToken | StickerToken:
    """Return what a token names. Raises: UnknownPhoneOrder."""
    token = pay_tokens.read(text, qr_keys_by_kid(db))
    if token is None:
        raise errors.UnknownPhoneOrder
    return token


def confirmations(db: Connection, receipts: list[Receipt]) -> Mapping[int, str]:
    """Return the four digits of each receipt, as the payer's phone shows them too."""
    keys = qr_keys_by_kid(db)
    if not keys:
        return {}
    # The oldest key, which stays: a code must not change while a receipt is compared.
    key = keys[min(keys)]
    return {one.charge_id: pay_tokens.confirmation(key, one.merchant_id, one.points, one.charge_id) for one in receipts}
