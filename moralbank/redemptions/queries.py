"""Reads charges as receipts, and what the resident's own phone may know of a code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.behalf.queries import masked_actors
from moralbank.merchants.queries import list_merchants_by_id
from moralbank.redemptions.errors import UnknownCharge
from moralbank.redemptions.models import charges, refunds
from moralbank.redemptions.numbers import Means
from moralbank.residents.queries import residents_by_id
from moralbank.residents.values import mask

UNDO_SECONDS = 120
LIST_MAX = 200


def number_of(charge_id: int) -> str:
    """Return a charge's number as it is printed and read out."""
    digits = f"{charge_id:08d}"
    return f"{digits[:-4]}-{digits[-4:]}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One charge as a till may see it: the resident's name is masked, and no balance is in it."""

    charge_id: int
    book_id: int
    merchant_id: int
    operator_id: int
    terminal: str
    resident_id: int
    offer_id: int | None
    #: The offer's title at the time; empty when the points were typed.
    title: str
    points: int
    means: Means
    #: None: nothing moved, since the offer costs no points.
    entry_id: UUID | None
    charged_at: datetime
    undone_at: datetime | None
    #: What was given back of it after the time for undoing.
    refunded_points: int = 0
    merchant_name: str = ""
    masked_name: str = ""
    #: By which link of behalf somebody else showed the code, and that one's masked name; None and empty: the resident.
    link_id: int | None = None
    acted_by: str = ""
    #: The same key had this answer before.
    replayed: bool = False

    @property
    def number(self) -> str:
        """The receipt's number as it is printed and read out."""
        return number_of(self.charge_id)

    @property
    def undo_seconds(self) -> int:
        """How many whole seconds are left in which the charge can be undone."""
        if self.undone_at is not None:
            return 0
        left = self.charged_at + timedelta(seconds=UNDO_SECONDS) - clock.now()
        return max(0, int(left.total_seconds()))

    @property
    def rest_points(self) -> int:
        """What can still be given back of it."""
        return 0 if self.undone_at is not None else self.points - self.refunded_points


@dataclass(frozen=True, slots=True)
class DayTotals:
    """A merchant's day: what was charged and stands, what was undone, and what was given back, whenever charged."""

    charges: int
    points: int
    undone: int
    undone_points: int
    refunds: int = 0
    refunded_points: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A merchant's table somewhere for some hours: whose tills stand on it, from when until when."""

    merchant_id: int
    operator_ids: tuple[int, ...]
    since: datetime
    until: datetime

    @property
    def charges(self) -> list[sa.ColumnElement[bool]]:
        """The condition that a charge was made there."""
        return [*_between([self.merchant_id], self.since, self.until), *_by(self.operator_ids)]


@dataclass(frozen=True, slots=True)
class Sold:
    """What a charge is to its merchant's settlement; owed_fen is what the fund owes for it.

    Mode and amount are None for a charge that code made which did not know of them yet.
    """

    charge_id: int
    offer_id: int | None
    title: str
    settlement_mode: str | None
    owed_fen: int | None
    entry_id: UUID | None
    charged_at: datetime
    undone_at: datetime | None

    @property
    def number(self) -> str:
        return number_of(self.charge_id)


_RECEIPT = [charges.c[name] for name in Receipt.__dataclass_fields__ if name in charges.c]


def find_receipt(db: Connection, charge_id: int) -> Receipt | None:
    return next(iter(_receipts(db, sa.select(*_RECEIPT).where(charges.c.charge_id == charge_id))), None)


def get_receipt(db: Connection, charge_id: int, merchant_id: int | None = None) -> Receipt:
    """Return the receipt of a charge, at this merchant if one is named, or raise UnknownCharge."""
    receipt = find_receipt(db, charge_id)
    if receipt is None or merchant_id not in (None, receipt.merchant_id):
        raise UnknownCharge
    return receipt


def list_receipts(
    db: Connection,
    merchant_ids: list[int],
    on: date,
    *,
    operator_ids: Collection[int] | None = None,
    before_id: int | None = None,
    limit: int = LIST_MAX,
) -> list[Receipt]:
    """List what was charged at the merchants on a local day, the latest first. operator_ids: by these alone."""
    own = [*_between(merchant_ids, clock.start_of(on), clock.end_of(on)), *_by(operator_ids)]
    return _list_latest(db, own, before_id, limit)


def list_receipts_of_table(
    db: Connection, table: Table, *, before_id: int | None = None, limit: int = LIST_MAX
) -> list[Receipt]:
    """List what the hands of a merchant's table charged, the latest first."""
    return _list_latest(db, table.charges, before_id, limit)


def _list_latest(
    db: Connection, which: list[sa.ColumnElement[bool]], before_id: int | None, limit: int
) -> list[Receipt]:
    query = sa.select(*_RECEIPT).where(*which)
    if before_id is not None:
        query = query.where(charges.c.charge_id < before_id)
    return _receipts(db, query.order_by(charges.c.charge_id.desc()).limit(min(limit, LIST_MAX)))


def list_receipts_after(db: Connection, merchant_ids: list[int], after_id: int, limit: int) -> list[Receipt]:
    """List the merchants' charges in the order they were made, from just behind one of them."""
    behind = sa.and_(charges.c.merchant_id.in_(merchant_ids), charges.c.charge_id > after_id)
    query = sa.select(*_RECEIPT).where(behind).order_by(charges.c.charge_id)
    return _receipts(db, query.limit(min(limit, LIST_MAX + 1)))


def list_by_sticker(db: Connection, merchant_id: int, after_id: int) -> list[Receipt]:
    """List what was paid by a merchant's stickers since a charge, and in the last quarter of an hour."""
    since = clock.now() - timedelta(minutes=15)
    mine = (charges.c.merchant_id == merchant_id) & (charges.c.charged_at >= since) & (charges.c.charge_id > after_id)
    query = sa.select(*_RECEIPT).where(mine, charges.c.terminal.startswith("sticker:"))
    return _receipts(db, query.order_by(charges.c.charge_id))


def newest_charge(db: Connection, merchant_id: int) -> int:
    """Return the number of a merchant's newest charge, 0 while it has none."""
    mine = sa.select(charges.c.charge_id).where(charges.c.merchant_id == merchant_id)
    return db.execute(mine.order_by(charges.c.charged_at.desc()).limit(1)).scalar() or 0


def day_totals(
    db: Connection, merchant_ids: list[int], on: date, *, operator_ids: Collection[int] | None = None
) -> DayTotals:
    """Sum up the merchants' local day. operator_ids: only what these charged, and what was given back of that."""
    since, until = clock.start_of(on), clock.end_of(on)
    own = [*_between(merchant_ids, since, until), *_by(operator_ids)]
    back = (
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(refunds.c.points), 0))
        .join_from(refunds, charges, refunds.c.charge_id == charges.c.charge_id)
        .where(
            charges.c.merchant_id.in_(merchant_ids),
            refunds.c.refunded_at >= since,
            refunds.c.refunded_at < until,
            *_by(operator_ids),
        )
    )
    return DayTotals(*_sums(db, own), *(int(total) for total in db.execute(back).one()))


def table_totals(db: Connection, table: Table) -> DayTotals:
    """Sum up what the hands of a merchant's table charged; what the shop gave back later is not the table's."""
    return DayTotals(*_sums(db, table.charges))


def _sums(db: Connection, which: list[sa.ColumnElement[bool]]) -> list[int]:
    """Return how much was charged and stands, and how much was undone: each how often, and how many points."""
    stands = charges.c.undone_at.is_(None)
    counted = [(stands, 1), (stands, charges.c.points), (~stands, 1), (~stands, charges.c.points)]
    sums = [sa.func.coalesce(sa.func.sum(sa.case((is_it, what))), 0) for is_it, what in counted]
    return [int(total) for total in db.execute(sa.select(*sums).where(*which)).one()]


def find_payment(db: Connection, resident_id: int, since: datetime) -> Receipt | None:
    """Return the resident's latest payment by code since an instant, or None."""
    query = sa.select(*_RECEIPT).where(
        charges.c.resident_id == resident_id,
        charges.c.charged_at >= since,
        charges.c.means == Means.CODE,
        charges.c.undone_at.is_(None),
    )
    return next(iter(_receipts(db, query.order_by(charges.c.charge_id.desc()).limit(1))), None)


_SOLD = [charges.c[name] for name in Sold.__dataclass_fields__]
_ENTRIES_MAX = 1_000


def sold_by_entry(db: Connection, book_id: int, entry_ids: Sequence[UUID]) -> dict[UUID, Sold]:
    """Return the charge that posted each of the entries; entries that come of no charge are left out."""
    found: dict[UUID, Sold] = {}
    for start in range(0, len(entry_ids), _ENTRIES_MAX):
        some = entry_ids[start : start + _ENTRIES_MAX]
        query = sa.select(*_SOLD).where(charges.c.book_id == book_id, charges.c.entry_id.in_(some))
        found.update((row.entry_id, Sold(*row)) for row in db.execute(query))
    return found


def refunded_by_entry(db: Connection, book_id: int, entry_ids: Sequence[UUID]) -> dict[UUID, Sold]:
    """Return by the entry of a refund its charge, with what the fund owes less for it as the amount."""
    found: dict[UUID, Sold] = {}
    for start in range(0, len(entry_ids), _ENTRIES_MAX):
        some = entry_ids[start : start + _ENTRIES_MAX]
        query = (
            sa.select(*_SOLD, refunds.c.entry_id.label("by"), refunds.c.owed_fen.label("less"))
            .join_from(refunds, charges, refunds.c.charge_id == charges.c.charge_id)
            .where(refunds.c.book_id == book_id, refunds.c.entry_id.in_(some))
        )
        for *row, by, less in db.execute(query):
            found[by] = replace(Sold(*row), owed_fen=less)
    return found


def sold_for_nothing(db: Connection, merchant_id: int, since: datetime, until: datetime) -> list[Sold]:
    """Return what cost no points, and so has no entry, of what was charged or taken back in a span of time."""
    times = (charges.c.charged_at, charges.c.undone_at)
    query = sa.select(*_SOLD).where(
        charges.c.merchant_id == merchant_id,
        charges.c.points == 0,
        sa.or_(*(sa.and_(time >= since, time < until) for time in times)),
    )
    return [Sold(*row) for row in db.execute(query.order_by(charges.c.charge_id))]


def first_sold_for_nothing(db: Connection, merchant_id: int, since: datetime | None) -> datetime | None:
    """Return when something that cost no points was first charged or taken back, from an instant on, or None."""
    found = []
    for time in (charges.c.charged_at, charges.c.undone_at):
        first = sa.select(sa.func.min(time, type_=time.type)).where(
            charges.c.merchant_id == merchant_id, charges.c.points == 0
        )
        found.append(db.execute(first if since is None else first.where(time >= since)).scalar())
    return min((at for at in found if at is not None), default=None)


def offers_taken(db: Connection, resident_id: int) -> dict[int, int]:
    """Return how many of each offer the resident has taken this month; offers not taken are left out."""
    query = sa.select(charges.c.offer_id, sa.func.count().label("taken")).where(
        charges.c.resident_id == resident_id,
        charges.c.charged_at >= clock.start_of(clock.today().replace(day=1)),
        charges.c.offer_id.is_not(None),
        charges.c.undone_at.is_(None),
        charges.c.returned_at.is_(None),
    )
    rows = db.execute(query.group_by(charges.c.offer_id))
    return {row.offer_id: row.taken for row in rows}


def _between(merchant_ids: Sequence[int], since: datetime, until: datetime) -> list[sa.ColumnElement[bool]]:
    return [charges.c.merchant_id.in_(merchant_ids), charges.c.charged_at >= since, charges.c.charged_at < until]


def _by(operator_ids: Collection[int] | None) -> list[sa.ColumnElement[bool]]:
    return [] if operator_ids is None else [charges.c.operator_id.in_(list(operator_ids))]


def _receipts(db: Connection, query: sa.Select[Any]) -> list[Receipt]:
    found = [Receipt(**{**row._mapping, "means": Means(row.means)}) for row in db.execute(query)]
    shops = list_merchants_by_id(db, list({receipt.merchant_id for receipt in found}))
    people = residents_by_id(db, {receipt.resident_id for receipt in found})
    acted = masked_actors(db, {receipt.link_id for receipt in found if receipt.link_id is not None})
    return [
        replace(
            receipt,
            merchant_name=shops[receipt.merchant_id].name,
            masked_name=mask(people[receipt.resident_id].name) if receipt.resident_id in people else "*",
            acted_by=acted.get(receipt.link_id or 0, ""),
        )
        for receipt in found
    ]
