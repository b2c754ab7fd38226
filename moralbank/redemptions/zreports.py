"""Closes a shop's day at its tills: what was charged, undone and given back since the last time, frozen with a hash.

Each charge, undoing and refund is marked with the report that counts it, so that all reports of a shop add up to
everything that happened, however late something was written down. A day is closed once; what comes after it is in
the next report.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access.queries import names_of
from moralbank.merchants.queries import Merchant
from moralbank.merchants.service import lock_merchant
from moralbank.redemptions.errors import UnknownZReport
from moralbank.redemptions.models import charges, refunds, zreports
from moralbank.redemptions.queries import LIST_MAX

#: No transaction stays open longer: a charge of before the last close can't be written down later than this.
_LATEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ZReport:
    """A closed day: its document is what was hashed, octet by octet."""

    zreport_id: int
    merchant_id: int
    number: int
    day_on: date
    since_at: datetime
    closed_at: datetime
    document: str
    sha256: str

    @property
    def is_intact(self) -> bool:
        """Whether the document still is what was hashed when the day was closed."""
        return digest(self.document) == self.sha256

    @property
    def told(self) -> Mapping[str, Any]:
        """What the document says."""
        found: Mapping[str, Any] = json.loads(self.document)
        return found


_ZREPORT = [zreports.c[name] for name in ZReport.__dataclass_fields__]


def digest(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def close_day(db: Connection, merchant_id: int, *, actor: str) -> ZReport:
    """Close a shop's day at its tills; closed before, it is given as it was.

    Writes: the report, and on what it counts that it does. Raises: UnknownMerchant.
    """
    merchant = lock_merchant(db, merchant_id)
    last = next(iter(list_zreports(db, merchant_id, limit=1)), None)
    today, now = clock.today(), clock.now()
    if last is not None and last.day_on >= today:
        return last
    number = last.number + 1 if last else 1
    row = {
        "merchant_id": merchant_id,
        "number": number,
        "day_on": today,
        "since_at": last.closed_at if last else clock.start_of(today),
        "closed_at": now,
    }
    parts = _mark(db, merchant_id, number, row["since_at"] - _LATEST if last else row["since_at"])
    document = ledger.canonical(_document(db, merchant, row, parts, last, actor)).decode()
    insert = zreports.insert().values(row | {"document": document, "sha256": digest(document)})
    return get_zreport(db, db.execute(insert.returning(zreports.c.zreport_id)).scalar_one())


@dataclass(frozen=True, slots=True)
class _Part:
    """What one report counts of a kind: by cashier and till, how many and how many points."""

    kind: str
    login_id: int
    terminal: str
    points: int


def _mark(db: Connection, merchant_id: int, number: int, since: datetime) -> list[_Part]:
    """Mark with the report's number whatever no report of the shop counts yet, and return it."""
    mine = charges.c.merchant_id == merchant_id
    who = (charges.c.operator_id, charges.c.terminal, charges.c.points)
    fresh = mine & (charges.c.charged_at >= since)
    sold = charges.update().where(fresh, charges.c.zreport_number.is_(None)).values(zreport_number=number)
    undone = (
        charges.update()
        .where(fresh, charges.c.undone_at.is_not(None), charges.c.undo_zreport_number.is_(None))
        .values(undo_zreport_number=number)
    )
    parts = [_Part("charged", *row) for row in db.execute(sold.returning(*who))]
    parts += [_Part("undone", *row) for row in db.execute(undone.returning(*who))]
    shops = sa.select(charges.c.charge_id).where(charges.c.charge_id == refunds.c.charge_id, mine).exists()
    given = (
        refunds.update()
        .where(refunds.c.refunded_at >= since, refunds.c.zreport_number.is_(None), shops)
        .values(zreport_number=number)
        .returning(refunds.c.refunded_by, refunds.c.points)
    )
    for actor, points in db.execute(given):
        # What the station asked for is nobody's at the till.
        at_till = actor.startswith("operator:")
        parts.append(_Part("refunded", int(ledger.login_of(actor)) if at_till else 0, "", points))
    return parts


def _document(
    db: Connection, merchant: Merchant, row: Mapping[str, Any], parts: list[_Part], last: ZReport | None, actor: str
) -> dict[str, Any]:
    """Return what a report says. Shape: docs/decisions/0019-zreports.md."""
    names = names_of(db, {part.login_id for part in parts if part.login_id})
    cashiers, tills = defaultdict(list), defaultdict(list)
    for part in parts:
        cashiers[part.login_id].append(part)
        if part.terminal:
            tills[part.terminal].append(part)
    unsettled = ledger.balance(db, merchant.book_id, merchant.account_id, ledger.Unit.POINTS)
    return {
        "v": 1,
        "kind": "zreport",
        "merchant": {"id": merchant.merchant_id, "code": merchant.code, "name": _nfc(merchant.name)},
        "number": row["number"],
        "day": f"{row['day_on']}",
        "since": ledger.instant(row["since_at"]),
        "closed": ledger.instant(row["closed_at"]),
        "by": actor,
        "total": _sums(parts),
        "cashiers": [
            {"login": login, "name": _nfc(names.get(login, "")), **_sums(cashiers[login])} for login in sorted(cashiers)
        ],
        # A till's name opens what it charged, so only its first characters are told.
        "tills": [{"till": digest(till)[:6], **_sums(tills[till])} for till in sorted(tills, key=digest)],
        "unsettled_points": unsettled.balance,
        "before": last.sha256 if last else "",
    }


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _sums(parts: list[_Part]) -> dict[str, int]:
    told: dict[str, int] = {}
    for kind in ("charged", "undone", "refunded"):
        of_kind = [part.points for part in parts if part.kind == kind]
        told |= {kind: len(of_kind), f"{kind}_points": sum(of_kind)}
    return told | {"net_points": told["charged_points"] - told["undone_points"] - told["refunded_points"]}


def get_zreport(db: Connection, zreport_id: int) -> ZReport:
    """Return a report. Raises: UnknownZReport."""
    row = db.execute(sa.select(*_ZREPORT).where(zreports.c.zreport_id == zreport_id)).first()
    if row is None:
        raise UnknownZReport
    return ZReport(*row)


def list_zreports(
    db: Connection, merchant_id: int, *, before_number: int | None = None, limit: int = 50
) -> list[ZReport]:
    """List a shop's reports, the latest first."""
    query = sa.select(*_ZREPORT).where(zreports.c.merchant_id == merchant_id)
    if before_number is not None:
        query = query.where(zreports.c.number < before_number)
    rows = db.execute(query.order_by(zreports.c.number.desc()).limit(min(limit, LIST_MAX)))
    return [ZReport(*row) for row in rows]
