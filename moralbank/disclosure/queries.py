"""Reads of public notices. What of a list may still be seen is asked anew each time."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.activities.queries import helped_by
from moralbank.branches.queries import lies_below
from moralbank.disclosure.errors import UnknownNotice
from moralbank.disclosure.generating import may_be_named
from moralbank.disclosure.models import notices, rows
from moralbank.disclosure.values import Kind, Row, State, hash_of
from moralbank.residents.queries import consenting, residents_by_id
from moralbank.residents.values import Consent

LIST_MAX = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """A public notice, from its draft to its end."""

    notice_id: int
    book_id: int
    branch_id: int
    kind: Kind
    since_on: date
    until_on: date
    state: State
    content: str
    content_hash: bytes
    drafted_at: datetime
    drafted_by: str
    published_at: datetime | None
    published_by: str | None
    up_until_on: date | None
    ended_at: datetime | None
    ended_by: str | None
    reason: str | None

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found

    @property
    def is_up(self) -> bool:
        """Whether anybody may see it: it is published, and its last day isn't over."""
        return self.state is State.PUBLISHED and self.up_until_on is not None and clock.today() <= self.up_until_on

    @property
    def is_over(self) -> bool:
        """Whether its last day is over and it only waits to be closed."""
        return self.state is State.PUBLISHED and not self.is_up

    @property
    def is_whole(self) -> bool:
        """Whether what is stored is what was hashed."""
        return hash_of(self.content) == self.content_hash


_N = notices.c
_COLUMNS = [_N[name] for name in Notice.__dataclass_fields__]


def get_notice(db: Connection, notice_id: int, *, lock: bool = False) -> Notice:
    """Return a notice. Raises: UnknownNotice."""
    query = sa.select(*_COLUMNS).where(_N.notice_id == notice_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownNotice()
    return _notice(row)


def get_public(db: Connection, notice_id: int) -> Notice:
    """Return a notice that anybody may see. Raises: UnknownNotice, also for what was taken down."""
    found = get_notice(db, notice_id)
    if not found.is_up:
        raise UnknownNotice()
    return found


def list_public(db: Connection, branch_ids: Collection[int] | None = None) -> list[Notice]:
    """List what anybody may see now, the latest first."""
    query = sa.select(*_COLUMNS).where(_N.state == State.PUBLISHED.value, _N.up_until_on >= clock.today())
    if branch_ids is not None:
        query = query.where(_N.branch_id.in_(list(branch_ids)))
    return [_notice(row) for row in db.execute(query.order_by(_N.notice_id.desc()).limit(LIST_MAX))]


def list_notices(
    db: Connection, paths: Sequence[str], *, state: State | None = None, before_id: int | None = None, limit: int = 50
) -> list[Notice]:
    """List the notices of the branches under these paths, the latest first."""
    query = sa.select(*_COLUMNS).where(lies_below(_N.branch_id, paths))
    if state is not None:
        query = query.where(_N.state == state.value)
    if before_id is not None:
        query = query.where(_N.notice_id < before_id)
    return [_notice(row) for row in db.execute(query.order_by(_N.notice_id.desc()).limit(min(limit, LIST_MAX)))]


def count_drafts(db: Connection, paths: Sequence[str]) -> int:
    """Return how many drafts wait to be published at the branches under these paths."""
    query = sa.select(sa.func.count()).where(_N.state == State.DRAFT.value, lies_below(_N.branch_id, paths))
    return db.execute(query).scalar_one()


def find_standing(db: Connection, branch_id: int, kind: Kind, since_on: date) -> Notice | None:
    """Return the branch's notice of a period that was not taken down, or None."""
    same = (_N.branch_id == branch_id, _N.kind == kind.value, _N.since_on == since_on)
    row = db.execute(sa.select(*_COLUMNS).where(*same, _N.state != State.WITHDRAWN.value)).first()
    return None if row is None else _notice(row)


def list_over(db: Connection, limit: int) -> list[int]:
    """List the notices whose last day is over and that are not closed, oldest first."""
    over = sa.select(_N.notice_id).where(_N.state == State.PUBLISHED.value, _N.up_until_on < clock.today())
    return list(db.execute(over.order_by(_N.notice_id).limit(limit)).scalars())


def list_rows(db: Connection, notice_id: int) -> list[Row]:
    """Return who is named in a notice, as it was published; who was forgotten since is blank."""
    row = rows.c
    query = sa.select(row.number, row.resident_id, row.shown, row.salt).where(row.notice_id == notice_id)
    return [Row(*one) for one in db.execute(query.order_by(row.number))]


def list_shown(db: Connection, notice_id: int) -> list[Row]:
    """Return who may be seen now: who still agrees, and is still here."""
    found = [row for row in list_rows(db, notice_id) if row.shown]
    residents = residents_by_id(db, [row.resident_id for row in found])
    agreed = consenting(db, Consent.NOTICE, list(residents))
    agreed -= helped_by(db, agreed, clock.now())
    today = clock.today()
    return [row for row in found if row.resident_id in agreed and may_be_named(residents[row.resident_id], today)]


def _notice(row: Sequence[Any]) -> Notice:
    notice_id, book_id, branch_id, kind, since_on, until_on, state, *rest = row
    return Notice(notice_id, book_id, branch_id, Kind(kind), since_on, until_on, State(state), *rest)
