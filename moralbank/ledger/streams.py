"""A book's rows as streams of plain values, in the words of its leaves, for whoever copies it out. Reads only.

Each stream reads a page at a time through one connection, which sees one snapshot: memory stays bounded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.ledger import leaf, models, verify_leaf
from moralbank.ledger.values import Unit
from moralbank.ledger.verify_rows import Reader

PAGE = 2_000

_accounts, _balances, _keys = models.accounts, models.balances, models.keys
_entries, _postings, _private = models.entries, models.postings, models.private_parts


class ClosedDay(NamedTuple):
    day: str
    last_seq: int
    closed_at: str


class Month(NamedTuple):
    """What an account's lines of one month come to in one unit. month: "2026-03"."""

    account: int
    unit: str
    month: str
    opening: int
    credit: int
    debit: int
    closing: int
    first_n: int
    last_n: int


def two_people_from(db: Connection, book: int) -> int:
    """Return the number from which on no entry that takes two people is by one alone."""
    query = sa.select(models.books.c.two_people_from).where(models.books.c.book_id == book)
    return int(db.execute(query).scalar_one())


def stream_accounts(db: Connection, book: int) -> Iterator[tuple[int, str]]:
    """Yield every account with its kind, by number."""
    last = 0
    query = sa.select(_accounts.c.account_id, _accounts.c.kind).order_by(_accounts.c.account_id).limit(PAGE)
    while page := db.execute(query.where(_accounts.c.book_id == book, _accounts.c.account_id > last)).all():
        yield from (tuple(row) for row in page)
        last = page[-1].account_id


def stream_balances(db: Connection, book: int) -> Iterator[tuple[int, str, int, int, str | None]]:
    """Yield every balance row: account, unit, n, balance, and the instant of the last line."""
    last = (0, 0)
    where = sa.tuple_(_balances.c.account_id, _balances.c.unit)
    query = sa.select(_balances).order_by(_balances.c.account_id, _balances.c.unit).limit(PAGE)
    while page := db.execute(query.where(_balances.c.book_id == book, where > sa.tuple_(*last))).all():
        for row in page:
            at = None if row.last_at is None else leaf.instant(row.last_at)
            yield row.account_id, _unit_name(row.unit), row.n, row.balance, at
        last = (page[-1].account_id, page[-1].unit)


def stream_notices(db: Connection, book: int, until: date) -> Iterator[tuple[int, str, str]]:
    """Yield account, day of expiry, and since when its holder could read of it, of all that expired by a day."""
    columns = models.expiry_notices.c
    place = sa.tuple_(columns.account_id, columns.expires_on)
    query = (
        sa.select(columns.account_id, columns.expires_on, sa.func.min(columns.noted_on).label("noted_on"))
        .where(columns.book_id == book, columns.expires_on <= until)
        .group_by(columns.account_id, columns.expires_on)
        .order_by(columns.account_id, columns.expires_on)
        .limit(PAGE)
    )
    last = (0, date.min)
    while page := db.execute(query.where(place > sa.tuple_(sa.literal(last[0]), sa.literal(last[1])))).all():
        for account, expires_on, noted_on in page:
            yield account, expires_on.isoformat(), noted_on.isoformat()
        last = (page[-1].account_id, page[-1].expires_on)


def stream_keys(db: Connection, book: int) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Yield every key with its actor and what it was answered with, an entry or a refusal, by the octets of both."""
    # The order of the octets whatever the database's own is; SQLite knows no other.
    actor, key = _keys.c.actor, _keys.c.key
    if db.dialect.name == "postgresql":
        actor, key = sa.collate(actor, "C"), sa.collate(key, "C")  # type: ignore[assignment]
    last: tuple[str, str] = ("", "")
    query = (
        sa.select(_keys.c.actor, _keys.c.key, sa.cast(_keys.c.entry_id, sa.String), _keys.c.refusal)
        .order_by(actor, key)
        .limit(PAGE)
    )
    while True:
        page = db.execute(query.where(_keys.c.book_id == book, sa.tuple_(actor, key) > sa.tuple_(*last))).all()
        if not page:
            return
        for name, word, entry_id, refusal in page:
            yield name, word, None if entry_id is None else str(entry_id).replace("-", ""), refusal
        last = (page[-1].actor, page[-1].key)


def list_closed_days(db: Connection, book: int, day: date | None = None) -> list[ClosedDay]:
    """Return the days that were closed, or only this one: up to which number of the book, and when."""
    days = models.closed_days
    which = days.c.book_id == book if day is None else (days.c.book_id == book) & (days.c.day == day)
    rows = db.execute(sa.select(days).where(which).order_by(days.c.day))
    return [ClosedDay(row.day.isoformat(), row.last_seq, leaf.instant(row.closed_at)) for row in rows]


def closing_evidence(db: Connection, book: int, day: date) -> dict[str, object]:
    """Return what a day's seal says of the close itself and of the accounts, so that neither can be altered later.

    Shape: {accounts: {n, hash}, two, last, closed}; n accounts, hash (SHA-256 in hex) over a line "number kind" of each
    by number; the number from which on some entries take two people; last number and instant of the close, absent
    where the day was closed together with a later one.
    """
    hashed, count = hashlib.sha256(), 0
    for account, kind in stream_accounts(db, book):
        hashed.update(f"{account} {kind}\n".encode())
        count += 1
    evidence: dict[str, object] = {"accounts": {"n": count, "hash": hashed.hexdigest()}}
    evidence["two"] = two_people_from(db, book)
    for closed in list_closed_days(db, book, day):
        evidence |= {"last": closed.last_seq, "closed": closed.closed_at}
    return evidence


def list_private_parts(db: Connection, book: int, first: int, last: int) -> list[tuple[int, bytes, str]]:
    """Return salt and content of the private parts of the entries with these numbers, by number."""
    query = (
        sa.select(_entries.c.seq, _private.c.salt, _private.c.content)
        .join(_private, (_private.c.book_id == _entries.c.book_id) & (_private.c.entry_id == _entries.c.entry_id))
        .where(_entries.c.book_id == book, _entries.c.seq >= first, _entries.c.seq <= last)
        .order_by(_entries.c.seq)
    )
    return [(seq, bytes(salt), content) for seq, salt, content in db.execute(query)]


def list_reversed(db: Connection, book: int) -> list[str]:
    """Return the entries that others say they reverse."""
    return sorted(entry_id for entry_id in Reader(db, book).reversed_ids() if entry_id is not None)


def stream_differences(db: Connection, book: int) -> Iterator[tuple[int, str]]:
    """Yield the number of every entry whose columns don't say what its leaf says, and what differs.

    Of a sound book nothing comes, however large it is.
    """
    for entries, legs in Reader(db, book).pages():
        for row in entries:
            of_it = legs.get(row.seq, [])
            if verify_leaf.is_as_spelled(book, row, of_it):
                continue
            try:
                found = [what for what, _ in verify_leaf.differences(book, row, of_it, verify_leaf.read(row))]
            except (ValueError, KeyError, TypeError):
                found = ["the leaf bytes are damaged"]
            yield row.seq, "; ".join(found) or "the leaf says more than the entry"


def stream_months(db: Connection, book: int, since: str = "") -> Iterator[Month]:
    """Yield what every guarded account's lines came to, month by month from the month `since` on."""
    for (account, unit, month), lines in groupby(_lines(db, book), key=lambda line: line[:3]):
        if month < since:
            continue
        first = last = next(lines)
        opening, sums = first[5] - first[4], [0, 0]
        for line in (first, *lines):
            sums[line[4] < 0] += abs(line[4])
            last = line
        yield Month(account, _unit_name(unit), month, opening, sums[0], sums[1], last[5], first[3], last[3])


def _lines(db: Connection, book: int) -> Iterator[tuple[int, int, str, int, int, int]]:
    """Yield account, unit, month, n, amount and balance of every line, by account and n."""
    columns = _postings.c
    place = sa.tuple_(columns.account_id, columns.unit, columns.n)
    query = (
        sa.select(columns.account_id, columns.unit, columns.posted_at, columns.n, columns.amount, columns.balance_after)
        .where(columns.book_id == book, columns.n.is_not(None))
        .order_by(columns.account_id, columns.unit, columns.n)
        .limit(PAGE)
    )
    last = (0, 0, 0)
    while page := db.execute(query.where(place > sa.tuple_(*last))).all():
        for account, unit, posted_at, n, amount, balance in page:
            yield account, unit, f"{clock.local(posted_at):%Y-%m}", n, amount, balance
        last = (page[-1].account_id, page[-1].unit, page[-1].n)


def _unit_name(unit: int) -> str:
    """Return what a leaf calls a unit; a number that was altered is told as it is."""
    return leaf.UNIT_NAMES[Unit(unit)] if unit in leaf.UNIT_NAMES else str(unit)
