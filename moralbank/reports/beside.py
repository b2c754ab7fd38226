"""Holds what stands beside the books against their leaves: the record of deeds, approvals, settlements, sealed days.

Nothing of it moves points, but pages show it. Reads only, a page at a time.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.access import deed_queries
from moralbank.access.deed_queries import Stated
from moralbank.approvals import queries as approvals
from moralbank.approvals.queries import Request
from moralbank.ledger import Entry, Unit
from moralbank.merchants.queries import get_merchant
from moralbank.noticeboard import queries as noticeboard
from moralbank.residents.queries import residents_by_id
from moralbank.settlements import queries as settlements
from moralbank.settlements.queries import Settlement, SettlementLine, lines_hash
from moralbank.transparency import Log, facts

FAULTS_MAX = 100
#: The row and the leaf of one act are written one after the other.
_ONE_ACT = timedelta(minutes=1)
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Besides:
    """How much was held against the leaves, and what differs (the first hundred, in words)."""

    deeds: int
    requests: int
    settlements: int
    days: int
    faults: tuple[str, ...]


def verify(db: Connection, book: int) -> Besides:
    """Check what stands beside a book, in one snapshot."""
    faults: list[str] = []
    counts = [
        _count(faults, check(db, book)) for check in (_check_deeds, _check_requests, _check_settlements, _check_days)
    ]
    return Besides(*counts, tuple(faults))


def _count(faults: list[str], found: Iterator[str | None]) -> int:
    """Count what was checked, one yielded thing each; None means that it is as it must be."""
    count = 0
    for fault in found:
        count += 1
        if fault is not None and len(faults) < FAULTS_MAX:
            faults.append(fault)
    return count


def _check_deeds(db: Connection, book: int) -> Iterator[str | None]:
    """Every deed is what its leaf says, and every leaf of a deed has one."""
    after, loose = 0, {no: leaf for no, leaf in _facts(db, book, Log.ACCESS) if _is_deed(leaf)}
    while page := deed_queries.list_stated(db, book, after=after, limit=_PAGE):
        people = residents_by_id(db, {one.line.resident_id for one in page if one.line.resident_id is not None})
        for one in page:
            leaf = loose.pop(one.line.fact_no or 0, None)
            resident = people.get(one.line.resident_id or 0)
            whose = None if resident is None else resident.account_id
            wrong = "it has no leaf" if leaf is None else _deed_differs(one, leaf, whose)
            yield f"deed {one.line.deed_id}: {wrong}" if wrong else None
        after = page[-1].line.deed_id
    for no in loose:
        yield f"leaf {no} of the access log is no deed"


def _facts(db: Connection, book: int, log: Log) -> Iterator[tuple[int, bytes]]:
    first = 1
    while page := facts.list_leaves(db, book, log, first, _PAGE):
        yield from page
        first = page[-1][0] + 1


def _is_deed(leaf: bytes) -> bool:
    """Tell whether a leaf is a deed's; the log's own are of other kinds."""
    return json.loads(leaf)["k"] in set(deed_queries.Kind)


def _deed_differs(one: Stated, leaf: bytes, account: int | None) -> str:
    """Return what of a deed its leaf says otherwise."""
    line, fields = one.line, json.loads(leaf)
    said: dict[str, Any] = {
        "k": str(line.kind),
        "by": line.actor,
        "br": line.branch_id,
        "why": str(line.reason) if line.reason else None,
        "src": line.about or None,
        "c": line.people,
    }
    wrong = [name for name, value in said.items() if fields.get(name) != value]
    # A deed about a login's or a roster's own resident names no account.
    if line.resident_id is not None and fields.get("a") != account:
        wrong.append("a")
    if line.resident_id is None and "a" in fields:
        wrong.append("a")
    if not _is_one_act(line.done_at, datetime.fromisoformat(fields["at"])):
        wrong.append("at")
    if line.leaf_hash != ledger.leaf_hash(leaf):
        wrong.append("hash")
    if one.salt is not None and hmac.digest(one.salt, line.note.encode(), "sha256").hex() != fields.get("m"):
        wrong.append("m")
    return ", ".join(wrong)


def _check_requests(db: Connection, book: int) -> Iterator[str | None]:
    """Every request that was approved is what its entry says, and every one that a deed decided was decided so."""
    decided = {_number(leaf): json.loads(leaf)["at"] for _, leaf in _facts(db, book, Log.ACCESS) if _number(leaf)}
    for request in approvals.stream_decided(db, book):
        at = decided.pop(request.request_id, None)
        wrong = "deed" if at is None or not _is_one_act(request.decided_at, datetime.fromisoformat(at)) else ""
        wrong = wrong or (_request_differs(db, request) if request.state == "approved" else "")
        yield f"request {request.request_id}: {wrong}" if wrong else None
    for number in decided:
        yield f"request {number}: it was decided and stands nowhere"


def _number(leaf: bytes) -> int:
    """Return which request a deed decided; 0 for any other leaf."""
    if b'"k":"approve"' not in leaf:
        return 0
    word, _, number = json.loads(leaf).get("src", "").partition(":")
    return int(number) if word == "approval" and number.isdigit() else 0


def _is_one_act(at: datetime | None, other: datetime) -> bool:
    return at is not None and abs(at - other) <= _ONE_ACT


def _request_differs(db: Connection, request: Request) -> str:
    logins = [(request.maker, request.maker_login_id), (request.checker or "", request.checker_login_id)]
    if any(ledger.login_of(actor) != str(login_id) for actor, login_id in logins):
        return "login"
    if request.posted_entry_id is None:
        original = ledger.find_entry(db, request.book_id, request.entry_id) if request.entry_id else None
        is_nothing_left = original is not None and original.reversed_by is None
        return "" if is_nothing_left and approvals.find_offset(db, request.request_id) else "entry"
    entry = ledger.find_entry(db, request.book_id, request.posted_entry_id)
    if entry is None:
        return "entry"
    points = sum(leg.amount for leg in entry.legs if leg.account == request.account_id and leg.unit is Unit.POINTS)
    said = {
        "kind": entry.kind == request.kind,
        "maker": entry.actor == request.maker,
        "checker": entry.checker == request.checker,
        "original": entry.reverses == request.entry_id,
        "account": any(leg.account == request.account_id for leg in entry.legs),
        "points": request.points is None or points == request.points,
        "decided": _is_one_act(request.decided_at, entry.posted_at),
    }
    return ", ".join(name for name, holds in said.items() if not holds)


def _check_settlements(db: Connection, book: int) -> Iterator[str | None]:
    """Every settlement is what its lines come to, and its lines are those that were issued."""
    for settlement in settlements.stream_settlements(db, book):
        wrong = _settlement_differs(db, settlement, settlements.list_lines(db, settlement.settlement_id))
        yield f"settlement {settlement.number}: {wrong}" if wrong else None


def _settlement_differs(db: Connection, settlement: Settlement, lines: list[SettlementLine]) -> str:
    account = get_merchant(db, settlement.merchant_id).account_id
    entry = ledger.find_entry(db, settlement.book_id, settlement.entry_id) if settlement.entry_id else None
    name = f"{settlement.merchant_id}:{settlement.month_on:%Y-%m}:{settlement.mode}"
    said = {
        "lines": bytes(settlement.lines_hash) == lines_hash(lines),
        "count": settlement.lines_count == len(lines),
        "points": settlement.points == sum(line.points for line in lines),
        "due": settlement.due_fen == sum(line.owed_fen for line in lines),
        "entry": _is_of_settlement(settlement, entry, account, name),
        "sales": all(_is_line_of(db, settlement.book_id, line, account) for line in lines),
    }
    return ", ".join(what for what, holds in said.items() if not holds)


def _is_of_settlement(settlement: Settlement, entry: Entry | None, account: int, name: str) -> bool:
    if entry is None:
        return settlement.points == 0 and settlement.entry_id is None
    taken = sum(leg.amount for leg in entry.legs if leg.account == account)
    is_then = _is_one_act(settlement.issued_at, entry.posted_at) and settlement.month_on.day == 1
    return is_then and (taken, entry.source, entry.actor) == (
        -settlement.points,
        ("settlement", name),
        settlement.issued_by,
    )


def _is_line_of(db: Connection, book: int, line: SettlementLine, account: int) -> bool:
    """Tell whether a line is the entry that it names; corrections and what was carried over name none."""
    if line.entry_id is None:
        return line.points == 0
    entry = ledger.find_entry(db, book, line.entry_id)
    return entry is not None and line.points == sum(leg.amount for leg in entry.legs if leg.account == account)


def _check_days(db: Connection, book: int) -> Iterator[str | None]:
    """Every sealed day is the one that its leaf seals, and every seal has one."""
    seals = {no: json.loads(leaf)["day"] for no, leaf in _facts(db, book, Log.LEDGER) if b'"k":"snap"' in leaf}
    for day, no in noticeboard.list_numbers(db, book):
        yield None if seals.pop(no, None) == day.isoformat() else f"day {day}: another leaf seals it"
    for day in seals.values():
        yield f"day {day}: its seal stands nowhere"
