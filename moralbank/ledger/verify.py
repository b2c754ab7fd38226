"""Recomputes every invariant of a book from its rows and leaf bytes, and names what is broken.

Reads only. The order of the book is the order of `seq`; the state of every guarded account is rebuilt line by line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import leaf, models
from moralbank.ledger.values import MAX_AMOUNT, AccountKind, PostedLeg, Unit

PAGE = 2_000
MAX_FAULTS = 100

_entries, _postings, _keys = models.entries, models.postings, models.keys


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken thing: what it is, and the entry or account where it stands."""

    what: str
    entry_id: UUID | None
    account: int | None
    detail: str
    #: An altered row explains the broken sums behind it, so it is named first.
    is_alteration: bool

    def __str__(self) -> str:
        place = f"entry {self.entry_id}" if self.entry_id else f"account {self.account}" if self.account else "book"
        return f"{place}: {self.what} ({self.detail})"


@dataclass(slots=True)
class Report:
    """What was checked, in figures, and what was found broken (the first hundred faults)."""

    book: int
    entries: int = 0
    postings: int = 0
    accounts: int = 0
    keys: int = 0
    private_parts: int = 0
    reversals: int = 0
    last_seq: int = 0
    sums: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(Unit, 0))
    outstanding: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(Unit, 0))
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.faults

    @property
    def first_fault(self) -> Fault | None:
        """Return the fault to look at first: the first altered row, else the first broken sum."""
        return next((fault for fault in self.faults if fault.is_alteration), next(iter(self.faults), None))


@dataclass(slots=True)
class _State:
    n: int = 0
    balance: int = 0
    last_at: datetime | None = None
    last_entry: UUID | None = None


@dataclass(slots=True)
class _Walk:
    """The book as rebuilt so far."""

    report: Report
    kinds: dict[int, AccountKind]
    closed: list[tuple[date, int]]
    states: dict[tuple[int, Unit], _State] = field(default_factory=dict)
    reversible: dict[UUID, bool] = field(default_factory=dict)

    def blame(self, what: str, entry: UUID | None, detail: object = "", *, altered: bool = False,
              account: int | None = None) -> None:  # fmt: skip
        if len(self.report.faults) < MAX_FAULTS:
            self.report.faults.append(Fault(what, entry, account, str(detail), altered))


def verify(db: Connection, book: int, progress: Callable[[int], None] | None = None) -> Report:
    """Check every invariant of the book and return what was checked and what is broken.

    progress: called with the number of entries done, once a page.
    """
    walk = _Walk(Report(book), _kinds(db, book), _closed(db, book))
    walk.report.accounts = len(walk.kinds)
    for page in _pages(db, book):
        _check_page(db, walk, page)
        walk.report.entries += len(page)
        if progress is not None:
            progress(walk.report.entries)
    _check_strays(db, walk)
    _check_balances(db, walk)
    _check_keys(db, walk)
    for unit, total in walk.report.sums.items():
        if total:
            walk.blame("the book does not sum to zero", None, f"{unit.name.lower()}: {total}")
    return walk.report


def _kinds(db: Connection, book: int) -> dict[int, AccountKind]:
    rows = db.execute(sa.select(models.accounts).where(models.accounts.c.book_id == book))
    return {row.account_id: AccountKind(row.kind) for row in rows}


def _closed(db: Connection, book: int) -> list[tuple[date, int]]:
    days = models.closed_days
    rows = db.execute(sa.select(days.c.day, days.c.last_seq).where(days.c.book_id == book).order_by(days.c.day))
    return [(row.day, row.last_seq) for row in rows]


def _pages(db: Connection, book: int) -> Iterator[list[Any]]:
    """Yield the entries in the order of seq, a page at a time, so that memory stays bounded."""
    last: int | None = None
    while True:
        query = sa.select(_entries).where(_entries.c.book_id == book).order_by(_entries.c.seq).limit(PAGE)
        page = list(db.execute(query if last is None else query.where(_entries.c.seq > last)))
        if not page:
            return
        yield page
        last = page[-1].seq


def _check_page(db: Connection, walk: _Walk, page: list[Any]) -> None:
    book, first, last = walk.report.book, page[0].seq, page[-1].seq
    in_page = (_entries.c.book_id == book) & (_entries.c.seq >= first) & (_entries.c.seq <= last)
    of_page = (
        sa.select(_postings)
        .join(
            _entries,
            (_entries.c.book_id == _postings.c.book_id) & (_entries.c.entry_id == _postings.c.entry_id),
        )
        .where(in_page)
        .order_by(_entries.c.seq, _postings.c.leg)
    )
    legs = {entry_id: list(rows) for entry_id, rows in groupby(db.execute(of_page), lambda row: row.entry_id)}
    parts_of_page = (
        sa.select(models.private_parts)
        .join(_entries, (_entries.c.book_id == models.private_parts.c.book_id)
              & (_entries.c.entry_id == models.private_parts.c.entry_id))
        .where(in_page)
    )  # fmt: skip
    parts = {row.entry_id: row for row in db.execute(parts_of_page)}
    walk.report.private_parts += len(parts)
    for row in page:
        _check_entry(walk, row, legs.get(row.entry_id, []), parts.get(row.entry_id))


def _check_entry(walk: _Walk, row: Any, legs: list[Any], part: Any) -> None:
    walk.report.postings += len(legs)
    walk.report.last_seq = row.seq
    fields = _read_leaf(walk, row)
    if fields is None:
        return
    _compare(walk, row, legs, fields)
    _check_private(walk, row, part, fields.get("m"))
    stated = leaf.legs_of(fields)
    _check_sums(walk, row, stated)
    _check_reversal(walk, row, stated)
    _check_day(walk, row)
    for leg in stated:
        _follow(walk, row, leg)


def _read_leaf(walk: _Walk, row: Any) -> dict[str, Any] | None:
    try:
        fields = json.loads(row.leaf_bytes)
        if leaf.canonical(fields) != row.leaf_bytes or fields["v"] != leaf.VERSION:
            raise ValueError("not canonical")
        leaf.legs_of(fields)
    except (ValueError, KeyError, TypeError) as error:
        walk.blame("the leaf bytes are damaged", row.entry_id, error, altered=True)
        return None
    return dict(fields)


def _compare(walk: _Walk, row: Any, legs: list[Any], fields: dict[str, Any]) -> None:
    """Hold every column of the entry and of its postings against the leaf."""
    stands = {
        "book": row.book_id,
        "id": row.entry_id.hex,
        "seq": row.seq,
        "kind": row.kind,
        "by": row.actor,
        "at": leaf.instant(row.posted_at),
        "on": row.occurred_on.isoformat(),
        "br": row.branch_id,
        "src": None if (row.source_kind, row.source_id) == (None, None) else [row.source_kind, row.source_id],
        "rule": None if (row.rule_code, row.rule_version) == (None, None) else [row.rule_code, row.rule_version],
        "grade": row.grade,
        "rev": row.reverses.hex if row.reverses else None,
    }
    for name, value in stands.items():
        if fields.get(name) != value:
            walk.blame("the entry differs from its leaf", row.entry_id, f"{name}: {value!r}", altered=True)
    stored = [PostedLeg(leg.account_id, leg.unit, leg.amount, leg.n, leg.balance_after, leg.expires_on) for leg in legs]
    if stored != list(leaf.legs_of(fields)) or [leg.leg for leg in legs] != list(range(len(legs))):
        walk.blame("the postings differ from the leaf", row.entry_id, f"{len(legs)} legs", altered=True)
    if any(leg.seq != row.seq or leg.posted_at != row.posted_at or leg.book_id != row.book_id for leg in legs):
        walk.blame("a posting's number or instant differs from its entry's", row.entry_id, altered=True)


def _check_private(walk: _Walk, row: Any, part: Any, commits_to: str | None) -> None:
    """An absent private part is a forgotten person; one that is there must be what the leaf commits to."""
    if part is not None and leaf.commitment(part.salt, part.content) != commits_to:
        walk.blame("the private part is not the one committed to", row.entry_id, altered=True)


def _check_sums(walk: _Walk, row: Any, legs: tuple[PostedLeg, ...]) -> None:
    sums: dict[Unit, int] = {}
    for leg in legs:
        sums[leg.unit] = sums.get(leg.unit, 0) + leg.amount
        walk.report.sums[leg.unit] += leg.amount
        if not 0 < abs(leg.amount) <= MAX_AMOUNT:
            walk.blame("an amount is zero or too large", row.entry_id, leg.amount)
    if len(legs) < 2 or any(sums.values()):
        walk.blame("the legs do not sum to zero", row.entry_id, sums)


def _check_reversal(walk: _Walk, row: Any, legs: tuple[PostedLeg, ...]) -> None:
    """Only what was posted before, is no reversal and was not yet reversed may be reversed (legs: see posting)."""
    if row.reverses is not None:
        walk.report.reversals += 1
        if not walk.reversible.get(row.reverses):
            walk.blame("it reverses what can't be reversed", row.entry_id, row.reverses)
        walk.reversible[row.reverses] = False
    walk.reversible[row.entry_id] = row.reverses is None


def _check_day(walk: _Walk, row: Any) -> None:
    day = clock.local(row.posted_at).date()
    for closed, last_seq in walk.closed:
        if day <= closed and row.seq > last_seq:
            walk.blame("it was posted into a closed day", row.entry_id, closed)
            return


def _follow(walk: _Walk, row: Any, leg: PostedLeg) -> None:
    """Carry an account on by one line and compare its number and balance."""
    kind = walk.kinds.get(leg.account)
    if kind is None:
        walk.blame("an account is not in the book", row.entry_id, leg.account)
        return
    if kind.is_guarded != (leg.n is not None):
        walk.blame("a line number is missing or too many", row.entry_id, leg.account)
    if not kind.is_guarded or leg.n is None or leg.balance_after is None:
        return
    state = walk.states.setdefault((leg.account, leg.unit), _State())
    if leg.n != state.n + 1:
        walk.blame("the account's line numbers have a gap", row.entry_id, f"account {leg.account}: {leg.n}")
    if leg.balance_after != state.balance + leg.amount:
        walk.blame("the balance does not follow from the line before", row.entry_id, f"account {leg.account}")
    if leg.balance_after < 0:
        walk.blame("the balance is negative", row.entry_id, f"account {leg.account}")
    if state.last_at is not None and row.posted_at < state.last_at:
        walk.blame("the line is earlier than the one before", row.entry_id, f"account {leg.account}")
    state.n, state.balance, state.last_at, state.last_entry = (
        leg.n,
        leg.balance_after,
        row.posted_at,
        row.entry_id,
    )


def _check_strays(db: Connection, walk: _Walk) -> None:
    """Name postings and private parts that belong to no entry."""
    for table in (_postings, models.private_parts):
        stray = (
            sa.select(table.c.entry_id)
            .outerjoin(_entries, (_entries.c.book_id == table.c.book_id) & (_entries.c.entry_id == table.c.entry_id))
            .where(table.c.book_id == walk.report.book, _entries.c.entry_id.is_(None))
            .limit(MAX_FAULTS)
        )
        for entry_id in db.execute(stray).scalars():
            walk.blame("it has no entry", entry_id, table.name, altered=True)


def _check_balances(db: Connection, walk: _Walk) -> None:
    rows = db.execute(sa.select(models.balances).where(models.balances.c.book_id == walk.report.book)).all()
    stored = {(row.account_id, row.unit): (row.n, row.balance, row.last_at) for row in rows}
    for account, kind in sorted(walk.kinds.items()):
        for unit in Unit if kind.is_guarded else ():
            state = walk.states.get((account, unit), _State())
            walk.report.outstanding[unit] += state.balance
            found = stored.pop((account, unit), None)
            if found != (state.n, state.balance, state.last_at):
                detail = f"account {account}, {unit.name.lower()}: {found}"
                what = "the balance row does not follow from the lines"
                walk.blame(what, state.last_entry, detail, account=account)
    for account, unit_number in stored:
        walk.blame("a balance has no guarded account", None, f"unit {unit_number}", account=account)


def _check_keys(db: Connection, walk: _Walk) -> None:
    """Every entry has exactly one key, and every answered key its entry."""
    book = walk.report.book
    count = sa.select(sa.func.count()).select_from(_keys).where(_keys.c.book_id == book)
    walk.report.keys = db.execute(count).scalar_one()
    same = (_keys.c.book_id == _entries.c.book_id) & (_keys.c.entry_id == _entries.c.entry_id)
    keyless = (
        sa.select(_entries.c.entry_id, sa.func.count(_keys.c.key))
        .outerjoin(_keys, same)
        .where(_entries.c.book_id == book)
        .group_by(_entries.c.entry_id)
        .having(sa.func.count(_keys.c.key) != 1)
        .limit(MAX_FAULTS)
    )
    for entry_id, found in db.execute(keyless):
        walk.blame("it has not exactly one key", entry_id, found)
    dangling = (
        sa.select(_keys.c.entry_id)
        .outerjoin(_entries, same)
        .where(_keys.c.book_id == book, _keys.c.entry_id.is_not(None), _entries.c.entry_id.is_(None))
        .limit(MAX_FAULTS)
    )
    for entry_id in db.execute(dangling).scalars():
        walk.blame("a key answers an entry that is not there", entry_id)
