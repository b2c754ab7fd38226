"""How far each log has come: the head row, and what of the numbers below its highest is still missing."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.transparency import models, tree
from moralbank.transparency.values import Head, Log, Source

_logs, _runs = models.logs, models.runs


def find_head(db: Connection, book: int, log: Log) -> Head | None:
    """Return the head of a log, or None before its first leaf."""
    row = db.execute(sa.select(_logs).where(_logs.c.book_id == book, _logs.c.log == int(log))).first()
    return None if row is None else _head(row)


def head_of(db: Connection, book: int, log: Log) -> Head:
    """Return the head of a log, which begins empty."""
    return find_head(db, book, log) or Head(book, log, 0, tree.EMPTY_ROOT, b"", 0, 0, 0, 0, None)


def list_heads(db: Connection) -> list[Head]:
    """Return the heads of all logs that have a leaf."""
    return [_head(row) for row in db.execute(sa.select(_logs).order_by(_logs.c.book_id, _logs.c.log))]


def list_missing(db: Connection, head: Head) -> list[tuple[int, int]]:
    """Return the spans of entries' numbers, rising, that are not in the tree though a higher one is, and may come."""
    if head.settled_seq == head.last_seq:
        return []
    query = (
        sa.select(_runs.c.first_number, _runs.c.length)
        .where(
            _runs.c.book_id == head.book,
            _runs.c.log == int(head.log),
            _runs.c.source == int(Source.ENTRY),
            _runs.c.first_number > head.settled_seq,
        )
        .order_by(_runs.c.first_number)
    )
    missing, expected = [], head.settled_seq + 1
    for first, length in db.execute(query):
        if first > expected:
            missing.append((expected, first - 1))
        expected = first + length
    return missing


def _head(row: sa.Row[tuple[object, ...]]) -> Head:
    return Head(
        book=row.book_id,
        log=Log(row.log),
        size=row.size,
        root=bytes(row.root),
        frontier=bytes(row.frontier),
        last_seq=row.last_seq,
        settled_seq=row.settled_seq,
        last_fact=row.last_fact,
        epoch=row.epoch,
        integrated_at=row.integrated_at,
    )
