"""Charging as a set: what waits together is read, judged and written together, each charge with its own verdict.

A batch is cut into waves in which no key and no resident stands twice. So within a wave no charge changes what
another one is judged by, except for an offer's last piece, which the database gives to one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids, ledger
from moralbank.access.queries import find_resident_login
from moralbank.db import Raced, racing
from moralbank.errors import N_, MoralBankError
from moralbank.merchants import queries as merchant_queries
from moralbank.merchants import service as merchant_service
from moralbank.merchants.errors import MerchantNotActive, OfferUsedUp, UnknownMerchant, UnknownOffer
from moralbank.merchants.queries import Merchant, Offer
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.prepared import Change, Prepared, Question, all_rows, ask
from moralbank.redemptions import errors, mandates
from moralbank.redemptions.answers import (
    Answer,
    asking_answers,
    check_same,
    find_answers,
    keeping,
    outcome,
)
from moralbank.redemptions.codes import Shown, asking_codes, digest, spending
from moralbank.redemptions.limits import (
    DEFAULT_LIMITS,
    TILL_LIMITS,
    Bill,
    Limits,
    asking_standings,
    asking_to_count,
    give_back,
    judge,
)
from moralbank.redemptions.mandates import Mandate
from moralbank.redemptions.models import charges
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Ask, Order
from moralbank.redemptions.queries import Receipt
from moralbank.redemptions.tills import asking_locked_tills
from moralbank.residents.errors import CardRevoked
from moralbank.residents.queries import Resident, asking_residents, find_by_card

Verdict = Receipt | MoralBankError

#: What a line says where points were typed and no offer was chosen.
POINTS_ONLY = N_("积分兑换")


@dataclass(slots=True)
class _Case:
    """One charge on its way to a verdict."""

    ask: Ask
    verdict: Verdict | None = None
    #: Its key or its resident stands in this wave already, so it comes in the next.
    is_put_off: bool = False
    merchant: Merchant = field(init=False)
    offer: Offer | None = None
    #: Whose payment code it is, or who agreed on the phone; None when it is paid by card.
    holder: Resident | None = None
    #: By which link somebody else showed that code, and what that one may do; None: the resident did.
    link_id: int | None = None
    mandate: Mandate | None = None
    resident: Resident = field(init=False)
    #: Who stands at the till, where that is a resident.
    operator: Resident | None = None
    points: int = 0
    #: What it will be called when it is written; numbers of what is refused are left out.
    charge_id: int = 0
    entry_id: UUID | None = None

    @property
    def is_by_code(self) -> bool:
        """Whether a live code is to be spent; who agreed on the phone has shown one before, or none."""
        return self.ask.order.means is Means.CODE and self.ask.order.payer is None

    @property
    def code_hash(self) -> bytes | None:
        """What makes the charge the only one of its kind; None when it is paid by card."""
        order = self.ask.order
        if order.payer is not None:
            return order.payer.code_hash
        return digest(order.number) if order.means is Means.CODE else None

    @property
    def owed_fen(self) -> int:
        """What the fund owes the merchant for it."""
        return self.offer.settlement_fen if self.offer and self.merchant.settlement_mode == "subsidised" else 0

    @property
    def bill(self) -> Bill:
        order = self.ask.order
        return Bill(
            self.merchant.merchant_id,
            self.resident.resident_id,
            self.offer,
            self.points,
            order.means,
            order.is_confirmed,
            is_agreed=order.payer is not None,
        )


def charge_many(db: Connection, asks: Sequence[Ask], limits: Limits = DEFAULT_LIMITS) -> list[Verdict]:
    """Charge each resident once for its key and return the receipts, the first one where a key comes again.

    Writes: nothing for a charge that is refused. Refusals, in the order checked: KeyReused, the refusal that the key
    had, TillLocked, UnknownMerchant, MerchantNotActive, UnknownOffer, OfferNotActive, OfferEnded, OfferNotYet,
    UnknownCode, CodeUsed, CodeExpired or UnknownCard, CardRevoked, CardWithoutPin, WrongPin; ResidentNotActive,
    OtherBank, OwnHousehold, for somebody else's code what mandates.judge refuses; the limits, PhoneNeeded,
    ChargedJustNow, NotEnoughPoints, OfferUsedUp.
    Raises: Raced when another transaction was faster; what else the ledger refuses.
    """
    verdicts: list[Verdict | None] = [None] * len(asks)
    left = list(range(len(asks)))
    while left:
        for place, verdict in zip(left, _wave(db, [asks[place] for place in left], limits), strict=True):
            verdicts[place] = verdict
        left = [place for place in left if verdicts[place] is None]
    return [verdict for verdict in verdicts if verdict is not None]


def charge_at_tills(db: Connection, asks: Sequence[Ask]) -> list[Verdict]:
    """Do as charge_many under the limits that hold where codes are scanned."""
    return charge_many(db, asks, TILL_LIMITS)


def _wave(db: Connection, asks: Sequence[Ask], limits: Limits) -> list[Verdict | None]:
    """Return the verdicts of a wave, and None for what is to come in the next; the first always has its verdict."""
    cases = [_Case(ask) for ask in asks]
    _put_off(cases, lambda case: case.ask.name)
    fresh = _look_up(db, _open(cases))
    _find_payers(db, _open(cases))
    _put_off(_open(cases), lambda case: case.resident.resident_id)
    _check_payers(_open(cases))
    _decide_and_write(db, _open(cases), limits)
    # What made a charge be refused may be that the same key was charged meanwhile; then that is the answer.
    refused = [case for case in fresh if isinstance(case.verdict, MoralBankError)]
    _recall(db, refused, find_answers(db, [case.ask.name for case in refused]))
    return [case.verdict for case in cases]


def _open(cases: Sequence[_Case]) -> list[_Case]:
    return [case for case in cases if case.verdict is None and not case.is_put_off]


def _put_off(cases: Sequence[_Case], what: Callable[[_Case], Hashable]) -> None:
    """Leave all but the first of the same to the next wave."""
    met = set()
    for case in cases:
        case.is_put_off = what(case) in met
        met.add(what(case))


def _look_up(db: Connection, cases: Sequence[_Case]) -> list[_Case]:
    """Find what each names: the answer its key has, its shop and offer, its code. Return those whose key is new."""
    by_code = [case for case in cases if case.is_by_code]
    offer_ids = {case.ask.order.offer_id for case in cases} - {None}
    people = {case.ask.till.operator_resident_id for case in cases}
    people |= {case.ask.order.payer.resident_id for case in cases if case.ask.order.payer}
    answers, locked, shops, offers, holders, residents, numbers = ask(
        db,
        asking_answers([case.ask.name for case in cases]),
        asking_locked_tills({case.ask.till.operator_id for case in cases}),
        merchant_queries.asking_merchants({case.ask.till.merchant_id for case in cases}),
        merchant_queries.asking_offers([offer_id for offer_id in offer_ids if offer_id is not None]),
        asking_codes([case.ask.order.number for case in by_code]),
        asking_residents({resident_id for resident_id in people if resident_id is not None}),
        _asking_numbers(db, len(cases)),
    )
    _recall(db, cases, answers)
    fresh = _open(cases)
    for case in fresh:
        case.verdict = locked.get(case.ask.till.operator_id)
    for case in _open(fresh):
        try:
            case.merchant, case.offer = _shop(case.ask, shops, offers)
        except MoralBankError as refusal:
            case.verdict = refusal
            continue
        points = case.ask.order.points if case.offer is None else case.offer.points
        assert points is not None, "the schema gives points where it gives no offer"
        case.points = points
    for case, number in zip(cases, numbers, strict=True):
        case.charge_id = number
        case.operator = residents.get(case.ask.till.operator_resident_id)
        if case.ask.order.payer is not None:
            case.holder = residents[case.ask.order.payer.resident_id]
    for case, holder in zip(by_code, holders, strict=True):
        if isinstance(holder, Shown):
            case.holder, case.link_id = holder.resident, holder.link_id
        elif case.verdict is None:
            case.verdict = holder
    return fresh


#: PostgreSQL's own.
_NUMBERS = Prepared(
    sa.select(sa.func.nextval("redemptions_charges_charge_id_seq")).select_from(
        sa.func.generate_series(1, sa.bindparam("number", type_=sa.Integer))
    )
)
_LAST_NUMBER = Prepared(sa.select(sa.func.coalesce(sa.func.max(charges.c.charge_id), 0)))


def _asking_numbers(db: Connection, number: int) -> Question[list[int]]:
    """Ask for numbers of charges before they are written, so that all that names them can be written at once.

    On SQLite, where nobody else writes meanwhile, they follow the last; PostgreSQL never gives one twice.
    """
    if db.dialect.name == "postgresql":
        return Question(_NUMBERS, [{"number": number}], lambda found: [drawn for (drawn,) in all_rows(found)])
    return Question(_LAST_NUMBER, [{}], lambda found: [found[0][0][0] + place for place in range(1, number + 1)])


def _recall(db: Connection, cases: Sequence[_Case], answers: Sequence[Answer | None]) -> None:
    for case, answer in zip(cases, answers, strict=True):
        if answer is None:
            continue
        try:
            check_same(answer, case.ask.order.fingerprint)
            found = outcome(db, answer)
            case.verdict = replace(found, replayed=True) if isinstance(found, Receipt) else found
        except errors.KeyReused as refusal:
            case.verdict = refusal


def _shop(ask: Ask, shops: dict[int, Merchant], offers: dict[int, Offer]) -> tuple[Merchant, Offer | None]:
    merchant = shops.get(ask.till.merchant_id)
    if merchant is None:
        raise UnknownMerchant
    if not merchant.is_active:
        raise MerchantNotActive(merchant=merchant.name)
    if ask.order.offer_id is None:
        return merchant, None
    offer = offers.get(ask.order.offer_id)
    if offer is None or offer.merchant_id != merchant.merchant_id:
        raise UnknownOffer
    refusal = offer.refusal_now()
    if refusal is not None:
        raise refusal
    return merchant, offer


def _find_payers(db: Connection, cases: Sequence[_Case]) -> None:
    """Find the resident who authorised each charge."""
    for case in cases:
        try:
            case.resident = case.holder or _card_payer(db, case.ask.order)
        except MoralBankError as refusal:
            case.verdict = refusal


def _card_payer(db: Connection, order: Order) -> Resident:
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


def _check_payers(cases: Sequence[_Case]) -> None:
    for case in cases:
        if not case.resident.is_active:
            case.verdict = errors.ResidentNotActive()
        elif case.resident.book_id != case.merchant.book_id:
            case.verdict = errors.OtherBank()
        elif case.operator is not None and are_family(case.operator, case.resident):
            case.verdict = errors.OwnHousehold()


def are_family(one: Resident, other: Resident) -> bool:
    """Tell whether two residents are one, or share a home."""
    is_one_home = one.household_id is not None and one.household_id == other.household_id
    return is_one_home or one.resident_id == other.resident_id


def _decide_and_write(db: Connection, cases: list[_Case], limits: Limits) -> None:
    """Count each charge into its resident's month, which locks the resident; judge by what stands then, and write.

    What judges is asked for in the same round trip, but after. Offers are used up last, when all is written: whoever
    else wants one waits for that until the commit.
    """
    bills = [case.bill for case in cases]
    for case in cases:
        case.entry_id = ids.new_id() if case.points else None
    offer_ids = {case.offer.offer_id for case in cases if case.offer is not None}
    fitting, standings, used, *looked = ask(
        db,
        asking_to_count(limits, bills),
        asking_standings(limits, bills),
        merchant_queries.asking_used(offer_ids, clock.today()),
        *ledger.looking(db, [_draft(case) for case in cases if case.points]),
    )
    for case, fits in zip(cases, fitting, strict=True):
        if not fits:
            case.verdict = errors.MonthLimitReached(points=limits.points_per_month_max)
    counted = _open(cases)
    _judge_mandates(db, [case for case in counted if case.link_id is not None])
    by_book = {one.book: one for one in looked}
    for case, standing in zip(cases, standings, strict=True):
        if case.verdict is None:
            case.verdict = judge(limits, case.bill, standing)
        if case.verdict is None and not _is_covered(db, case, by_book.get(case.merchant.book_id)):
            case.verdict = errors.NotEnoughPoints(points=case.points)
    _give_out(_open(cases), Counter(used))
    _check_codes(db, [case for case in counted if case.verdict is not None and case.is_by_code])
    give_back(db, clock.today(), [case.bill for case in counted if case.verdict is not None])
    _write(db, _open(cases), looked)


def _is_covered(db: Connection, case: _Case, looked: ledger.Looked | None) -> bool:
    """Tell whether the resident has the points; what costs none is not looked up."""
    if looked is None or not case.points:
        return True
    account = case.resident.account_id
    covers = looked.covers(account, ledger.Unit.POINTS, case.points)
    return ledger.available(db, looked.book, [account])[account] >= case.points if covers is None else covers


def _check_codes(db: Connection, refused: Sequence[_Case]) -> None:
    """Refuse by the code what was refused by what stood once the resident was locked, if it was spent meanwhile."""
    [holders] = ask(db, asking_codes([case.ask.order.number for case in refused])) if refused else [[]]
    for case, holder in zip(refused, holders, strict=True):
        if not isinstance(holder, Shown):
            case.verdict = holder


def _judge_mandates(db: Connection, cases: Sequence[_Case]) -> None:
    """Refuse what somebody else's code may not pay for, as things stand now that the resident's month is locked."""
    if not cases:
        return
    found = mandates.find_mandates(db, [case.link_id or 0 for case in cases])
    for case in cases:
        case.mandate = found[case.link_id or 0]
        case.verdict = mandates.judge(case.mandate, case.points)
        helper = case.mandate.helper
        if case.verdict is None and helper and case.operator and are_family(case.operator, helper):
            case.verdict = errors.OwnHousehold()


def _give_out(cases: Sequence[_Case], used: Counter[int]) -> None:
    """Give what is left of each offer to the first who asked; for who has written meanwhile `taking` speaks."""
    for case in cases:
        if case.offer is None:
            continue
        if used[case.offer.offer_id] >= case.offer.monthly_quota:
            case.verdict = OfferUsedUp(offer=case.offer.title)
        else:
            used[case.offer.offer_id] += 1


#: What only undoing and refunds set.
_LATER = (
    "undone_at",
    "undo_entry_id",
    "refunded_points",
    "returned_at",
    "zreport_number",
    "undo_zreport_number",
)
_NEW = [column.name for column in charges.c if column.name not in _LATER]
_WRITE = Prepared(charges.insert().values({name: sa.bindparam(name) for name in _NEW}))


def _write(db: Connection, cases: Sequence[_Case], looked: Sequence[ledger.Looked]) -> None:
    """Use the codes up, write charges, entries, answers and messages, all of it at once."""
    rows = [_row(case) for case in cases]
    receipts = [_receipt(case, row) for case, row in zip(cases, rows, strict=True)]
    moving = [(case, receipt) for case, receipt in zip(cases, receipts, strict=True) if receipt.points]
    verdicts, entries = ledger.decide_many(db, [_draft(case) for case, _ in moving], looked)
    for (case, _), verdict in zip(moving, verdicts, strict=True):
        if isinstance(verdict, ledger.InsufficientBalance):
            raise errors.NotEnoughPoints(points=case.points)
        if isinstance(verdict, MoralBankError):
            raise verdict
    hashes = [digest(case.ask.order.number) for case in cases if case.is_by_code]
    with racing():
        spent, _, kept, *_, are_taken = ask(
            db,
            spending(db, hashes),
            Change(_WRITE, rows),
            keeping([(case.ask, receipt) for case, receipt in zip(cases, receipts, strict=True)]),
            messages.telling([_note(case, receipt) for case, receipt in moving]),
            *entries,
            merchant_service.taking([case.offer for case in cases if case.offer is not None], clock.today()),
        )
    if spent < len(hashes) or kept < len(cases) or not are_taken:
        raise Raced
    for case, receipt in zip(cases, receipts, strict=True):
        case.verdict = receipt


def _row(case: _Case) -> dict[str, Any]:
    order, till = case.ask.order, case.ask.till
    return {
        "charge_id": case.charge_id,
        "book_id": case.merchant.book_id,
        "merchant_id": case.merchant.merchant_id,
        "operator_id": till.operator_id,
        "terminal": till.terminal,
        "resident_id": case.resident.resident_id,
        "offer_id": order.offer_id,
        "title": case.offer.title if case.offer else "",
        "points": case.points,
        "means": order.means,
        "settlement_mode": case.merchant.settlement_mode,
        "owed_fen": case.owed_fen,
        "code_hash": case.code_hash,
        "link_id": case.link_id,
        "entry_id": case.entry_id,
        "charged_at": clock.now(),
    }


def _note(case: _Case, receipt: Receipt) -> Note:
    facts: dict[str, str | int] = {"points": receipt.points, "shop": receipt.merchant_name}
    if receipt.acted_by:
        facts["who"] = receipt.acted_by
    kind = "acted_redemption" if receipt.acted_by else "redemption"
    event = f"charge:{receipt.charge_id}"
    return Note(kind, event, case.merchant.branch_id, resident_id=receipt.resident_id, facts=facts)


_TOLD = Receipt.__dataclass_fields__.keys()


def _receipt(case: _Case, row: dict[str, Any]) -> Receipt:
    told = {name: row[name] for name in _TOLD if name in row}
    return Receipt(
        **told,
        undone_at=None,
        merchant_name=case.merchant.name,
        masked_name=case.resident.masked_name,
        acted_by=case.mandate.masked_name if case.mandate else "",
    )


def _draft(case: _Case) -> ledger.Draft:
    """Return the entry that moves the points to the merchant; who showed the code for the resident stands in it."""
    acted = {"acted": case.mandate.actor} if case.mandate else {}
    memo = case.offer.title if case.offer else ""
    return ledger.Draft(
        book=case.merchant.book_id,
        kind="redemption",
        legs=(
            ledger.Leg(case.resident.account_id, ledger.Unit.POINTS, -case.points),
            ledger.Leg(case.merchant.account_id, ledger.Unit.POINTS, case.points),
        ),
        key=f"charge:{case.charge_id}",
        actor=case.ask.till.actor,
        branch=case.merchant.branch_id,
        source=("redemption", str(case.charge_id)),
        private={"memo": memo or POINTS_ONLY, "place": case.merchant.name, **acted},
        entry_id=case.entry_id,
    )
