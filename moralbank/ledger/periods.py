"""What a span of time moved on many accounts: per account and unit where it began, the leaves of its lines, its end.

For what is issued for a whole book at once: a page of accounts is two statements, and lines are read as they stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.ledger import folds, models
from moralbank.ledger.reading import balance
from moralbank.ledger.values import AccountKind, Unit

#: How many rows are fetched at once: what an account's lines of a year may come to stays out of memory.
_FETCHED = 5_000
_TICK = timedelta(microseconds=1)

_Row = tuple[int, int, int, int, int, bytes]

_balances, _postings, _entries = models.balances, models.postings, models.entries


class PeriodLine(NamedTuple):
    """A line as its leaf says it. n: of the account, or of the span on an account without numbers."""

    n: int
    amount: int
    balance_after: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class PeriodSection:
    """A unit of an account in a span: n and balance of the last line before it, and its lines.

    lines are read before the next section is asked for, or not at all.
    """

    account: int
    kind: AccountKind
    unit: Unit
    opening_n: int
    opening: int
    lines: Iterator[PeriodLine]


def account_page(db: Connection, book: int, after: int, limit: int) -> list[tuple[int, AccountKind]]:
    """Return the next accounts that are somebody's, by number: those that have statements."""
    kinds = [str(kind) for kind in AccountKind if kind.is_guarded or kind is AccountKind.MERCHANT]
    table = models.accounts.c
    query = sa.select(table.account_id, table.kind).where(
        table.book_id == book, table.account_id > after, table.kind.in_(kinds)
    )
    rows = db.execute(query.order_by(table.account_id).limit(limit))
    return [(row.account_id, AccountKind(row.kind)) for row in rows]


def stream_sections(
    db: Connection, book: int, accounts: list[tuple[int, AccountKind]], since: datetime, until: datetime
) -> Iterator[PeriodSection]:
    """Yield each unit of each account of a page in [since, until), by account; a merchant has points only.

    accounts: as account_page returns them. Of an account that had no line before `until`, nothing is yielded.
    """
    guarded = [account for account, kind in accounts if kind.is_guarded]
    kinds = dict(accounts)
    if guarded:
        yield from _guarded_sections(db, book, kinds, guarded[0], guarded[-1], since, until)
    for account, kind in accounts:
        if not kind.is_guarded:
            yield from _summed_section(db, book, account, kind, since, until)


def section_of(
    db: Connection, book: int, account: int, kind: AccountKind, unit: Unit, since: datetime, until: datetime
) -> PeriodSection:
    """Return one unit of one account in [since, until), also where nothing moved."""
    found = stream_sections(db, book, [(account, kind)], since, until)
    for section in found:
        if section.unit is unit:
            return section
    return PeriodSection(account, kind, unit, 0, 0, iter(()))


def _guarded_sections(
    db: Connection, book: int, kinds: dict[int, AccountKind], first: int, last: int, since: datetime, until: datetime
) -> Iterator[PeriodSection]:
    """Yield the sections of guarded accounts: of those that rested too, from what they hold now, where that is old."""
    in_page = (_balances.c.book_id == book, _balances.c.account_id.between(first, last))
    held = sa.select(
        _balances.c.account_id, _balances.c.unit, _balances.c.n, _balances.c.balance, _balances.c.last_at
    ).where(*in_page)
    resting = {(row.account_id, row.unit): (row.n, row.balance, row.last_at) for row in db.execute(held)}
    lines = groupby(_stream(db, in_page, since, until), lambda row: (row[0], row[1]))
    moved = next(lines, None)
    for key in sorted(resting):
        account, unit = key[0], Unit(key[1])
        if moved is not None and moved[0] == key:
            rows = moved[1]
            head = next(rows)
            yield PeriodSection(account, kinds[account], unit, head[2] - 1, head[4] - head[3], _lines(head, rows))
            moved = next(lines, None)
            continue
        opening_n, opening = _rested(db, book, account, unit, resting[key], since)
        yield PeriodSection(account, kinds[account], unit, opening_n, opening, iter(()))


def _rested(
    db: Connection, book: int, account: int, unit: Unit, held: tuple[int, int, datetime | None], since: datetime
) -> tuple[int, int]:
    """Return number and balance of the last line before an instant on an account that did not move after it."""
    n, present, last_at = held
    if last_at is None or last_at < since:
        return n, present
    # What it holds now is of later lines: the span is issued late.
    then = balance(db, book, account, unit, since - _TICK)
    return then.n, then.balance


def _stream(
    db: Connection, in_page: tuple[sa.ColumnElement[bool], ...], since: datetime, until: datetime
) -> Iterator[_Row]:
    """Yield (account, unit, n, amount, balance_after, leaf) of guarded accounts, in the order of their lines."""
    same_line = (
        (_postings.c.book_id == _balances.c.book_id)
        & (_postings.c.account_id == _balances.c.account_id)
        & (_postings.c.unit == _balances.c.unit)
    )
    query = (
        sa.select(
            _postings.c.account_id,
            _postings.c.unit,
            _postings.c.n,
            _postings.c.amount,
            _postings.c.balance_after,
            _entries.c.leaf_bytes,
        )
        .select_from(_balances.join(_postings, same_line).join(_entries, _same_entry()))
        .where(*in_page, _postings.c.posted_at >= since, _postings.c.posted_at < until)
        .order_by(_postings.c.account_id, _postings.c.unit, _postings.c.n)
        .execution_options(yield_per=_FETCHED)
    )
    for rows in db.execute(query).partitions():
        yield from cast("list[_Row]", rows)


def _lines(head: _Row, rest: Iterator[_Row]) -> Iterator[PeriodLine]:
    yield PeriodLine(*head[2:])
    for _account, _unit, n, amount, balance_after, leaf in rest:
        yield PeriodLine(n, amount, balance_after, leaf)


def _summed_section(
    db: Connection, book: int, account: int, kind: AccountKind, since: datetime, until: datetime
) -> Iterator[PeriodSection]:
    of_account = (_postings.c.book_id == book, _postings.c.account_id == account)
    ever = sa.select(_postings.c.seq).where(*of_account, _postings.c.posted_at < until).limit(1)
    if db.execute(ever).first() is None:
        return
    opening = folds.total(db, book, account, Unit.POINTS, since - _TICK)
    query = (
        sa.select(_postings.c.amount, _entries.c.leaf_bytes)
        .select_from(_postings.join(_entries, _same_entry()))
        .where(*of_account, _postings.c.unit == int(Unit.POINTS))
        .where(_postings.c.posted_at >= since, _postings.c.posted_at < until)
        .order_by(_postings.c.seq)
        .execution_options(yield_per=_FETCHED)
    )
    yield PeriodSection(account, kind, Unit.POINTS, 0, opening, _numbered(db, query, opening))


def _numbered(db: Connection, query: sa.Select[Any], opening: int) -> Iterator[PeriodLine]:
    running = opening
    n = 0
    for rows in db.execute(query).partitions():
        for amount, leaf in rows:
            n, running = n + 1, running + amount
            yield PeriodLine(n, amount, running, leaf)


def _same_entry() -> sa.ColumnElement[bool]:
    return (_entries.c.book_id == _postings.c.book_id) & (_entries.c.entry_id == _postings.c.entry_id)
