"""Which checkpoint first had enough witnesses: what is printed once and shown for good."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.transparency import models
from moralbank.transparency.values import Log

_cosignatures = models.cosignatures


def first_cosigned_size(
    db: Connection, book: int, log: Log, names: Iterable[str], least: int, count: int
) -> int | None:
    """Return the smallest size from `least` on that at least `count` of these witnesses signed, or None.

    count: at least 1.
    """
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
        .order_by(_cosignatures.c.size)
        .limit(1)
    )
    found: int | None = db.execute(query).scalar()
    return found
