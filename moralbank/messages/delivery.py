"""What becomes of a delivery, step by step: planned, claimed by one process, sent or not. Every step is a transaction.

Whoever brings a row from waiting to sending may send it, once. If it is never heard of again, then nobody knows
whether it arrived: a gateway that tells repetitions apart by the delivery's number gets it again, a mail server not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.db import insert_for
from moralbank.messages.models import FAULT_MAX, deliveries, mailboxes, messages, staff_mailboxes
from moralbank.messages.queries import list_optouts
from moralbank.messages.values import KINDS, Channel, Reach

#: How long to wait after the first failure, the second …; after the last it is given up.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720))
#: One who claimed a delivery and says nothing for so long is gone.
CLAIM_LIVES = timedelta(minutes=5)
#: Older news would rather confuse than help; the inbox has it.
WORTH_SENDING = timedelta(days=3)
PLAN_PAGE = 200

Recipient = tuple[int | None, int | None]
#: Says where (resident, merchant) can be reached; one who is missing can't be.
Directory = Callable[[Connection, Collection[Recipient]], Mapping[Recipient, Reach]]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery that is this process's to send."""

    delivery_id: int
    channel: Channel
    address: str
    kind: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A delivery that turned out to be wanted no more."""

    delivery_id: int


def settle_claims(db: Connection, repeatable: Collection[Channel]) -> int:
    """Take back what was claimed by a process that is gone; return how many there were."""
    row, now = deliveries.c, clock.now()
    lost = sa.and_(row.ended_at.is_(None), row.state == "sending", row.claimed_at < now - CLAIM_LIVES)
    ways = sorted(repeatable)
    again = deliveries.update().where(lost, row.channel.in_(ways)).values(state="waiting", next_at=now)
    unsure = deliveries.update().where(lost, row.channel.not_in(ways))
    found = db.execute(again).rowcount
    return found + db.execute(unsure.values(state="unsure", ended_at=now, fault="sender-lost")).rowcount


def plan(db: Connection, channels: Collection[Channel], directory: Directory) -> int:
    """Decide for a page of new messages on which ways they leave the house; return how many there were."""
    row = messages.c
    query = sa.select(row.message_id, row.resident_id, row.merchant_id, row.login_id, row.kind, row.written_at)
    fresh = db.execute(query.where(row.planned_at.is_(None)).order_by(row.message_id).limit(PLAN_PAGE)).all()
    if not fresh:
        return 0
    reach = _reach(db, {(one.resident_id, one.merchant_id) for one in fresh}, directory) if channels else {}
    unwanted = list_optouts(db, {one.resident_id for one in fresh if one.resident_id}) if channels else set()
    now = clock.now()
    rows = [
        {
            "message_id": one.message_id,
            "channel": channel,
            "state": "waiting",
            "is_urgent": KINDS[one.kind].is_urgent,
            "tries": 0,
            "planned_at": one.written_at,
            "next_at": now,
        }
        for one in fresh
        for channel in KINDS[one.kind].channels
        if channel in channels
        and (one.resident_id, channel, one.kind) not in unwanted
        and _address(db, reach, one, channel) is not None
    ]
    done = messages.update().where(row.message_id.in_([one.message_id for one in fresh]), row.planned_at.is_(None))
    if db.execute(done.values(planned_at=now)).rowcount and rows:
        db.execute(insert_for(db, deliveries).on_conflict_do_nothing(), rows)
    return len(fresh)


def claim(db: Connection, channel: Channel, is_quiet: bool, directory: Directory) -> Parcel | Dropped | None:
    """Take the next delivery of a channel that is due; None when there is none, at night also when it can wait."""
    row, now = deliveries.c, clock.now()
    due = [row.ended_at.is_(None), row.channel == channel, row.state == "waiting", row.next_at <= now]
    if is_quiet:
        due.append(row.is_urgent.is_(True))
    query = sa.select(row.delivery_id, row.message_id, row.planned_at).where(*due)
    found = db.execute(query.order_by(row.next_at, row.delivery_id).limit(1)).first()
    if found is None:
        return None
    mine = deliveries.update().where(row.delivery_id == found.delivery_id, row.state == "waiting")
    if not db.execute(mine.values(state="sending", claimed_at=now, tries=row.tries + 1)).rowcount:
        return Dropped(found.delivery_id)
    if found.planned_at < now - WORTH_SENDING:
        return _drop(db, found.delivery_id, "failed", "too-old")
    message = db.execute(sa.select(messages).where(messages.c.message_id == found.message_id)).one()
    reach = _reach(db, {(message.resident_id, message.merchant_id)}, directory)
    address, facts = _address(db, reach, message, channel), json.loads(message.facts)
    is_unwanted = message.resident_id and (message.resident_id, channel, message.kind) in list_optouts(
        db, [message.resident_id]
    )
    if address is None or is_unwanted or facts is None:
        return _drop(db, found.delivery_id, "dropped", "opted-out" if is_unwanted else "no-address")
    return Parcel(found.delivery_id, channel, address, message.kind, facts)


def end(db: Connection, delivery_id: int, state: str, fault: str | None = None) -> None:
    """Note what became of a delivery that this process claimed."""
    ended = {"state": state, "ended_at": clock.now(), "fault": fault and fault[:FAULT_MAX]}
    db.execute(_claimed(delivery_id).values(ended))


def put_back(db: Connection, delivery_id: int, fault: str) -> None:
    """Let a delivery that surely did not arrive wait for its next try, or give it up after the last."""
    tries: int = db.execute(sa.select(deliveries.c.tries).where(deliveries.c.delivery_id == delivery_id)).scalar_one()
    if tries > len(BACKOFF):
        end(db, delivery_id, "failed", fault)
        return
    next_at = clock.now() + BACKOFF[tries - 1]
    db.execute(_claimed(delivery_id).values(state="waiting", next_at=next_at, fault=fault[:FAULT_MAX]))


def _claimed(delivery_id: int) -> sa.Update:
    row = deliveries.c
    return deliveries.update().where(row.delivery_id == delivery_id, row.state == "sending")


def _drop(db: Connection, delivery_id: int, state: str, fault: str) -> Dropped:
    end(db, delivery_id, state, fault)
    return Dropped(delivery_id)


def _reach(db: Connection, who: Collection[Recipient], directory: Directory) -> dict[Recipient, Reach]:
    """Return where each can be reached: what lies above knows of phones, and this package of mailboxes."""
    known = dict(directory(db, who))
    ids = [resident_id for resident_id, _ in who if resident_id]
    row = mailboxes.c
    confirmed = sa.select(row.resident_id, row.address).where(row.resident_id.in_(ids), row.confirmed_at.is_not(None))
    for resident_id, address in db.execute(confirmed):
        before = known.get((resident_id, None))
        if before is not None:
            known[resident_id, None] = Reach(before.phone, before.number, address)
    return known


def _address(db: Connection, reach: Mapping[Recipient, Reach], message: sa.Row[Any], channel: Channel) -> str | None:
    if message.login_id is not None:
        return _staff_address(db, message.login_id, is_code=message.kind == "mailbox")
    if message.kind == "mailbox":  # The code goes to the mailbox that it is to confirm.
        asked = sa.select(mailboxes.c.address).where(
            mailboxes.c.resident_id == message.resident_id, mailboxes.c.code_hash.is_not(None)
        )
        return db.execute(asked).scalar()
    found = reach.get((message.resident_id, message.merchant_id))
    return None if found is None else found.by(channel)


def _staff_address(db: Connection, login_id: int, *, is_code: bool) -> str | None:
    """Return where one who works for the bank gets e-mail, the only way on which they are told things."""
    box = staff_mailboxes.c
    is_ready = box.code_hash.is_not(None) if is_code else box.confirmed_at.is_not(None)
    return db.execute(sa.select(box.address).where(box.login_id == login_id, is_ready)).scalar()
