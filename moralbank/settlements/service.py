"""Settles a merchant's month, line by line, and takes what the merchant and the fund say of it.

A settlement holds every line that came to the merchant's account in the month, so its points are exactly what the
ledger has there, and its entry takes just these points off the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.db import Raced, insert_for
from moralbank.ledger import AccountKind, Leg, Line, Unit
from moralbank.merchants.queries import Merchant, list_offers
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.redemptions.queries import Sold, refunded_by_entry, sold_by_entry, sold_for_nothing
from moralbank.settlements import errors
from moralbank.settlements.models import disputes, lines, pledges, reference_costs, settlements
from moralbank.settlements.queries import (
    OWN_KINDS,
    Dispute,
    Settlement,
    SettlementLine,
    booked_lines,
    get_dispute,
    get_settlement,
    lines_hash,
    list_lines,
    list_settlements,
    next_month,
)

SYSTEM = "system"
DISPUTE_DAYS = 10


@dataclass(frozen=True, slots=True)
class _Found:
    """A line to be settled under the mode in which it was sold; numbers come when all are known."""

    mode: str
    line: SettlementLine
    #: The settlement whose amount below zero the line carries on.
    carries: int | None = None


def settle(db: Connection, merchant: Merchant, month: date, *, actor: str) -> list[Settlement]:
    """Settle a merchant's month, a settlement for each mode it sold under; a month settled before stays as it is.

    month: its first day.
    Writes: settlements with their lines, and an entry for each that comes to any points; nothing for an empty month.
    Raises (in the order checked): MonthNotClosed, Raced, and what the ledger refuses.
    """
    closed = ledger.closed_through(db, merchant.book_id)
    if closed is None or closed < next_month(month) - timedelta(days=1):
        raise errors.MonthNotClosed(month=f"{month:%Y-%m}")
    settled = list_settlements(db, merchant_ids=[merchant.merchant_id], month_on=month)
    if settled:
        return settled
    found = [*_sold(db, merchant, month), *_corrections(db, merchant), *_carried(db, merchant)]
    modes = sorted({one.mode for one in found})
    return [_issue(db, merchant, month, mode, [one for one in found if one.mode == mode], actor) for mode in modes]


def _sold(db: Connection, merchant: Merchant, month: date) -> list[_Found]:
    """Return a line for each that stands on the merchant's account, and one for each thing that cost no points."""
    since, until = clock.start_of(month), clock.start_of(next_month(month))
    booked = [line for line in booked_lines(db, merchant, since, until) if line.kind not in OWN_KINDS]
    sold = sold_by_entry(db, merchant.book_id, [line.reverses or line.entry_id for line in booked])
    parts = refunded_by_entry(db, merchant.book_id, [line.entry_id for line in booked if line.kind == "refund"])
    fen = {one.offer.offer_id: one.offer.settlement_fen for one in list_offers(db, merchant_id=merchant.merchant_id)}
    found = [
        _of_refund(merchant, line, parts[line.entry_id])
        if line.entry_id in parts
        else _of_booked(merchant, fen, line, sold.get(line.reverses or line.entry_id))
        for line in booked
    ]
    for free in sold_for_nothing(db, merchant.merchant_id, since, until):
        for kind, at in (("sale", free.charged_at), ("taken_back", free.undone_at)):
            if at is not None and since <= at < until:
                mode, owed = _terms(merchant, fen, free)
                owed = owed if kind == "sale" else -owed
                line = SettlementLine(0, kind, None, free.charge_id, None, at, free.title, 0, owed)
                found.append(_Found(mode, line))
    return sorted(found, key=lambda one: one.line.at)


def _of_booked(merchant: Merchant, fen: dict[int, int], line: Line, sold: Sold | None) -> _Found:
    if sold is None:
        title = line.private.get("memo", "")[:100]
        other = SettlementLine(0, "other", line.entry_id, None, None, line.posted_at, title, line.amount, 0)
        return _Found(merchant.settlement_mode, other)
    mode, owed = _terms(merchant, fen, sold)
    kind, owed = ("sale", owed) if line.reverses is None else ("taken_back", -owed)
    row = SettlementLine(0, kind, line.entry_id, sold.charge_id, None, line.posted_at, sold.title, line.amount, owed)
    return _Found(mode, row)


def _of_refund(merchant: Merchant, line: Line, part: Sold) -> _Found:
    """Return the line of a refund. It names no charge, which may have several, but the receipt's number."""
    title = f"{part.title[:80]} {part.number}".strip()
    row = SettlementLine(
        0, "taken_back", line.entry_id, None, None, line.posted_at, title, line.amount, -(part.owed_fen or 0)
    )
    return _Found(part.settlement_mode or merchant.settlement_mode, row)


def _terms(merchant: Merchant, fen: dict[int, int], sold: Sold) -> tuple[str, int]:
    """Return mode and amount as they were when it was sold; for a charge without them, as they are now."""
    mode = sold.settlement_mode or merchant.settlement_mode
    if sold.owed_fen is not None:
        return mode, sold.owed_fen
    return mode, fen.get(sold.offer_id or 0, 0) if mode == "subsidised" else 0


def _corrections(db: Connection, merchant: Merchant) -> list[_Found]:
    """Return a line for each correction that was granted and is in no settlement yet."""
    taken = sa.select(lines.c.dispute_id).where(lines.c.dispute_id == disputes.c.dispute_id)
    query = (
        sa.select(
            settlements.c.mode, disputes.c.dispute_id, disputes.c.answered_at, disputes.c.correct_fen, lines.c.title
        )
        .select_from(
            disputes.join(settlements, settlements.c.settlement_id == disputes.c.settlement_id).join(
                lines,
                (lines.c.settlement_id == disputes.c.settlement_id) & (lines.c.number == disputes.c.number),
            )
        )
        .where(
            settlements.c.merchant_id == merchant.merchant_id,
            disputes.c.answer == "corrected",
            ~taken.correlate(disputes).exists(),
        )
        .order_by(disputes.c.dispute_id)
    )
    return [
        _Found(row.mode, SettlementLine(
            0, "correction", None, None, row.dispute_id, row.answered_at, row.title, 0, row.correct_fen
        ))
        for row in db.execute(query)
    ]  # fmt: skip


def _carried(db: Connection, merchant: Merchant) -> list[_Found]:
    """Return a line for each earlier settlement in which the merchant came to owe the fund."""
    query = sa.select(settlements).where(
        settlements.c.merchant_id == merchant.merchant_id,
        settlements.c.due_fen < 0,
        settlements.c.carried_into.is_(None),
    )
    return [
        _Found(
            row.mode,
            SettlementLine(0, "carried", None, None, None, row.issued_at, f"{row.month_on:%Y-%m}", 0, row.due_fen),
            carries=row.settlement_id,
        )
        for row in db.execute(query.order_by(settlements.c.settlement_id))
    ]


def _issue(
    db: Connection, merchant: Merchant, month: date, mode: str, found: Sequence[_Found], actor: str
) -> Settlement:
    numbered = [replace(one.line, number=number) for number, one in enumerate(found, 1)]
    points = sum(line.points for line in numbered)
    row = {
        "book_id": merchant.book_id,
        "branch_id": merchant.branch_id,
        "merchant_id": merchant.merchant_id,
        "month_on": month,
        "mode": mode,
        "lines_count": len(numbered),
        "points": points,
        "due_fen": sum(line.owed_fen for line in numbered),
        "lines_hash": lines_hash(numbered),
        "entry_id": _post(db, merchant, month, mode, points, actor).entry_id if points else None,
        "issued_at": clock.now(),
        "issued_by": actor,
        "dispute_by": clock.today() + timedelta(days=DISPUTE_DAYS),
    }
    insert = insert_for(db, settlements).values(row)
    issued = insert.on_conflict_do_nothing(index_elements=["merchant_id", "month_on", "mode"])
    settlement_id = db.execute(issued.returning(settlements.c.settlement_id)).scalar()
    if settlement_id is None:  # Somebody else settled the month meanwhile; that one is the answer.
        raise Raced
    db.execute(lines.insert(), [_line_row(merchant, settlement_id, line) for line in numbered])
    carried = [one.carries for one in found if one.carries is not None]
    if carried:
        was = settlements.update().where(settlements.c.settlement_id.in_(carried))
        db.execute(was.values(carried_into=settlement_id))
    issued_one = get_settlement(db, settlement_id)
    facts = {"month": f"{month:%Y-%m}", "points": points, "day": issued_one.dispute_by.isoformat()}
    _tell(db, "settlement", f"settlement:{settlement_id}", issued_one, facts)
    return issued_one


def _tell(db: Connection, kind: str, event: str, settlement: Settlement, facts: dict[str, str | int]) -> None:
    """Tell those at the merchant's till."""
    messages.tell(db, [Note(kind, event, settlement.branch_id, merchant_id=settlement.merchant_id, facts=facts)])


def _post(db: Connection, merchant: Merchant, month: date, mode: str, points: int, actor: str) -> ledger.Posted:
    """Take the points of a settlement off the merchant's account."""
    kind, into = (
        ("recirculation", AccountKind.ISSUER) if mode == "recirculated" else ("settlement", AccountKind.SETTLED)
    )
    name = f"{merchant.merchant_id}:{month:%Y-%m}:{mode}"
    draft = ledger.Draft(
        book=merchant.book_id,
        kind=kind,
        legs=(
            Leg(merchant.account_id, Unit.POINTS, -points),
            Leg(ledger.internal_account(db, merchant.book_id, into), Unit.POINTS, points),
        ),
        key=f"settle:{name}",
        actor=actor,
        branch=merchant.branch_id,
        source=("settlement", name),
        private={"memo": f"{month:%Y-%m}", "place": merchant.name},
    )
    return ledger.post(db, draft)


def _line_row(merchant: Merchant, settlement_id: int, line: SettlementLine) -> dict[str, object]:
    told = {name: getattr(line, name) for name in SettlementLine.__dataclass_fields__}
    return {"settlement_id": settlement_id, "book_id": merchant.book_id, **told}


def raise_dispute(db: Connection, settlement_id: int, number: int, reason: str, *, actor: str) -> Dispute:
    """Ask about one line of a settlement.

    Raises (in the order checked): UnknownSettlement, SettlementConfirmed, DisputeTooLate, UnknownSettlementLine,
        LineDisputed.
    """
    settlement = _locked(db, settlement_id)
    if settlement.confirmed_at is not None:
        raise errors.SettlementConfirmed
    if clock.today() > settlement.dispute_by:
        raise errors.DisputeTooLate(day=settlement.dispute_by)
    if not list_lines(db, settlement_id, after=number - 1, limit=1) or number > settlement.lines_count:
        raise errors.UnknownSettlementLine
    row = {
        "settlement_id": settlement_id,
        "number": number,
        "reason": reason,
        "raised_at": clock.now(),
        "raised_by": actor,
    }
    insert = insert_for(db, disputes).values(row).on_conflict_do_nothing(index_elements=["settlement_id", "number"])
    dispute_id = db.execute(insert.returning(disputes.c.dispute_id)).scalar()
    if dispute_id is None:
        raise errors.LineDisputed
    return get_dispute(db, dispute_id)


def answer_dispute(db: Connection, dispute_id: int, *, note: str, owed_fen: int | None, actor: str) -> Dispute:
    """Answer what a merchant asked: explain the line, or say what it should have been; the next settlement corrects it.

    owed_fen: what the fund should owe for the line, in hundredths of a yuan; None explains it and corrects nothing.
    Raises (in the order checked): UnknownDispute, DisputeAnswered, NothingCorrected.
    """
    dispute = get_dispute(db, dispute_id)
    if dispute.answer is not None:
        raise errors.DisputeAnswered
    [line] = list_lines(db, dispute.settlement_id, after=dispute.number - 1, limit=1)
    if owed_fen == line.owed_fen:
        raise errors.NothingCorrected
    answered = {
        "answer": "explained" if owed_fen is None else "corrected",
        "note": note,
        "correct_fen": None if owed_fen is None else owed_fen - line.owed_fen,
        "answered_at": clock.now(),
        "answered_by": actor,
    }
    still = (disputes.c.dispute_id == dispute_id) & disputes.c.answer.is_(None)
    if not db.execute(disputes.update().where(still).values(answered)).rowcount:
        raise errors.DisputeAnswered
    settlement = get_settlement(db, dispute.settlement_id)
    facts: dict[str, str | int] = {"number": settlement.number, "line": dispute.number}
    _tell(db, "dispute_answered", f"dispute:{dispute_id}", settlement, facts)
    return get_dispute(db, dispute_id)


def confirm(db: Connection, settlement_id: int, *, actor: str) -> Settlement:
    """Say that a settlement is right; a second time changes nothing.

    Raises (in the order checked): UnknownSettlement, DisputeStillOpen.
    """
    settlement = _locked(db, settlement_id)
    if settlement.confirmed_at is not None:
        return settlement
    if settlement.open_disputes:
        raise errors.DisputeStillOpen(count=settlement.open_disputes)
    said = settlements.update().where(settlements.c.settlement_id == settlement_id)
    db.execute(said.values(confirmed_at=clock.now(), confirmed_by=actor))
    return get_settlement(db, settlement_id)


def confirm_silent(db: Connection, on: date) -> int:
    """Take as right what nobody disputed in time, and return how many settlements that were."""
    is_open = sa.select(disputes.c.dispute_id).where(
        disputes.c.settlement_id == settlements.c.settlement_id, disputes.c.answer.is_(None)
    )
    silent = settlements.update().where(
        settlements.c.confirmed_at.is_(None),
        settlements.c.dispute_by < on,
        ~is_open.correlate(settlements).exists(),
    )
    return db.execute(silent.values(confirmed_at=clock.now(), confirmed_by=SYSTEM)).rowcount


def pay(db: Connection, settlement_id: int, reference: str, paid_on: date, *, actor: str) -> Settlement:
    """Note that the fund has paid a settlement, under the reference of the payment.

    Raises (in the order checked): UnknownSettlement, SettlementPaid, NothingToPay, SettlementNotConfirmed,
        PayerIssued.
    """
    settlement = _locked(db, settlement_id)
    if settlement.payment_reference is not None:
        raise errors.SettlementPaid(reference=settlement.payment_reference)
    if settlement.due_fen <= 0:
        raise errors.NothingToPay
    if settlement.confirmed_at is None:
        raise errors.SettlementNotConfirmed(day=settlement.dispute_by)
    if settlement.issued_by == actor:
        raise errors.PayerIssued
    paid = settlements.update().where(settlements.c.settlement_id == settlement_id)
    db.execute(paid.values(paid_on=paid_on, paid_by=actor, payment_reference=reference))
    facts: dict[str, str | int] = {"number": settlement.number, "reference": reference}
    _tell(db, "payment", f"payment:{settlement_id}", settlement, facts)
    return get_settlement(db, settlement_id)


def _locked(db: Connection, settlement_id: int) -> Settlement:
    """Return a settlement that nobody else changes until this transaction ends."""
    db.execute(
        sa.select(settlements.c.settlement_id).where(settlements.c.settlement_id == settlement_id).with_for_update()
    )
    return get_settlement(db, settlement_id)


def note_pledge(db: Connection, book_id: int, donor: str, fen: int, pledged_on: date, *, actor: str) -> None:
    """Note what somebody gave or promised for a book's points; below zero takes an earlier one back."""
    row = {"book_id": book_id, "donor": donor, "fen": fen, "pledged_on": pledged_on}
    db.execute(pledges.insert().values(row | {"noted_at": clock.now(), "noted_by": actor}))


def set_reference_cost(db: Connection, book_id: int, fen_per_hundred: int, *, actor: str) -> None:
    """Say what a hundred points are reckoned to cost from today on; of a day the last word counts."""
    row = {"book_id": book_id, "from_on": clock.today(), "fen_per_hundred": fen_per_hundred}
    insert = insert_for(db, reference_costs).values(row | {"set_at": clock.now(), "set_by": actor})
    last_word = {name: insert.excluded[name] for name in ("fen_per_hundred", "set_at", "set_by")}
    db.execute(insert.on_conflict_do_update(index_elements=["book_id", "from_on"], set_=last_word))
