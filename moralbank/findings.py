"""What nightly work found last, by name: whether it is well, in what words, since when. And when it is night.

A row is what people are shown until the work is done again; what the work did stands where it did it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.db import UtcDateTime, insert_for, metadata

SAID_MAX = 300
#: What a finding about a book is called, before the book's number.
BOOKS = "books:"
#: On the bank's clock: few people are about, and what takes long disturbs nobody.
NIGHT_HOURS = range(1, 6)
#: Work that was done in the same night is not done again; work that missed its night is done at any hour.
_SAME_NIGHT, _MISSED = timedelta(hours=12), timedelta(hours=26)

platform_findings = sa.Table(
    "platform_findings",
    metadata,
    #: "backup", or "books:7" for the book of that number.
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("found_at", UtcDateTime, nullable=False),
    sa.Column("is_good", sa.Boolean, nullable=False),
    #: What was found, or the code of what went wrong; never anybody's data.
    sa.Column("said", sa.String(SAID_MAX), nullable=False),
    #: When it was last well; None if it never was.
    sa.Column("good_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found last."""

    name: str
    found_at: datetime
    is_good: bool
    said: str
    good_at: datetime | None


_COLUMNS = [platform_findings.c[name] for name in Finding.__dataclass_fields__]


def note(db: Connection, name: str, *, is_good: bool, said: str) -> None:
    """Write down what was found, in the place of what was found before."""
    now = clock.now()
    new = {"found_at": now, "is_good": is_good, "said": said[:SAID_MAX]} | ({"good_at": now} if is_good else {})
    insert = insert_for(db, platform_findings).values(name=name, **new)
    db.execute(insert.on_conflict_do_update(index_elements=["name"], set_={key: insert.excluded[key] for key in new}))


def list_findings(db: Connection, prefix: str = "") -> list[Finding]:
    """Return what was found last, by name."""
    query = sa.select(*_COLUMNS).where(platform_findings.c.name.startswith(prefix, autoescape=True))
    return [Finding(*row) for row in db.execute(query.order_by(platform_findings.c.name))]


def is_due(last: datetime | None, now: datetime) -> bool:
    """Tell whether nightly work that was last done then is to be done now."""
    if last is None or now - last >= _MISSED:
        return True
    return clock.local(now).hour in NIGHT_HOURS and now - last >= _SAME_NIGHT
