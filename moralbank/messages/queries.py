"""Reads of messages and of what became of them. Who may read is the caller's to say."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.branches.queries import lies_below
from moralbank.messages.errors import UnknownDelivery
from moralbank.messages.models import deliveries, mailboxes, messages, optouts, staff_mailboxes
from moralbank.messages.values import KINDS, Channel
from moralbank.prepared import Prepared

LIST_MAX = 200
#: More unread than this are shown as so many.
UNREAD_MAX = 99
STATES = ("waiting", "sending", "sent", "failed", "unsure", "dropped")
#: What somebody should look at.
STUCK = ("failed", "unsure")
_HIDDEN = sorted(name for name, kind in KINDS.items() if kind.is_hidden)
#: As a condition without a list, which a prepared statement can't have.
_SHOWN = sa.and_(*(messages.c.kind != name for name in _HIDDEN))


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody was told. facts: None once its person is forgotten."""

    message_id: int
    kind: str
    facts: dict[str, Any] | None
    written_at: datetime
    read_at: datetime | None
    resident_id: int | None
    merchant_id: int | None
    login_id: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One way of a message out of the house, and how it went."""

    delivery_id: int
    message_id: int
    channel: Channel
    state: str
    is_urgent: bool
    tries: int
    planned_at: datetime
    next_at: datetime
    ended_at: datetime | None
    fault: str | None
    kind: str
    resident_id: int | None
    merchant_id: int | None
    login_id: int | None
    branch_id: int


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where somebody gets e-mail; without confirmed_at they have not shown yet that it is theirs."""

    address: str
    set_at: datetime
    confirmed_at: datetime | None


_MESSAGE = [messages.c[name] for name in Message.__dataclass_fields__]
_OF_MESSAGE = ("kind", "resident_id", "merchant_id", "login_id", "branch_id")
_DELIVERY = [messages.c[name] if name in _OF_MESSAGE else deliveries.c[name] for name in Delivery.__dataclass_fields__]
_COUNT_UNREAD = Prepared(
    sa.select(sa.func.count()).where(
        messages.c.resident_id == sa.bindparam("resident_id"),
        messages.c.read_at.is_(None),
        _SHOWN,
    )
)


def count_unread(db: Connection, resident_id: int) -> int:
    """Return how many messages a resident has not read, and no more than UNREAD_MAX."""
    row = _COUNT_UNREAD.first(db, resident_id=resident_id)
    return min(row[0], UNREAD_MAX) if row else 0


def count_unread_of_login(db: Connection, login_id: int) -> int:
    """Return how many messages a login of the bank's has not read, and no more than UNREAD_MAX."""
    mine = sa.select(messages.c.message_id).where(messages.c.login_id == login_id, messages.c.read_at.is_(None), _SHOWN)
    return len(db.execute(mine.limit(UNREAD_MAX)).all())


def is_whose(resident_id: int | None, merchant_ids: Collection[int], login_id: int | None) -> sa.ColumnElement[bool]:
    """Return the condition that a message is of this resident, of this login, or else of one of these merchants."""
    if resident_id is not None:
        return messages.c.resident_id == resident_id
    if login_id is not None:
        return messages.c.login_id == login_id
    return messages.c.merchant_id.in_(list(merchant_ids))


def list_messages(
    db: Connection,
    *,
    resident_id: int | None = None,
    merchant_ids: Collection[int] = (),
    login_id: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Message]:
    """List what was told to a resident, to a login of the bank's, or to merchants, the latest first."""
    query = sa.select(*_MESSAGE).where(is_whose(resident_id, merchant_ids, login_id), _SHOWN)
    if before_id is not None:
        query = query.where(messages.c.message_id < before_id)
    rows = db.execute(query.order_by(messages.c.message_id.desc()).limit(min(limit, LIST_MAX)))
    return [_message(row) for row in rows]


def _message(row: Sequence[Any]) -> Message:
    message_id, kind, facts, *rest = row
    return Message(message_id, kind, json.loads(facts), *rest)


def list_deliveries(
    db: Connection,
    paths: Sequence[str] | None = None,
    *,
    states: Collection[str] = (),
    before_id: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """List what leaves the house from the branches under these paths (None: everywhere), the latest first."""
    query = sa.select(*_DELIVERY).select_from(_JOINED).where(*_in_reach(paths))
    if states:
        query = query.where(deliveries.c.state.in_(list(states)))
    if before_id is not None:
        query = query.where(deliveries.c.delivery_id < before_id)
    rows = db.execute(query.order_by(deliveries.c.delivery_id.desc()).limit(min(limit, LIST_MAX)))
    return [_delivery(row) for row in rows]


def get_delivery(db: Connection, delivery_id: int) -> Delivery:
    """Return one. Raises: UnknownDelivery."""
    row = db.execute(sa.select(*_DELIVERY).select_from(_JOINED).where(deliveries.c.delivery_id == delivery_id)).first()
    if row is None:
        raise UnknownDelivery()
    return _delivery(row)


def count_deliveries(db: Connection, paths: Sequence[str] | None = None) -> dict[str, int]:
    """Return how many there are in each state."""
    counted = sa.select(deliveries.c.state, sa.func.count()).select_from(_JOINED).where(*_in_reach(paths))
    found = {row[0]: row[1] for row in db.execute(counted.group_by(deliveries.c.state))}
    return {state: found.get(state, 0) for state in STATES}


def count_stuck(db: Connection, paths: Sequence[str]) -> int:
    """Return how many of these branches' deliveries were given up, or may not have arrived."""
    stuck = sa.select(sa.func.count()).select_from(_JOINED).where(deliveries.c.state.in_(STUCK), *_in_reach(paths))
    return db.execute(stuck).scalar_one()


_JOINED = deliveries.join(messages, messages.c.message_id == deliveries.c.message_id)


def _in_reach(paths: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    return [] if paths is None else [lies_below(messages.c.branch_id, paths)]


def _delivery(row: Sequence[Any]) -> Delivery:
    delivery_id, message_id, channel, *rest = row
    return Delivery(delivery_id, message_id, Channel(channel), *rest)


def find_mailbox(db: Connection, resident_id: int | None, *, login_id: int | None = None) -> Mailbox | None:
    """Return the mailbox of a resident, or of a login of the bank's, confirmed or not, or None."""
    owner, whose = (
        (mailboxes.c.resident_id, resident_id) if login_id is None else (staff_mailboxes.c.login_id, login_id)
    )
    columns = [owner.table.c[name] for name in Mailbox.__dataclass_fields__]
    row = db.execute(sa.select(*columns).where(owner == whose)).first()
    return None if row is None else Mailbox(*row)


def list_optouts(db: Connection, resident_ids: Collection[int]) -> set[tuple[int, str, str]]:
    """Return what these residents don't want, as (resident, channel, kind)."""
    row = optouts.c
    query = sa.select(row.resident_id, row.channel, row.kind).where(row.resident_id.in_(list(resident_ids)))
    return {(resident_id, channel, kind) for resident_id, channel, kind in db.execute(query)}


def list_told(db: Connection, events: Collection[str]) -> set[str]:
    """Return of which of these events somebody was told already."""
    return set(db.execute(sa.select(messages.c.event).where(messages.c.event.in_(list(events)))).scalars())


def was_told(db: Connection, resident_id: int, event: str) -> bool:
    """Tell whether a resident was told of this event before."""
    told = sa.select(messages.c.message_id).where(messages.c.event == event, messages.c.resident_id == resident_id)
    return db.execute(told.limit(1)).first() is not None
