"""What can be read from a book: balances now and at any past instant, lines, entries, sums, the trial balance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import folds, models
from moralbank.ledger.errors import BadDraft, UnknownAccount, UnknownEntry
from moralbank.ledger.values import AccountKind, Balance, Entry, Line, PostedLeg, Unit
from moralbank.prepared import Prepared, Question, Row, ask

MAX_LINES = 1000

_entries, _postings, _balances = models.entries, models.postings, models.balances
_later = models.entries.alias("later")


_book: sa.BindParameter[int] = sa.bindparam("book")
_account: sa.BindParameter[int] = sa.bindparam("account")
_unit: sa.BindParameter[int] = sa.bindparam("unit")
_KIND_AND_BALANCE = Prepared(
    sa.select(models.accounts.c.kind, _balances.c.balance, _balances.c.n)
    .outerjoin(
        _balances,
        (_balances.c.book_id == models.accounts.c.book_id)
        & (_balances.c.account_id == models.accounts.c.account_id)
        & (_balances.c.unit == _unit),
    )
    .where(models.accounts.c.book_id == _book, models.accounts.c.account_id == _account)
)
_this_account = (_postings.c.book_id == _book, _postings.c.account_id == _account, _postings.c.unit == _unit)
_BALANCE_AT = Prepared(
    sa.select(_postings.c.balance_after, _postings.c.n)
    .where(*_this_account, _postings.c.posted_at <= sa.bindparam("at"))
    .order_by(_postings.c.posted_at.desc(), _postings.c.n.desc())
    .limit(1)
)


def balance(db: Connection, book: int, account: int, unit: Unit, at: datetime | None = None) -> Balance:
    """Return an account's balance now, or as it stood at a past instant (postings of that very instant included).

    Raises: UnknownAccount; BadDraft for an instant to come.
    """
    now = clock.now()
    if at is not None and at > now:
        raise BadDraft(field="at")
    [row] = ask(db, asking_balance(book, account, unit))
    if row is None:
        raise UnknownAccount(account=account)
    kind, present, n = row
    if not kind.is_guarded:
        return Balance(folds.total(db, book, account, unit, at), 0, at or now)
    if at is None:
        return Balance(present, n, now)
    then = _BALANCE_AT.first(db, book=book, account=account, unit=int(unit), at=at)
    return Balance(then[0], then[1], at) if then else Balance(0, 0, at)


def asking_balance(book: int, account: int, unit: Unit) -> Question[tuple[AccountKind, int, int] | None]:
    """Ask for an account's kind with the balance and lines that a guarded one has now; None where there is none."""

    def read(found: list[list[Row]]) -> tuple[AccountKind, int, int] | None:
        [rows] = found
        return (AccountKind(rows[0][0]), rows[0][1], rows[0][2]) if rows else None

    return Question(_KIND_AND_BALANCE, [{"book": book, "account": account, "unit": int(unit)}], read)


def _of(table: sa.Table, book: int, account: int, unit: Unit) -> list[sa.ColumnElement[bool]]:
    return [table.c.book_id == book, table.c.account_id == account, table.c.unit == int(unit)]


def balances(db: Connection, book: int, accounts: Iterable[int], unit: Unit) -> dict[int, int]:
    """Return the present balance of each of the guarded accounts."""
    found: dict[int, int] = {}
    wanted = sorted(set(accounts))
    for start in range(0, len(wanted), MAX_LINES):
        query = sa.select(_balances.c.account_id, _balances.c.balance).where(
            _balances.c.book_id == book,
            _balances.c.unit == int(unit),
            _balances.c.account_id.in_(wanted[start : start + MAX_LINES]),
        )
        found.update((row.account_id, row.balance) for row in db.execute(query))
    return found


def outstanding(db: Connection, book: int, unit: Unit) -> int:
    """Return what all guarded accounts of a book hold together, without adding up any history."""
    held = models.balances
    total = sa.select(sa.func.coalesce(sa.func.sum(held.c.balance), 0))
    return int(db.execute(total.where(held.c.book_id == book, held.c.unit == int(unit))).scalar_one())


def movements(
    db: Connection,
    book: int,
    accounts: Iterable[int],
    unit: Unit,
    kinds: Sequence[str],
    since: datetime,
    until: datetime | None = None,
) -> dict[int, int]:
    """Return, per account, the sum of the amounts of entries of these kinds posted in [since, until)."""
    found: dict[int, int] = {}
    wanted = sorted(set(accounts))
    for start in range(0, len(wanted), MAX_LINES):
        query = (
            sa.select(_postings.c.account_id, sa.func.sum(_postings.c.amount).label("total"))
            .join(_entries, _same_entry(_postings, _entries))
            .where(_postings.c.book_id == book, _postings.c.unit == int(unit))
            .where(_postings.c.account_id.in_(wanted[start : start + MAX_LINES]))
            .where(_entries.c.kind.in_(kinds), _postings.c.posted_at >= since)
            .group_by(_postings.c.account_id)
        )
        if until is not None:
            query = query.where(_postings.c.posted_at < until)
        found.update((row.account_id, int(row.total)) for row in db.execute(query))
    return found


def _same_entry(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    return (one.c.book_id == other.c.book_id) & (one.c.entry_id == other.c.entry_id)


_LINES = (
    sa.select(
        _postings.c.entry_id,
        _postings.c.seq,
        _postings.c.account_id,
        _postings.c.unit,
        _postings.c.n,
        _postings.c.amount,
        _postings.c.balance_after,
        _postings.c.expires_on,
        _entries.c.kind,
        _postings.c.posted_at,
        _entries.c.occurred_on,
        _entries.c.actor,
        _entries.c.branch_id,
        _entries.c.source_kind,
        _entries.c.source_id,
        _entries.c.rule_code,
        _entries.c.rule_version,
        _entries.c.grade,
        _entries.c.reverses,
        _later.c.entry_id.label("reversed_by"),
        _entries.c.checker,
        models.private_parts.c.content,
    )
    .join(_entries, _same_entry(_postings, _entries))
    .outerjoin(_later, (_later.c.book_id == _entries.c.book_id) & (_later.c.reverses == _entries.c.entry_id))
    .outerjoin(models.private_parts, _same_entry(models.private_parts, _entries))
    .where(*_this_account)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_BOUNDS = {
    "since": _postings.c.posted_at >= sa.bindparam("since"),
    "until": _postings.c.posted_at < sa.bindparam("until"),
    "before_seq": _postings.c.seq < sa.bindparam("before_seq"),
    "after_seq": _postings.c.seq > sa.bindparam("after_seq"),
    "before_n": _postings.c.n < sa.bindparam("before_n"),
}


@cache
def _page(bounds: tuple[str, ...], newest_first: bool) -> Prepared:
    """Return the statement that reads an account's lines within the bounds."""
    order = _postings.c.seq.desc() if newest_first else _postings.c.seq
    return Prepared(_LINES.where(*(_BOUNDS[name] for name in bounds)).order_by(order))


def history(
    db: Connection,
    book: int,
    account: int,
    unit: Unit,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    before_seq: int | None = None,
    after_seq: int | None = None,
    before_n: int | None = None,
    limit: int = 50,
    newest_first: bool = True,
) -> list[Line]:
    """Return an account's lines posted in [since, until), at most `limit` (1 to 1,000) of them."""
    bounds = {"since": since, "until": until, "before_seq": before_seq, "after_seq": after_seq, "before_n": before_n}
    lines: list[Line]
    [lines] = ask(db, asking_history(book, account, unit, bounds, limit=limit, newest_first=newest_first))
    return lines


def asking_history(
    book: int,
    account: int,
    unit: Unit,
    bounds: Mapping[str, datetime | int | None],
    *,
    limit: int,
    newest_first: bool = True,
) -> Question[list[Line]]:
    """Ask as history does; the bounds are its keywords."""
    if not 1 <= limit <= MAX_LINES:
        raise BadDraft(field="limit")
    given = {name: value for name, value in bounds.items() if value is not None}
    values = {"book": book, "account": account, "unit": int(unit), "limit": limit, **given}
    page = _page(tuple(given), newest_first)
    return Question(page, [values], lambda found: [_line(row) for row in found[0]])


def _line(row: Row) -> Line:
    entry_id, seq, account, unit, n, amount, balance_after, expires_on, kind, posted_at, occurred_on, *more = row
    actor, branch, source_kind, source_id, rule_code, rule_version, grade, *last = more
    reverses, reversed_by, checker, content = last
    return Line(
        entry_id=entry_id,
        seq=seq,
        account=account,
        unit=Unit(unit),
        n=n,
        amount=amount,
        balance_after=balance_after,
        expires_on=expires_on,
        kind=kind,
        posted_at=posted_at,
        occurred_on=occurred_on,
        actor=actor,
        branch=branch,
        source=_pair(source_kind, source_id),
        rule=_pair(rule_code, rule_version),
        grade=grade,
        reverses=reverses,
        reversed_by=reversed_by,
        private=_private(content),
        checker=checker,
    )


def _pair(first: Any, second: Any) -> Any:
    return None if first is None else (first, second)


def _private(content: str | None) -> Mapping[str, str]:
    return json.loads(content) if content else {}


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list; None means any. Instants are of posting, [since, until)."""

    branches: Sequence[int] | None = None
    account: int | None = None
    kind: str | None = None
    rule: str | None = None
    actor: str | None = None
    grade: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: tuple[str, str] | None = None

    def conditions(self, book: int) -> list[sa.ColumnElement[bool]]:
        """Return the filter as conditions on the entries' table."""
        found = [_entries.c.book_id == book]
        equal = (
            (_entries.c.kind, self.kind),
            (_entries.c.rule_code, self.rule),
            (_entries.c.actor, self.actor),
            (_entries.c.grade, self.grade),
        )
        found += [column == value for column, value in equal if value is not None]
        if self.branches is not None:
            found.append(_entries.c.branch_id.in_(self.branches))
        if self.source is not None:
            found += [_entries.c.source_kind == self.source[0], _entries.c.source_id == self.source[1]]
        if self.account is not None:
            on_account = sa.select(_postings.c.entry_id).where(
                _postings.c.book_id == book, _postings.c.account_id == self.account
            )
            found.append(_entries.c.entry_id.in_(on_account))
        if self.since is not None:
            found.append(_entries.c.posted_at >= self.since)
        if self.until is not None:
            found.append(_entries.c.posted_at < self.until)
        return found


def list_entries(
    db: Connection,
    book: int,
    which: EntryFilter,
    *,
    before_seq: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Return matching entries with their legs, newest first, at most `limit` (1 to 1,000)."""
    if not 1 <= limit <= MAX_LINES:
        raise BadDraft(field="limit")
    conditions = which.conditions(book)
    if before_seq is not None:
        conditions.append(_entries.c.seq < before_seq)
    return _load(db, conditions, limit)


def find_entry(db: Connection, book: int, entry_id: UUID) -> Entry | None:
    """Return one entry with its legs, or None."""
    found = _load(db, [_entries.c.book_id == book, _entries.c.entry_id == entry_id], 1)
    return found[0] if found else None


def get_entry(db: Connection, book: int, entry_id: UUID) -> Entry:
    """Return one entry with its legs.

    Raises: UnknownEntry.
    """
    found = find_entry(db, book, entry_id)
    if found is None:
        raise UnknownEntry()
    return found


def _load(db: Connection, conditions: list[sa.ColumnElement[bool]], limit: int) -> list[Entry]:
    query = (
        sa.select(_entries, _later.c.entry_id.label("reversed_by"), models.private_parts.c.content)
        .outerjoin(_later, (_later.c.book_id == _entries.c.book_id) & (_later.c.reverses == _entries.c.entry_id))
        .outerjoin(models.private_parts, _same_entry(models.private_parts, _entries))
        .where(*conditions)
        .order_by(_entries.c.seq.desc())
        .limit(limit)
    )
    found = db.execute(query).all()
    if not found:
        return []
    legs: dict[UUID, list[PostedLeg]] = {row.entry_id: [] for row in found}
    of_these = (
        sa.select(_postings)
        .where(_postings.c.book_id == found[0].book_id, _postings.c.entry_id.in_(list(legs)))
        .order_by(_postings.c.leg)
    )
    for row in db.execute(of_these):
        leg = PostedLeg(row.account_id, Unit(row.unit), row.amount, row.n, row.balance_after, row.expires_on)
        legs[row.entry_id].append(leg)
    return [_entry(row, legs[row.entry_id]) for row in found]


def _entry(row: sa.Row[Any], legs: list[PostedLeg]) -> Entry:
    return Entry(
        book=row.book_id,
        entry_id=row.entry_id,
        seq=row.seq,
        kind=row.kind,
        actor=row.actor,
        branch=row.branch_id,
        source=_pair(row.source_kind, row.source_id),
        rule=_pair(row.rule_code, row.rule_version),
        grade=row.grade,
        occurred_on=row.occurred_on,
        posted_at=row.posted_at,
        reverses=row.reverses,
        reversed_by=row.reversed_by,
        leaf_bytes=row.leaf_bytes,
        legs=tuple(legs),
        private=_private(row.content),
        checker=row.checker,
    )


@dataclass(frozen=True, slots=True)
class EntrySums:
    """How many entries match, and what they moved into accounts, per unit."""

    entries: int
    points: int
    minutes: int


def sum_entries(db: Connection, book: int, which: EntryFilter) -> EntrySums:
    """Count the matching entries and add up what they moved (the positive legs)."""
    conditions = which.conditions(book)
    count = db.execute(sa.select(sa.func.count()).select_from(_entries).where(*conditions)).scalar_one()
    moved = (
        sa.select(_postings.c.unit, sa.func.sum(_postings.c.amount))
        .join(_entries, _same_entry(_postings, _entries))
        .where(*conditions, _postings.c.amount > 0)
        .group_by(_postings.c.unit)
    )
    sums = {Unit(unit): int(total) for unit, total in db.execute(moved)}
    return EntrySums(count, sums.get(Unit.POINTS, 0), sums.get(Unit.MINUTES, 0))


@dataclass(frozen=True, slots=True)
class TrialRow:
    """What all accounts of a kind got and gave in a unit; debit and credit are both positive."""

    kind: AccountKind
    unit: Unit
    accounts: int
    credit: int
    debit: int

    @property
    def balance(self) -> int:
        return self.credit - self.debit


def trial_balance(db: Connection, book: int, at: datetime | None = None) -> list[TrialRow]:
    """Return what each kind of account got and gave; over all rows of a unit the balances sum to zero."""
    credit = sa.func.sum(sa.case((_postings.c.amount > 0, _postings.c.amount), else_=0))
    debit = sa.func.sum(sa.case((_postings.c.amount < 0, -_postings.c.amount), else_=0))
    query = (
        sa.select(
            models.accounts.c.kind,
            _postings.c.unit,
            sa.func.count(_postings.c.account_id.distinct()),
            credit,
            debit,
        )
        .join(
            models.accounts,
            (models.accounts.c.book_id == _postings.c.book_id)
            & (models.accounts.c.account_id == _postings.c.account_id),
        )
        .where(_postings.c.book_id == book)
        .group_by(models.accounts.c.kind, _postings.c.unit)
        .order_by(_postings.c.unit, models.accounts.c.kind)
    )
    if at is not None:
        query = query.where(_postings.c.posted_at <= at)
    return [
        TrialRow(AccountKind(kind), Unit(unit), count, int(got), int(gave))
        for kind, unit, count, got, gave in db.execute(query)
    ]
