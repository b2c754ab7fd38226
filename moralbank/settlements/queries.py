"""Reads settlements, their lines and disputes, and what stands behind a book's points."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.ledger import Line, Unit
from moralbank.merchants.queries import Merchant, StockedOffer, list_merchants_by_id, list_offers
from moralbank.redemptions.queries import first_sold_for_nothing
from moralbank.settlements.errors import UnknownDispute, UnknownSettlement
from moralbank.settlements.models import disputes, lines, pledges, reference_costs, settlements

LIST_MAX = 500
STATES = ("issued", "disputed", "confirmed", "paid")
#: What a settlement itself posts to a merchant's account is not settled again.
OWN_KINDS = ("settlement", "recirculation")
_STEP = 1_000
#: To find the first sale of a span few lines are enough: a month's settlements stand before it at the most.
_FEW = 20


@dataclass(frozen=True, slots=True)
class Settlement:
    """A merchant's month under one mode; due_fen is what the fund owes for it, in hundredths of a yuan."""

    settlement_id: int
    book_id: int
    branch_id: int
    merchant_id: int
    month_on: date
    mode: str
    lines_count: int
    points: int
    due_fen: int
    lines_hash: bytes
    entry_id: UUID | None
    issued_at: datetime
    issued_by: str
    dispute_by: date
    confirmed_at: datetime | None
    confirmed_by: str | None
    paid_on: date | None
    paid_by: str | None
    payment_reference: str | None
    carried_into: int | None
    #: Disputes that nobody has answered yet.
    open_disputes: int = 0

    @property
    def state(self) -> str:
        if self.paid_on is not None:
            return "paid"
        if self.confirmed_at is not None:
            return "confirmed"
        return "disputed" if self.open_disputes else "issued"

    @property
    def number(self) -> str:
        """The number that a payment cites."""
        return f"JS{self.month_on:%Y%m}-{self.settlement_id:05d}"


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One line of a settlement: what came to the merchant's account, or what an earlier one is corrected by."""

    number: int
    kind: str
    entry_id: UUID | None
    charge_id: int | None
    dispute_id: int | None
    at: datetime
    title: str
    points: int
    owed_fen: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a merchant asked about a line, and what it was answered; correct_fen is by how much the next one differs."""

    dispute_id: int
    settlement_id: int
    number: int
    reason: str
    raised_at: datetime
    raised_by: str
    answer: str | None
    note: str | None
    correct_fen: int | None
    answered_at: datetime | None
    answered_by: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What a list of settlements comes to."""

    count: int
    points: int
    due_fen: int
    paid_fen: int


@dataclass(frozen=True, slots=True)
class Pledge:
    donor: str
    fen: int
    pledged_on: date
    noted_at: datetime
    noted_by: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Whether a book holds what it promises. Amounts in hundredths of a yuan."""

    outstanding_points: int
    #: None until somebody has said what a hundred points are reckoned to cost.
    fen_per_hundred: int | None
    pledged_fen: int
    paid_fen: int
    #: Issued and not yet paid.
    owed_fen: int
    #: What the fund would pay if everything on offer this month were taken.
    offered_fen: int
    offered_points: int

    @property
    def available_fen(self) -> int:
        """What is pledged and neither paid nor owed."""
        return self.pledged_fen - self.paid_fen - self.owed_fen

    @property
    def needed_fen(self) -> int | None:
        """What all outstanding points would cost, rounded up."""
        if self.fen_per_hundred is None:
            return None
        return -(-self.outstanding_points * self.fen_per_hundred // 100)

    @property
    def coverage_percent(self) -> int | None:
        """How much of what is needed is there, in whole percent; None where nothing is needed or known."""
        return None if not self.needed_fen else max(0, self.available_fen) * 100 // self.needed_fen


_OPEN = (
    sa.select(sa.func.count())
    .where(disputes.c.settlement_id == settlements.c.settlement_id, disputes.c.answer.is_(None))
    .correlate(settlements)
    .scalar_subquery()
)
_SETTLEMENT = [settlements.c[name] for name in Settlement.__dataclass_fields__ if name in settlements.c]
_LINE = [lines.c[name] for name in SettlementLine.__dataclass_fields__]
_DISPUTE = [disputes.c[name] for name in Dispute.__dataclass_fields__]


def get_settlement(db: Connection, settlement_id: int) -> Settlement:
    """Return the settlement or raise UnknownSettlement."""
    row = db.execute(sa.select(*_SETTLEMENT, _OPEN).where(settlements.c.settlement_id == settlement_id)).first()
    if row is None:
        raise UnknownSettlement
    return Settlement(*row)


def list_settlements(
    db: Connection,
    *,
    branch_ids: Sequence[int] | None = None,
    merchant_ids: Sequence[int] | None = None,
    month_on: date | None = None,
    state: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Settlement]:
    """List settlements, the latest first; None for a filter means all."""
    query = sa.select(*_SETTLEMENT, _OPEN).where(*_which(branch_ids, merchant_ids, month_on, state))
    if before_id is not None:
        query = query.where(settlements.c.settlement_id < before_id)
    rows = db.execute(query.order_by(settlements.c.settlement_id.desc()).limit(min(limit, LIST_MAX)))
    return [Settlement(*row) for row in rows]


def sum_settlements(
    db: Connection,
    *,
    branch_ids: Sequence[int] | None = None,
    merchant_ids: Sequence[int] | None = None,
    month_on: date | None = None,
    state: str | None = None,
) -> Totals:
    """Sum up what list_settlements lists without a page's bounds."""
    due = sa.func.coalesce(sa.func.sum(settlements.c.due_fen), 0)
    paid = sa.func.coalesce(
        sa.func.sum(sa.case((settlements.c.paid_on.is_not(None), settlements.c.due_fen), else_=0)), 0
    )
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(settlements.c.points), 0), due, paid)
    row = db.execute(query.where(*_which(branch_ids, merchant_ids, month_on, state))).one()
    return Totals(*(int(total) for total in row))


def _which(
    branch_ids: Sequence[int] | None, merchant_ids: Sequence[int] | None, month_on: date | None, state: str | None
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if branch_ids is not None:
        conditions.append(settlements.c.branch_id.in_(branch_ids))
    if merchant_ids is not None:
        conditions.append(settlements.c.merchant_id.in_(merchant_ids))
    if month_on is not None:
        conditions.append(settlements.c.month_on == month_on)
    if state == "paid":
        conditions.append(settlements.c.paid_on.is_not(None))
    elif state == "confirmed":
        conditions += [settlements.c.confirmed_at.is_not(None), settlements.c.paid_on.is_(None)]
    elif state is not None:
        conditions += [settlements.c.confirmed_at.is_(None), _OPEN > 0 if state == "disputed" else _OPEN == 0]
    return conditions


def list_months(db: Connection, branch_ids: Sequence[int]) -> list[date]:
    """Return the months in which anything was settled at these branches, newest first."""
    query = sa.select(settlements.c.month_on).where(settlements.c.branch_id.in_(branch_ids)).distinct()
    return list(db.execute(query.order_by(settlements.c.month_on.desc()).limit(LIST_MAX)).scalars())


def list_lines(db: Connection, settlement_id: int, *, after: int = 0, limit: int | None = None) -> list[SettlementLine]:
    """List a settlement's lines by number."""
    query = sa.select(*_LINE).where(lines.c.settlement_id == settlement_id, lines.c.number > after)
    return [SettlementLine(*row) for row in db.execute(query.order_by(lines.c.number).limit(limit))]


def list_disputes(db: Connection, settlement_id: int) -> list[Dispute]:
    """List what was asked about a settlement's lines, by line."""
    query = sa.select(*_DISPUTE).where(disputes.c.settlement_id == settlement_id).order_by(disputes.c.number)
    return [Dispute(*row) for row in db.execute(query)]


def lines_hash(numbered: Sequence[SettlementLine]) -> bytes:
    """Return the SHA-256 of a settlement's lines as they are issued, by which a printed one is compared."""
    spelled = [
        [
            line.number,
            line.kind,
            line.entry_id.hex if line.entry_id else "",
            line.charge_id or 0,
            line.dispute_id or 0,
            line.at.astimezone(UTC).isoformat(timespec="microseconds"),
            line.title,
            line.points,
            line.owed_fen,
        ]
        for line in numbered
    ]
    return hashlib.sha256(ledger.canonical(spelled)).digest()


def get_dispute(db: Connection, dispute_id: int) -> Dispute:
    """Return the dispute or raise UnknownDispute."""
    row = db.execute(sa.select(*_DISPUTE).where(disputes.c.dispute_id == dispute_id)).first()
    if row is None:
        raise UnknownDispute
    return Dispute(*row)


def list_pledges(db: Connection, book_id: int, *, limit: int = LIST_MAX) -> list[Pledge]:
    """List who gave or promised what for a book's points, the latest first."""
    columns: list[sa.ColumnElement[Any]] = [pledges.c[name] for name in Pledge.__dataclass_fields__]
    query = sa.select(*columns).where(pledges.c.book_id == book_id).order_by(pledges.c.pledge_id.desc())
    return [Pledge(*row) for row in db.execute(query.limit(limit))]


def budget(db: Connection, book_id: int, on: date) -> Budget:
    """Hold what a book has promised against what was pledged for it."""
    cost = (
        sa.select(reference_costs.c.fen_per_hundred)
        .where(reference_costs.c.book_id == book_id, reference_costs.c.from_on <= on)
        .order_by(reference_costs.c.from_on.desc())
        .limit(1)
    )
    pledged = sa.select(sa.func.coalesce(sa.func.sum(pledges.c.fen), 0)).where(pledges.c.book_id == book_id)
    is_paid = settlements.c.paid_on.is_not(None)
    sums = [
        sa.func.coalesce(sa.func.sum(sa.case((which, settlements.c.due_fen), else_=0)), 0)
        for which in (is_paid, ~is_paid & settlements.c.carried_into.is_(None))
    ]
    paid, owed = db.execute(sa.select(*sums).where(settlements.c.book_id == book_id)).one()
    offered = _open_offers(db, book_id)
    return Budget(
        outstanding_points=ledger.outstanding(db, book_id, ledger.Unit.POINTS),
        fen_per_hundred=db.execute(cost).scalar(),
        pledged_fen=int(db.execute(pledged).scalar_one()),
        paid_fen=int(paid),
        owed_fen=int(owed),
        offered_fen=sum(
            stocked.left * stocked.offer.settlement_fen
            for stocked in offered
            if stocked.merchant.settlement_mode == "subsidised"
        ),
        offered_points=sum(stocked.left * stocked.offer.points for stocked in offered),
    )


def stream_settlements(db: Connection, book_id: int) -> Iterator[Settlement]:
    """Yield every settlement of a book, in the order in which they were issued."""
    last = 0
    query = sa.select(*_SETTLEMENT, _OPEN).where(settlements.c.book_id == book_id).order_by(settlements.c.settlement_id)
    while rows := db.execute(query.where(settlements.c.settlement_id > last).limit(LIST_MAX)).all():
        yield from (Settlement(*row) for row in rows)
        last = rows[-1].settlement_id


def stream_book(db: Connection, book_id: int) -> Iterator[tuple[int, str, int, str | None]]:
    """Yield the merchant's account, the month ("2026-03"), the points and the entry of every settlement of a book."""
    last = 0
    of_book = settlements.c.book_id == book_id
    while page := db.execute(
        sa.select(settlements)
        .where(of_book, settlements.c.settlement_id > last)
        .order_by(settlements.c.settlement_id)
        .limit(LIST_MAX)
    ).all():
        whose = list_merchants_by_id(db, {row.merchant_id for row in page})
        for row in page:
            entry = None if row.entry_id is None else row.entry_id.hex
            yield whose[row.merchant_id].account_id, f"{row.month_on:%Y-%m}", row.points, entry
        last = page[-1].settlement_id


def _open_offers(db: Connection, book_id: int) -> list[StockedOffer]:
    """Return all of a book's merchants that residents could still take this month, however many that are."""
    found: list[StockedOffer] = []
    while page := list_offers(
        db, book_id=book_id, only_standing=True, after_id=found[-1].offer.offer_id if found else 0, limit=LIST_MAX
    ):
        found += page
    return found


def next_month(month: date) -> date:
    """Return the first day of the month after one that is given by its first day."""
    return (month + timedelta(days=31)).replace(day=1)


def booked_lines(
    db: Connection,
    merchant: Merchant,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    step: int = _STEP,
) -> Iterator[Line]:
    """Yield the lines of the merchant's account in a span of time, in the order of posting."""
    after: int | None = None
    while True:
        page = ledger.history(
            db, merchant.book_id, merchant.account_id, Unit.POINTS,
            since=since, until=until, after_seq=after, limit=step, newest_first=False,
        )  # fmt: skip
        yield from page
        if len(page) < step:
            return
        after = page[-1].seq


def list_unsettled_months(db: Connection, merchant: Merchant, before: date) -> list[date]:
    """Return the months before one in which a merchant sold something that no settlement holds, oldest first.

    It goes from one month with a sale to the next, past those that are settled, so that a merchant of whom all is
    settled takes three statements, however long they have been here.
    """
    of_merchant = settlements.c.merchant_id == merchant.merchant_id
    settled = set(db.execute(sa.select(settlements.c.month_on).where(of_merchant).distinct()).scalars())
    found: list[date] = []
    since: datetime | None = None
    while (month := _month_sold(db, merchant, since)) is not None and month < before:
        if month not in settled:
            found.append(month)
        month = next_month(month)
        while month in settled:
            month = next_month(month)
        since = clock.start_of(month)
    return found


def _month_sold(db: Connection, merchant: Merchant, since: datetime | None) -> date | None:
    """Return the month of the first sale from an instant on, points or none."""
    lines = booked_lines(db, merchant, since, step=_FEW)
    booked = next((line.posted_at for line in lines if line.kind not in OWN_KINDS), None)
    free = first_sold_for_nothing(db, merchant.merchant_id, since)
    first = min((at for at in (booked, free) if at is not None), default=None)
    return None if first is None else clock.local(first).date().replace(day=1)
