"""Makes statements and passbook pages out of an account's lines. Reads only, one snapshot each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access import deed_queries
from moralbank.approvals import queries as approvals
from moralbank.branches.queries import get_branch
from moralbank.ledger import Line, Unit
from moralbank.merchants.queries import Merchant
from moralbank.residents.queries import Resident
from moralbank.statements import values
from moralbank.statements.errors import MonthBeforeBooks, MonthToCome
from moralbank.statements.issued import find_issued
from moralbank.statements.periods import Period, month_period
from moralbank.statements.values import (
    Expiry,
    LaterReversal,
    Looks,
    MonthSum,
    OffsetRest,
    Owner,
    Passbook,
    Section,
    Statement,
    StatementLine,
)

PAGE = 50
_STEP = 1000
_EXPIRIES = 3
_LOOKS = 5
_TICK = timedelta(microseconds=1)


def owner_of_resident(db: Connection, resident: Resident) -> Owner:
    """Return a resident's account and its first month, that of the first line."""
    found = _owner(db, resident.book_id, resident.account_id, is_merchant=False)
    return replace(found, resident_id=resident.resident_id)


def owner_of_account(db: Connection, book: int, account: int) -> Owner:
    """Return the account of a household, a team or the pool, and the month of its first line."""
    return _owner(db, book, account, is_merchant=False)


def owner_of_merchant(db: Connection, merchant: Merchant) -> Owner:
    """Return a merchant's account and the month of its first line."""
    return _owner(db, merchant.book_id, merchant.account_id, is_merchant=True)


def _owner(db: Connection, book: int, account: int, *, is_merchant: bool) -> Owner:
    firsts = [
        line.posted_at for unit in Unit for line in ledger.history(db, book, account, unit, limit=1, newest_first=False)
    ]
    first = min(firsts, default=clock.now())
    return Owner(book, account, is_merchant, values.month_of(first))


def list_months(db: Connection, owner: Owner) -> list[MonthSum]:
    """Return every month that has a statement, newest first, a resident's with what came and went."""
    months = list(_months(owner.first_month))[::-1]
    if owner.is_merchant:
        return [MonthSum(month) for month in months]
    sums = {month: [0, 0, 0] for month in months}
    for unit in Unit:
        for line in lines_between(db, owner, unit):
            column = 2 if unit is Unit.MINUTES else 0 if line.amount > 0 else 1
            sums[values.month_of(line.posted_at)][column] += line.amount
    return [MonthSum(month, *sums[month]) for month in months]


def _months(first: date) -> Iterator[date]:
    last, month = values.month_of(clock.now()), first
    while month <= last:
        yield month
        month = values.next_month(month)


def check_month(owner: Owner, month: date) -> None:
    """Refuse a month without a statement.

    Raises (in the order checked): MonthToCome, MonthBeforeBooks.
    """
    check_period(owner, month_period(month))


def check_period(owner: Owner, period: Period) -> None:
    """Refuse a period without a statement.

    Raises (in the order checked): MonthToCome, MonthBeforeBooks.
    """
    if period.first > clock.today():
        raise MonthToCome(month=period.name)
    if period.following <= owner.first_month:
        raise MonthBeforeBooks(month=period.name, first=f"{owner.first_month:%Y-%m}")


def statement(db: Connection, owner: Owner, month: date) -> Statement:
    """Return the statement of a month that began.

    Raises (in the order checked): MonthToCome, MonthBeforeBooks.
    """
    return statement_of(db, owner, month_period(month))


def statement_of(db: Connection, owner: Owner, period: Period) -> Statement:
    """Return the statement of a period that began; once it is issued, as it was when the period ended.

    Raises (in the order checked): MonthToCome, MonthBeforeBooks.
    """
    check_period(owner, period)
    until, now = period.until, clock.now()
    issued = find_issued(db, owner.book, owner.account, period)
    frozen = issued is not None
    points = _section(db, owner, Unit.POINTS, period, frozen)
    minutes = None if owner.is_merchant else _section(db, owner, Unit.MINUTES, period, frozen)
    expiring = () if owner.is_merchant else _expiring(db, owner, min(until, now))
    as_of = min(until - _TICK, now)
    return Statement(period, as_of, until > now, points, minutes, expiring, _looks(db, owner, period), issued)


def section_lines(
    db: Connection, owner: Owner, month: date, unit: Unit, *, after_number: int, limit: int
) -> list[StatementLine]:
    """Return a month's lines behind a line number, oldest first, at most `limit`.

    Raises (in the order checked): MonthToCome, MonthBeforeBooks.
    """
    check_month(owner, month)
    lines = _section(db, owner, unit, month_period(month), False).lines
    return [line for line in lines if line.number > after_number][:limit]


def passbook(db: Connection, owner: Owner, unit: Unit, before: int | None = None) -> Passbook:
    """Return a page of the passbook: the lines with numbers below `before`, or the newest."""
    found = ledger.history(db, owner.book, owner.account, unit, before_n=before, limit=PAGE + 1)
    lines = found[:PAGE]
    has_more = len(found) > PAGE
    partial = {values.month_of(line.posted_at) for line in lines[:1] if before is not None}
    partial |= {values.month_of(line.posted_at) for line in lines[-1:] if has_more}
    return Passbook(
        unit=unit,
        points=_spendable(db, owner),
        minutes=ledger.balance(db, owner.book, owner.account, Unit.MINUTES).balance,
        lines=tuple(_shown(db, owner, unit, lines)),
        month_sums={f"{month:%Y-%m}": _month_sum(db, owner, unit, month) for month in partial},
        older_before=lines[-1].n if has_more else None,
        expiring=_expiring(db, owner, clock.now()) if before is None else (),
        offsets=_offsets(db, owner) if before is None else (),
    )


def _section(db: Connection, owner: Owner, unit: Unit, period: Period, frozen: bool) -> Section:
    """Return a unit of a period; frozen: as it was when the period ended, with what came later beside it."""
    lines = list(lines_between(db, owner, unit, period.since, period.until))
    opening = _balance_at(db, owner, unit, period.since)
    credit = sum(line.amount for line in lines if line.amount > 0)
    debit = -sum(line.amount for line in lines if line.amount < 0)
    shown, later = tuple(_shown(db, owner, unit, lines, opening)), ()
    if frozen and not owner.is_merchant:
        shown, later = _as_it_was(db, owner, unit, period, shown)
    return Section(unit, opening, credit, debit, opening + credit - debit, shown, later)


def _as_it_was(
    db: Connection, owner: Owner, unit: Unit, period: Period, lines: Sequence[StatementLine]
) -> tuple[tuple[StatementLine, ...], tuple[LaterReversal, ...]]:
    """Return the lines without what was done to them after the period, and that beside them."""
    last = max((line.number for line in lines), default=0)
    then, later = [], []
    for line in lines:
        by = line.reversed_by_number
        if by is None or by <= last:
            then.append(line)
            continue
        [reversal] = ledger.history(db, owner.book, owner.account, unit, before_n=by + 1, limit=1)
        later.append(LaterReversal(line.number, by, clock.local(reversal.posted_at).date()))
        then.append(replace(line, reversed_by_number=None))
    return tuple(then), tuple(later)


def _looks(db: Connection, owner: Owner, period: Period) -> Looks | None:
    if owner.resident_id is None:
        return None
    count, latest = deed_queries.looks_between(db, owner.resident_id, period.since, period.until, limit=_LOOKS)
    return Looks(count, tuple(latest))


def _balance_at(db: Connection, owner: Owner, unit: Unit, instant: datetime) -> int:
    """Return what was there just before an instant; an instant to come means now."""
    at = instant - _TICK
    return ledger.balance(db, owner.book, owner.account, unit, at if at < clock.now() else None).balance


def _spendable(db: Connection, owner: Owner) -> int:
    if owner.is_merchant:
        return ledger.balance(db, owner.book, owner.account, Unit.POINTS).balance
    return ledger.available(db, owner.book, [owner.account])[owner.account]


def _month_sum(db: Connection, owner: Owner, unit: Unit, month: date) -> int:
    end = _balance_at(db, owner, unit, clock.start_of(values.next_month(month)))
    return end - _balance_at(db, owner, unit, clock.start_of(month))


def lines_between(
    db: Connection, owner: Owner, unit: Unit, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Line]:
    """Yield the account's lines in the order of posting."""
    after: int | None = None
    while True:
        page = ledger.history(
            db, owner.book, owner.account, unit,
            since=since, until=until, after_seq=after, limit=_STEP, newest_first=False,
        )  # fmt: skip
        yield from page
        if len(page) < _STEP:
            return
        after = page[-1].seq


def _expiring(db: Connection, owner: Owner, until: datetime) -> tuple[Expiry, ...]:
    """Return what expires next of the points that are there just before an instant."""
    left = ledger.open_lots(db, owner.book, owner.account, Unit.POINTS, until)
    by_day: dict[date, int] = {}
    for lot in left:
        if lot.expires_on is not None:
            by_day[lot.expires_on] = by_day.get(lot.expires_on, 0) + lot.rest
    noted: dict[date, date] = {}
    for notice in ledger.list_notices(db, owner.book, [owner.account]) if by_day else ():
        noted[notice.expires_on] = min(notice.noted_on, noted.get(notice.expires_on, notice.noted_on))
    then = clock.local(until - _TICK).date()
    found = [_expiry(day, points, noted.get(day), then) for day, points in sorted(by_day.items())]
    return tuple(one for one in found if one.expires_on > then)[:_EXPIRIES]


def _expiry(day: date, points: int, noted_on: date | None, then: date) -> Expiry:
    """Say when points are gone: nothing goes within a week of the first word about it."""
    known = noted_on if noted_on is not None and noted_on <= then else None
    return Expiry(max(day, (known or then) + ledger.EXPIRY_NOTICE), points, known)


def _offsets(db: Connection, owner: Owner) -> tuple[OffsetRest, ...]:
    """Return what is still to be offset from awards; a merchant earns none."""
    found = () if owner.is_merchant else approvals.list_open_offsets(db, owner.book, [owner.account])
    return tuple(OffsetRest(one.missing_points, one.rest_points, clock.local(one.ends_at).date()) for one in found)


def _shown(
    db: Connection, owner: Owner, unit: Unit, lines: Sequence[Line], opening: int = 0
) -> Iterator[StatementLine]:
    numbers = _numbers(db, owner, unit, lines)
    places = _branch_names(db, lines)
    running = opening
    for line in lines:
        running += line.amount
        yield StatementLine(
            number=numbers[line.entry_id],
            entry_id=line.entry_id,
            kind=line.kind,
            amount=line.amount,
            balance_after=running if line.balance_after is None else line.balance_after,
            posted_at=line.posted_at,
            occurred_on=line.occurred_on,
            about=values.about(line.private),
            place=values.place(line.private) or places.get(line.branch or 0, ""),
            role=values.role_of(line.actor),
            rule_code=line.rule[0] if line.rule else None,
            rule_version=line.rule[1] if line.rule else None,
            grade=line.grade,
            reason=line.private.get("reason", ""),
            reverses_number=numbers.get(line.reverses) if line.reverses else None,
            reversed_by_number=numbers.get(line.reversed_by) if line.reversed_by else None,
        )


def _numbers(db: Connection, owner: Owner, unit: Unit, lines: Sequence[Line]) -> dict[UUID, int]:
    """Return the line numbers of the lines and of those that they undo or that undo them."""
    if owner.is_merchant:
        return {line.entry_id: place for place, line in enumerate(lines, 1)}
    numbers = {line.entry_id: line.n for line in lines if line.n is not None}
    partners = {entry_id for line in lines for entry_id in (line.reverses, line.reversed_by) if entry_id}
    # Undoing is rare and mostly on the same page, so that hardly ever one is looked up by itself.
    for entry_id in partners - numbers.keys():
        entry = ledger.get_entry(db, owner.book, entry_id)
        for leg in entry.legs:
            if (leg.account, leg.unit) == (owner.account, unit) and leg.n is not None:
                numbers[entry_id] = leg.n
    return numbers


def _branch_names(db: Connection, lines: Sequence[Line]) -> dict[int, str]:
    """Return the names of the branches of lines that don't say where they happened."""
    nameless = {line.branch for line in lines if line.branch and not values.place(line.private)}
    return {branch_id: get_branch(db, branch_id).name_zh for branch_id in nameless}
