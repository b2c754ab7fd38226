"""Reads of requests to forget somebody."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.forgetting.errors import UnknownForgetting
from moralbank.forgetting.models import requests
from moralbank.forgetting.values import LASTS, AskedBy, Ground, Points, Proof, State

_Q = requests.c


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it stands."""

    request_id: int
    book_id: int
    resident_id: int
    ground: Ground
    asked_for_by: AskedBy
    proven_by: Proof
    points: Points
    state: State
    asked_at: datetime
    asked_role: str
    asked_login_id: int
    decided_at: datetime | None
    decided_role: str | None
    decided_login_id: int | None
    swept_at: datetime | None
    keys_destroyed_at: datetime | None

    @property
    def maker(self) -> str:
        return f"{self.asked_role}:{self.asked_login_id}"

    @property
    def checker(self) -> str | None:
        return None if self.decided_login_id is None else f"{self.decided_role}:{self.decided_login_id}"

    @property
    def lapses_at(self) -> datetime:
        return self.asked_at + LASTS

    @property
    def is_open(self) -> bool:
        """Whether it can still be decided."""
        return self.state is State.ASKED and clock.now() < self.lapses_at


_COLUMNS = [*(_Q[name] for name in Request.__dataclass_fields__), _Q.gives_up]


def get_request(db: Connection, request_id: int, *, held: bool = False) -> Request:
    """Return the request; held: nobody else decides it until this transaction ends. Raises: UnknownForgetting."""
    query = sa.select(*_COLUMNS).where(_Q.request_id == request_id)
    row = db.execute(query.with_for_update() if held else query).first()
    if row is None:
        raise UnknownForgetting()
    return _request(row)


def find_open(db: Connection, resident_id: int) -> Request | None:
    """Return the request about a person that waits for its decision, or None."""
    query = sa.select(*_COLUMNS).where(_Q.resident_id == resident_id, _Q.state == State.ASKED)
    row = db.execute(query).first()
    return None if row is None else _request(row)


def list_requests(
    db: Connection, book_ids: Collection[int], *, before_id: int | None = None, limit: int = 50
) -> list[Request]:
    """List requests of the books, newest first."""
    query = sa.select(*_COLUMNS).where(_Q.book_id.in_(book_ids))
    if before_id is not None:
        query = query.where(_Q.request_id < before_id)
    return [_request(row) for row in db.execute(query.order_by(_Q.request_id.desc()).limit(limit))]


def list_unswept(db: Connection, *, limit: int = 500) -> list[Request]:
    """List what was forgotten and still lies in the database's own files, or under a key in backups."""
    left = sa.or_(_Q.swept_at.is_(None), _Q.keys_destroyed_at.is_(None))
    query = sa.select(*_COLUMNS).where(_Q.state == State.DONE, left)
    return [_request(row) for row in db.execute(query.order_by(_Q.request_id).limit(limit))]


def _request(row: sa.Row[tuple[object, ...]]) -> Request:
    fields = dict(row._mapping)
    gives_up = fields.pop("gives_up")
    fields |= {
        "ground": Ground(fields["ground"]),
        "asked_for_by": AskedBy(fields["asked_for_by"]),
        "proven_by": Proof(fields["proven_by"]),
        "points": Points.LEAVE if gives_up else Points(fields["points"]),
        "state": State(fields["state"]),
    }
    return Request(**fields)
