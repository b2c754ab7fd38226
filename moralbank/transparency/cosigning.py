"""The bank's side of witnessing: which cosignatures its checkpoints have, kept once and never changed."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.db import insert_for
from moralbank.transparency import models
from moralbank.transparency.note import Signature
from moralbank.transparency.values import Log

_cosignatures = models.cosignatures


def keep_cosignatures(db: Connection, book: int, log: Log, size: int, lines: Iterable[Signature]) -> None:
    """Put verified signature lines below the checkpoint of this size, for good; one that stands there stays as it is.

    A witness that signs a checkpoint again says nothing new of it, so only its first line is kept.
    """
    known = _names(db, book, log, size)
    rows = [
        {
            "book_id": book,
            "log": int(log),
            "size": size,
            "line": str(line),
            "name": line.name,
            "key_id": line.key_id,
            "added_at": clock.now(),
        }
        for line in lines
        if (line.name, line.key_id) not in known
    ]
    if rows:
        db.execute(insert_for(db, _cosignatures).on_conflict_do_nothing(), rows)


def list_cosigned_sizes(
    db: Connection, book: int, log: Log, names: Iterable[str], least: int, count: int, limit: int = 5
) -> list[int]:
    """Return the sizes from `least` on that at least `count` of these witnesses signed, the largest first."""
    query = (
        sa.select(_cosignatures.c.size)
        .where(
            _cosignatures.c.book_id == book,
            _cosignatures.c.log == int(log),
            _cosignatures.c.size >= least,
            _cosignatures.c.name.in_(list(names)),
        )
        .group_by(_cosignatures.c.size)
        .having(sa.func.count(_cosignatures.c.name.distinct()) >= count)
        .order_by(_cosignatures.c.size.desc())
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def _names(db: Connection, book: int, log: Log, size: int) -> set[tuple[str, bytes]]:
    query = sa.select(_cosignatures.c.name, _cosignatures.c.key_id).where(
        _cosignatures.c.book_id == book, _cosignatures.c.log == int(log), _cosignatures.c.size == size
    )
    return {(name, bytes(key_id)) for name, key_id in db.execute(query)}
