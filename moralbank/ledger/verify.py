"""Recomputes every invariant of a book from its rows and leaf bytes, and names what is broken.

Reads only. The order of the book is the order of `seq`; the state of every guarded account is rebuilt line by line.
A sound entry costs one comparison of bytes (verify_leaf); only a broken one is taken apart.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import folds, models, verify_leaf, verify_lots, verify_offsets
from moralbank.ledger.values import MAX_AMOUNT, NEVER, TWO_PEOPLE, UNLOOKED, AccountKind, Unit, login_of
from moralbank.ledger.verify_rows import EntryRow, LegRow, Reader

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


#: A guarded account's last line: number, balance after it, instant, entry.
_State = tuple[int, int, str, str | None]
_NEW: _State = (0, 0, "", None)


@dataclass(slots=True)
class _Walk:
    """The book as rebuilt so far."""

    report: Report
    #: Each account, and whether it is guarded.
    guarded: dict[int, bool]
    closed: _ClosedDays
    #: Entries that others reverse, and of those seen so far whether they may still be.
    reversed_ids: set[str]
    #: From which number on two people are needed, as the book says it.
    two_people_from: int
    #: The last number below it whose entry one person alone posted.
    last_alone: int = 0
    reversible: dict[str, bool] = field(default_factory=dict)
    states: dict[tuple[int, int], _State] = field(default_factory=dict)
    #: The earliest day on which a credit of an account expires, where one does.
    first_expiries: dict[tuple[int, int], str] = field(default_factory=dict)
    #: Accounts from which something expired.
    expired: set[int] = field(default_factory=set)
    #: By unit; 0 is no unit.
    sums: list[int] = field(default_factory=lambda: [0, 0, 0])

    def blame(self, what: str, entry: str | UUID | None, detail: object = "", *, altered: bool = False,
              account: int | None = None) -> None:  # fmt: skip
        if len(self.report.faults) < MAX_FAULTS:
            entry_id = _uuid(entry) if isinstance(entry, str) else entry
            self.report.faults.append(Fault(what, entry_id, account, str(detail), altered))

    def blame_expiry(self, account: int, unit: int, what: str, detail: str, entry_id: UUID | None = None) -> None:
        """A balance row is named by its account and its last entry."""
        last = (self.states.get((account, unit)) or _NEW)[3]
        self.blame(what, entry_id or last, detail, account=account)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None  # An id that was altered beyond being one.


class _ClosedDays:
    """The days that were closed, and up to which number of the book."""

    def __init__(self, days: Sequence[tuple[date, int]]) -> None:
        self._days = [day for day, _ in days]
        self._last_seqs = [last_seq for _, last_seq in days]
        self._by_hour: dict[str, date] = {}
        #: For each day the lowest last number of it and the days after.
        self._lowest = self._last_seqs.copy()
        for place in reversed(range(len(days) - 1)):
            self._lowest[place] = min(self._lowest[place], self._lowest[place + 1])

    def refuses(self, at: str, seq: int) -> date | None:
        """Return the day whose close an entry of this instant and number came behind, or None."""
        if not self._days:
            return None
        place = bisect_left(self._days, self._day(at))
        if place == len(self._days) or seq <= self._lowest[place]:
            return None
        return next(day for day, last in zip(self._days[place:], self._last_seqs[place:], strict=True) if seq > last)

    def _day(self, at: str) -> date:
        # A local day begins on a full hour, so all instants of an hour are of one day.
        day = self._by_hour.get(at[:13])
        if day is None:
            try:
                day = clock.local(datetime.fromisoformat(at)).date()
            except ValueError:
                return date.max  # Altered beyond being an instant, and named for that already.
            self._by_hour[at[:13]] = day
        return day


def verify(db: Connection, book: int, progress: Callable[[int], None] | None = None) -> Report:
    """Check every invariant of the book and return what was checked and what is broken.

    progress: called with the number of entries done, once a page.
    """
    with _no_search_for_cycles():
        return _verify(db, book, progress)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Nothing here makes cycles, and looking for them among a million lines takes a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _verify(db: Connection, book: int, progress: Callable[[int], None] | None) -> Report:
    reader = Reader(db, book)
    kinds = _kinds(db, book)
    guarded = {account: kind.is_guarded for account, kind in kinds.items()}
    two_people_from = reader.count("SELECT coalesce(max(two_people_from), 1) FROM ledger_books WHERE book_id = :book")
    report = Report(book, accounts=len(kinds))
    walk = _Walk(report, guarded, _closed(db, book), reader.reversed_ids(), two_people_from)
    for page, legs in reader.pages():
        for row in page:
            _check_entry(walk, row, legs.get(row.seq, []))
        report.entries += len(page)
        report.last_seq = page[-1].seq
        if progress is not None:
            progress(report.entries)
    if walk.last_alone != two_people_from - 1:
        walk.blame("the number from which two people are needed was moved", None, two_people_from, altered=True)
    _check_strays(db, reader, walk)
    _check_balances(db, reader, walk)
    _check_keys(db, reader, walk)
    _check_folds(db, walk)
    for what, entry_id, detail in verify_offsets.wrong(db, book):
        walk.blame(what, entry_id, detail)
    for unit in Unit:
        report.sums[unit] = walk.sums[unit]
        if walk.sums[unit]:
            walk.blame("the book does not sum to zero", None, f"{unit.name.lower()}: {walk.sums[unit]}")
    return report


def _kinds(db: Connection, book: int) -> dict[int, AccountKind]:
    rows = db.execute(sa.select(models.accounts).where(models.accounts.c.book_id == book))
    return {row.account_id: AccountKind(row.kind) for row in rows}


def _closed(db: Connection, book: int) -> _ClosedDays:
    days = models.closed_days
    rows = db.execute(sa.select(days.c.day, days.c.last_seq).where(days.c.book_id == book).order_by(days.c.day))
    return _ClosedDays([(row.day, row.last_seq) for row in rows])


def _check_entry(walk: _Walk, row: EntryRow, legs: list[LegRow]) -> None:
    report = walk.report
    report.postings += len(legs)
    if row.content is not None:
        report.private_parts += 1
    if not verify_leaf.is_as_spelled(report.book, row, legs):
        stated = _take_apart(walk, row, legs)
        if stated is None:
            return
        legs = stated
    _check_sums(walk, row, legs)
    if row.kind in TWO_PEOPLE or row.checker is not None:
        _check_people(walk, row)
    if row.reverses is not None or row.entry_id in walk.reversed_ids:
        _check_reversal(walk, row)
    closed = walk.closed.refuses(row.at, row.seq)
    if closed is not None:
        walk.blame("it was posted into a closed day", row.entry_id, closed)
    _follow(walk, row, legs)


def _take_apart(walk: _Walk, row: EntryRow, legs: list[LegRow]) -> list[LegRow] | None:
    """Name what of an entry differs from its leaf; return the legs that the leaf states, None if it can't be read."""
    try:
        fields = verify_leaf.read(row)
        stated = verify_leaf.stated_legs(fields)
    except (ValueError, KeyError, TypeError) as error:
        walk.blame("the leaf bytes are damaged", row.entry_id, error, altered=True)
        return None
    found = list(verify_leaf.differences(walk.report.book, row, legs, fields))
    for what, detail in found or [("the leaf says more than the entry", ", ".join(fields))]:
        walk.blame(what, row.entry_id, detail, altered=True)
    return stated


def _check_sums(walk: _Walk, row: EntryRow, legs: list[LegRow]) -> None:
    sums = [0, 0, 0]
    for _, _, _, unit, amount, _, _, _, _ in legs:
        sums[unit] += amount
        if not 0 < abs(amount) <= MAX_AMOUNT:
            walk.blame("an amount is zero or too large", row.entry_id, amount)
    if len(legs) < 2 or any(sums):
        walk.blame("the legs do not sum to zero", row.entry_id, sums[1:])
        walk.sums = [total + more for total, more in zip(walk.sums, sums, strict=True)]


def _check_people(walk: _Walk, row: EntryRow) -> None:
    if row.checker is None and row.seq < walk.two_people_from:
        walk.last_alone = row.seq
    elif row.checker is None or login_of(row.checker) == login_of(row.actor):
        walk.blame("one person alone posted what takes two", row.entry_id, row.actor)


def _check_reversal(walk: _Walk, row: EntryRow) -> None:
    """Only what was posted before, is no reversal and was not yet reversed may be reversed (legs: see posting)."""
    if row.reverses is not None:
        walk.report.reversals += 1
        if not walk.reversible.get(row.reverses):
            walk.blame("it reverses what can't be reversed", row.entry_id, row.reverses)
        walk.reversible[row.reverses] = False
    walk.reversible[row.entry_id] = row.reverses is None


def _follow(walk: _Walk, row: EntryRow, legs: list[LegRow]) -> None:
    """Carry each account on by one line and compare its number and balance."""
    at, entry_id, states = row.at, row.entry_id, walk.states
    for _, _, account, unit, amount, n, balance, expires_on, _ in legs:
        guarded = walk.guarded.get(account)
        if guarded is None:
            walk.blame("an account is not in the book", entry_id, account)
            continue
        if guarded != (n is not None):
            walk.blame("a line number is missing or too many", entry_id, account)
        if not guarded or n is None or balance is None:
            continue
        state = states.get((account, unit)) or _NEW
        if n != state[0] + 1:
            walk.blame("the account's line numbers have a gap", entry_id, f"account {account}: {n}")
        if balance != state[1] + amount:
            walk.blame("the balance does not follow from the line before", entry_id, f"account {account}")
        if balance < 0:
            walk.blame("the balance is negative", entry_id, f"account {account}")
        if at < state[2]:
            walk.blame("the line is earlier than the one before", entry_id, f"account {account}")
        states[account, unit] = (n, balance, at, entry_id)
        if expires_on is not None:
            first = walk.first_expiries.get((account, unit), expires_on)
            walk.first_expiries[account, unit] = min(first, expires_on)
        if row.kind == "expiry":
            walk.expired.add(account)


def _check_strays(db: Connection, reader: Reader, walk: _Walk) -> None:
    """Name postings and private parts that belong to no entry, when there are more than the entries have."""
    seen = ((_postings, walk.report.postings), (models.private_parts, walk.report.private_parts))
    for table, number in seen:
        if reader.count(f"SELECT count(*) FROM {table.name} WHERE book_id = :book") == number:  # noqa: S608
            continue
        stray = (
            sa.select(_text(table.c.entry_id))
            .outerjoin(_entries, (_entries.c.book_id == table.c.book_id) & (_entries.c.entry_id == table.c.entry_id))
            .where(table.c.book_id == walk.report.book, _entries.c.entry_id.is_(None))
            .limit(MAX_FAULTS)
        )
        for entry_id in db.execute(stray).scalars():
            walk.blame("it has no entry", entry_id, table.name, altered=True)


def _text(entry_id: sa.ColumnElement[UUID]) -> sa.ColumnElement[str]:
    """Read an id as it stands: one that was altered may be none."""
    return sa.cast(entry_id, sa.String)


def _check_balances(db: Connection, reader: Reader, walk: _Walk) -> None:
    rows = reader.balances()
    stored = {(account, unit): held for account, unit, *held, _ in rows}
    for account, guarded in sorted(walk.guarded.items()):
        for unit in Unit if guarded else ():
            n, balance, last_at, last_entry = walk.states.get((account, unit)) or _NEW
            walk.report.outstanding[unit] += balance
            found = stored.pop((account, unit), None)
            if found != [n, balance, last_at or None]:
                detail = f"account {account}, {unit.name.lower()}: {found}"
                what = "the balance row does not follow from the lines"
                walk.blame(what, last_entry, detail, account=account)
    for account, unit_number in stored:
        walk.blame("a balance has no guarded account", None, f"unit {unit_number}", account=account)
    known = {(account, unit): next_on for account, unit, *_, next_on in rows if (account, unit) not in stored}
    _check_expiries(db, walk, known)


def _check_expiries(db: Connection, walk: _Walk, next_days: dict[tuple[int, int], str]) -> None:
    """Where nobody moved it on, the next expiry is the first of all credits; elsewhere the lots tell."""
    moved = set(walk.expired)
    for (account, unit), said in next_days.items():
        if said in (UNLOOKED.isoformat(), walk.first_expiries.get((account, unit), NEVER.isoformat())):
            continue
        if unit == Unit.POINTS and (account, unit) in walk.first_expiries:
            moved.add(account)
        else:
            walk.blame_expiry(account, unit, "the day of the next expiry does not follow from the lots", said)
    stated = {account: _day(next_days.get((account, Unit.POINTS))) for account in moved}
    for what, account, entry_id, detail in verify_lots.wrong(db, walk.report.book, moved, stated):
        walk.blame_expiry(account, Unit.POINTS, what, detail, entry_id)


def _day(text: str | None) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return date.max  # Altered beyond being a day, and later than any.


def _check_folds(db: Connection, walk: _Walk) -> None:
    for account, detail in folds.wrong(db, walk.report.book, walk.report.last_seq):
        walk.blame("a running total does not follow from the lines", None, detail, account=account)


_ANSWERED = "SELECT count(*) FROM ledger_keys WHERE book_id = :book AND entry_id IS NOT NULL"
_TOLD_APART = "SELECT count(DISTINCT entry_id) FROM ledger_keys WHERE book_id = :book"
_WITH_ENTRY = """
SELECT count(*) FROM ledger_keys k JOIN ledger_entries e ON e.book_id = k.book_id AND e.entry_id = k.entry_id
WHERE k.book_id = :book AND k.actor = e.actor
"""


def _check_keys(db: Connection, reader: Reader, walk: _Walk) -> None:
    """Every entry has exactly one key, and every answered key its entry: then all four counts are one number."""
    book = walk.report.book
    walk.report.keys = reader.count("SELECT count(*) FROM ledger_keys WHERE book_id = :book")
    counts = {walk.report.entries, *map(reader.count, (_ANSWERED, _TOLD_APART, _WITH_ENTRY))}
    if len(counts) == 1:
        return
    answering = sa.select(_text(_keys.c.entry_id)).where(_keys.c.book_id == book, _keys.c.entry_id.is_not(None))
    keyless = sa.select(_text(_entries.c.entry_id)).where(_entries.c.book_id == book).except_(answering)
    doubled = answering.group_by(_keys.c.entry_id).having(sa.func.count() > 1)
    for query in (keyless, doubled):
        for entry_id in db.execute(query.limit(MAX_FAULTS)).scalars():
            walk.blame("it has not exactly one key", entry_id)
    others = (
        sa.select(_text(_keys.c.entry_id))
        .join(_entries, (_keys.c.book_id == _entries.c.book_id) & (_keys.c.entry_id == _entries.c.entry_id))
        .where(_keys.c.book_id == book, _keys.c.actor != _entries.c.actor)
    )
    for entry_id in db.execute(others.limit(MAX_FAULTS)).scalars():
        walk.blame("its key is somebody else's", entry_id)
    dangling = (
        sa.select(_text(_keys.c.entry_id))
        .outerjoin(_entries, (_keys.c.book_id == _entries.c.book_id) & (_keys.c.entry_id == _entries.c.entry_id))
        .where(_keys.c.book_id == book, _keys.c.entry_id.is_not(None), _entries.c.entry_id.is_(None))
        .limit(MAX_FAULTS)
    )
    for entry_id in db.execute(dangling).scalars():
        walk.blame("a key answers an entry that is not there", entry_id)
