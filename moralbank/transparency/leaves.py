"""The leaves of a log in their order, as the bytes they were stored with when they were made. Reads only."""

from __future__ import annotations

from itertools import groupby, takewhile
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.transparency import facts, models
from moralbank.transparency.values import Log, Run, Source

_runs = models.runs


def list_runs(db: Connection, book: int, log: Log, start: int, limit: int) -> list[Run]:
    """Return the runs that hold leaf `start` and those behind it, at most `limit`."""
    first = (
        sa.select(sa.func.max(_runs.c.first_index))
        .where(_runs.c.book_id == book, _runs.c.log == int(log), _runs.c.first_index <= start)
        .scalar_subquery()
    )
    query = (
        sa.select(_runs.c.first_index, _runs.c.source, _runs.c.first_number, _runs.c.length)
        .where(_runs.c.book_id == book, _runs.c.log == int(log), _runs.c.first_index >= first)
        .order_by(_runs.c.first_index)
        .limit(limit)
    )
    return [Run(index, Source(source), number, length) for index, source, number, length in db.execute(query)]


def list_leaves(db: Connection, book: int, log: Log, start: int, limit: int) -> list[tuple[int, bytes]]:
    """Return index and bytes of the leaves from `start` on; it ends early where a stored leaf is missing."""
    found: list[tuple[int, bytes]] = []
    while len(found) < limit:
        at = start + len(found)
        runs = [run for run in list_runs(db, book, log, at, 256) if run.end_index > at]
        if not runs:
            break
        before = len(found)
        for source, of_source in groupby(runs, lambda run: run.source):
            if not _add(db, book, log, source, list(of_source), start, limit, found):
                return found
        if len(found) == before:
            break
    return found


def _add(
    db: Connection,
    book: int,
    log: Log,
    source: Source,
    runs: list[Run],
    start: int,
    limit: int,
    found: list[tuple[int, bytes]],
) -> bool:
    """Add the leaves of runs of one source that follow on those found; tell whether all were there and wanted."""
    spans: list[tuple[int, int]] = []
    wanted = limit - len(found)
    for run in runs:
        skip = start + len(found) + sum(high - low + 1 for low, high in spans) - run.first_index
        if wanted <= 0:
            break
        low = run.first_number + skip
        high = min(run.end_number, low + wanted) - 1
        spans.append((low, high))
        wanted -= high - low + 1
    stored = _stored(db, book, log, source, spans)
    numbers = [number for low, high in spans for number in range(low, high + 1)]
    there = [stored[number] for number in takewhile(stored.__contains__, numbers)]
    found += enumerate(there, start + len(found))
    return len(there) == len(numbers) and len(found) < limit


def _stored(db: Connection, book: int, log: Log, source: Source, spans: list[tuple[int, int]]) -> dict[int, bytes]:
    if not spans:
        return {}
    if source is Source.FACT:
        low, high = spans[0][0], spans[-1][1]
        return dict(facts.list_leaves(db, book, log, low, high - low + 1))
    # Spans of entries needn't rise, where a lower number was committed later.
    rising = sorted(spans)
    return dict(ledger.list_leaves(db, book, rising, sum(high - low + 1 for low, high in rising)))


def index_of_number(db: Connection, book: int, log: Log, source: Source, number: int) -> int | None:
    """Return the leaf that is an entry's, or a fact's, number; None while it isn't sealed."""
    query = (
        sa.select(_runs.c.first_index, _runs.c.first_number, _runs.c.length)
        .where(
            _runs.c.book_id == book,
            _runs.c.log == int(log),
            _runs.c.source == int(source),
            _runs.c.first_number <= number,
        )
        .order_by(_runs.c.first_number.desc())
        .limit(1)
    )
    row = db.execute(query).first()
    if row is None or number >= row.first_number + row.length:
        return None
    index: int = row.first_index + number - row.first_number
    return index


def index_of_entry(db: Connection, book: int, entry_id: UUID) -> int | None:
    """Return the leaf that is this entry; None while it isn't sealed or when there is no such entry."""
    seq = ledger.seq_of(db, book, entry_id)
    return None if seq is None else index_of_number(db, book, Log.LEDGER, Source.ENTRY, seq)
