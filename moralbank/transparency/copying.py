"""A log as streams, for whoever copies it out whole or from a size on. Reads only, bounded memory, one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.transparency import heads, leaves, models, queries, tree
from moralbank.transparency.nodes import StoredNodes
from moralbank.transparency.values import Checkpoint, Log, Run, Source

PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A log from a leaf on. frontier: of the leaves before; origins: names, each with the size above which it holds."""

    log: Log
    start: int
    frontier: tuple[bytes, ...]
    size: int
    root: bytes
    origins: tuple[tuple[int, str], ...]


def stretch(db: Connection, book: int, log: Log, start: int) -> Stretch:
    """Return what of a log lies from `start` on, which it has grown to."""
    head = heads.head_of(db, book, log)
    frontier = tree.frontier_at(StoredNodes(db, book, log, head.size), start) if start else tree.Frontier()
    origins = tuple(queries.list_origins(db, book, log))
    return Stretch(log, start, tuple(frontier.hashes), head.size, head.root, origins)


def size_before(db: Connection, book: int, log: Log, instant: datetime) -> int:
    """Return the size of the last checkpoint that was signed before an instant, 0 when there is none."""
    signed = models.checkpoints
    query = sa.select(sa.func.max(signed.c.size)).where(
        signed.c.book_id == book, signed.c.log == int(log), signed.c.signed_at < instant
    )
    return int(db.execute(query).scalar() or 0)


def stream_leaves(db: Connection, book: int, log: Log, start: int, size: int) -> Iterator[bytes]:
    """Yield the leaves from `start` up to `size`; it ends early where a stored leaf is missing."""
    at = start
    while at < size:
        page = leaves.list_leaves(db, book, log, at, min(PAGE, size - at))
        if not page:
            return
        yield from (leaf for _, leaf in page)
        at += len(page)


def stream_runs(db: Connection, book: int, log: Log, start: int) -> Iterator[Run]:
    """Yield the runs that hold leaf `start` and those behind it."""
    at = start
    while page := leaves.list_runs(db, book, log, at, PAGE):
        fresh = [run for run in page if run.end_index > at]
        if not fresh:
            return
        yield from fresh
        at = fresh[-1].end_index


def stream_private_parts(db: Connection, book: int, start: int) -> Iterator[tuple[int, bytes, str]]:
    """Yield index, salt and content of the private parts of sealed entries from leaf `start` on."""
    for run in stream_runs(db, book, Log.LEDGER, start):
        if run.source is not Source.ENTRY:
            continue
        shift = run.first_index - run.first_number
        for first in range(max(run.first_number, start - shift), run.end_number, PAGE):
            last = min(first + PAGE, run.end_number) - 1
            for seq, salt, content in ledger.list_private_parts(db, book, first, last):
                yield seq + shift, salt, content


def stream_unsealed(db: Connection, book: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and leaf of the entries that are in the book and not yet in its log, by number."""
    head = heads.head_of(db, book, Log.LEDGER)
    for low, high in [*heads.list_missing(db, head), (head.last_seq + 1, ledger.ENDLESS)]:
        first = low
        while page := ledger.list_leaves(db, book, [(first, high)], PAGE):
            yield from page
            first = page[-1][0] + 1


def stream_checkpoints(db: Connection, book: int, log: Log, start: int) -> Iterator[Checkpoint]:
    """Yield the checkpoints of `start` leaves and more with all signatures, the smallest first."""
    at = start - 1
    while page := queries.list_checkpoints(db, book, log, at):
        yield from page
        at = page[-1].size
