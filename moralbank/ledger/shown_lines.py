"""An account's latest lines as plain values, for a page that is asked for often: nothing is read that it doesn't show.

`reading.history` is the reference: the same lines as frozen values.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import sqlalchemy as sa

from moralbank.ledger import models
from moralbank.ledger.values import Unit
from moralbank.prepared import Prepared, Question, Row

_postings, _entries, _later = models.postings, models.entries, models.entries.alias("later")


class _AsStored(sa.types.UserDefinedType[Any]):
    """A value as the driver gives it."""

    cache_ok = True


def _as_stored(column: sa.ColumnElement[Any], name: str) -> sa.Label[Any]:
    return sa.type_coerce(column, _AsStored()).label(name)


def _id(column: sa.ColumnElement[Any], name: str) -> sa.Label[str]:
    """Read an id as text: with hyphens on PostgreSQL, without on SQLite."""
    return sa.cast(column, sa.String).label(name)


_SHOWN = Prepared(
    sa.select(
        _id(_postings.c.entry_id, "entry_id"),
        _postings.c.seq,
        _postings.c.n,
        _postings.c.amount,
        _postings.c.balance_after,
        _entries.c.kind,
        _as_stored(_postings.c.posted_at, "posted_at"),
        _as_stored(_entries.c.occurred_on, "occurred_on"),
        _entries.c.actor,
        _entries.c.checker,
        _entries.c.grade,
        _id(_entries.c.reverses, "reverses"),
        _id(_later.c.entry_id, "reversed_by"),
    )
    .join(_entries, (_entries.c.book_id == _postings.c.book_id) & (_entries.c.entry_id == _postings.c.entry_id))
    .outerjoin(_later, (_later.c.book_id == _entries.c.book_id) & (_later.c.reverses == _entries.c.entry_id))
    .where(
        _postings.c.book_id == sa.bindparam("book"),
        _postings.c.account_id == sa.bindparam("account"),
        _postings.c.unit == sa.bindparam("unit"),
    )
    .order_by(_postings.c.seq.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


def asking_shown(book: int, account: int, unit: Unit, *, limit: int) -> Question[list[Row]]:
    """Ask for an account's newest lines.

    Shape: (entry_id, seq, n, amount, balance_after, kind, posted_at, occurred_on, actor, checker, grade, reverses,
    reversed_by) of each; ids with hyphens and times as ISO 8601 spells them.
    """
    given = {"book": book, "account": account, "unit": int(unit), "limit": limit}
    return Question(_SHOWN, [given], lambda found: _read(found[0]))


def _read(rows: list[Row]) -> list[Row]:
    if not rows:
        return rows
    if isinstance(rows[0][6], str):
        return [_of_text(*row) for row in rows]
    return [(*row[:6], _instant(row[6]), str(row[7]), *row[8:]) for row in rows]


def _of_text(
    entry_id: str,
    seq: int,
    n: int | None,
    amount: int,
    balance: int | None,
    kind: str,
    posted_at: str,
    *more: Any,
) -> Row:
    """Spell what SQLite keeps: an instant in UTC has six digits after the second, which ISO leaves out when 0."""
    occurred_on, actor, checker, grade, reverses, reversed_by = more
    return (
        _hyphened(entry_id),
        seq,
        n,
        amount,
        balance,
        kind,
        f"{posted_at[:10]}T{posted_at[11:].removesuffix('.000000')}+00:00",
        occurred_on,
        actor,
        checker,
        grade,
        reverses and _hyphened(reverses),
        reversed_by and _hyphened(reversed_by),
    )


def _hyphened(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _instant(moment: Any) -> str:
    spelled: str = moment.astimezone(UTC).isoformat()
    return spelled
