"""Tells people things, in the transaction of what is told; and takes what they say about how."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids
from moralbank.db import insert_for
from moralbank.messages import errors
from moralbank.messages.models import deliveries, mailboxes, messages, optouts
from moralbank.messages.queries import STUCK, Delivery, find_mailbox, get_delivery
from moralbank.messages.values import KINDS, Channel, Note
from moralbank.prepared import Prepared, Question, all_rows, ask

CODE_LIVES = timedelta(minutes=30)
CODE_TRIES = 5
ASK_AGAIN_SECONDS = 60
#: What somebody read long ago is forgotten; what they did stands in the book.
KEPT = timedelta(days=400)
#: In place of the facts of somebody who is forgotten: nothing is known any more. `{}` is a sentence without figures.
GONE = "null"

_COLUMNS = ("event", "resident_id", "merchant_id", "branch_id", "kind", "facts", "written_at")
_TELL = Prepared(
    lambda insert: (
        insert(messages)
        .values({name: sa.bindparam(name) for name in _COLUMNS})
        .on_conflict_do_nothing()
        .returning(messages.c.message_id)
    )
)


def tell(db: Connection, notes: Sequence[Note]) -> None:
    """Tell each recipient once of each event; of what they were told before nothing is written again."""
    if notes:
        ask(db, telling(notes))


def telling(notes: Sequence[Note]) -> Question[object]:
    """As tell, in a round trip with something else."""
    now = clock.now()
    return Question(_TELL, [_row(note, now) for note in notes], all_rows)


def _row(note: Note, now: datetime) -> dict[str, object]:
    assert note.kind in KINDS, "a kind of message is listed with its sentence"
    return {
        "event": note.event,
        "resident_id": note.resident_id,
        "merchant_id": note.merchant_id,
        "branch_id": note.branch_id,
        "kind": note.kind,
        "facts": json.dumps(dict(note.facts), ensure_ascii=False, separators=(",", ":")),
        "written_at": now,
    }


def mark_read(
    db: Connection, message_ids: Collection[int], *, resident_id: int | None = None, merchant_ids: Collection[int] = ()
) -> int:
    """Note that a resident, or somebody at a merchant's till, has read these of theirs; return how many were new."""
    row = messages.c
    mine = row.merchant_id.in_(list(merchant_ids)) if resident_id is None else row.resident_id == resident_id
    fresh = sa.and_(row.message_id.in_(list(message_ids)), mine, row.read_at.is_(None))
    return db.execute(messages.update().where(fresh).values(read_at=clock.now())).rowcount


def choose(db: Connection, resident_id: int, unwanted: Collection[tuple[Channel, str]]) -> None:
    """Take what a resident doesn't want, as (way, kind); everything else they do want."""
    db.execute(optouts.delete().where(optouts.c.resident_id == resident_id))
    rows = [
        {"resident_id": resident_id, "channel": channel, "kind": kind, "since_at": clock.now()}
        for channel, kind in sorted(set(unwanted))
    ]
    if rows:
        # Pressed twice at once, both say the same.
        db.execute(insert_for(db, optouts).on_conflict_do_nothing(), rows)


def ask_mailbox(db: Connection, resident_id: int, branch_id: int, address: str) -> None:
    """Take the address a resident gives and send a code there; one they had before is gone.

    Raises: MailboxAskedOften, with the seconds to wait.
    """
    now, known = clock.now(), find_mailbox(db, resident_id)
    if known is not None:
        wait = known.set_at + timedelta(seconds=ASK_AGAIN_SECONDS) - now
        if wait > timedelta():
            raise errors.MailboxAskedOften(seconds=int(wait.total_seconds()) + 1)
    code = f"{secrets.randbelow(10**6):06d}"
    row = {
        "resident_id": resident_id,
        "address": address,
        "set_at": now,
        "code_hash": _hash(resident_id, code),
        "tries": 0,
        "confirmed_at": None,
    }
    insert = insert_for(db, mailboxes).values(row)
    anew = {name: insert.excluded[name] for name in row if name != "resident_id"}
    db.execute(insert.on_conflict_do_update(index_elements=["resident_id"], set_=anew))
    _forget_codes(db, resident_id)
    tell(db, [Note("mailbox", f"mailbox:{ids.token(12)}", branch_id, resident_id, facts={"code": code})])


def confirm_mailbox(db: Connection, resident_id: int, code: str) -> bool:
    """Tell whether the code is the one that was sent, and if so take the mailbox as theirs.

    Writes: each try, so a caller that refuses a wrong code must let this be committed first.
    Raises: NothingToConfirm.
    """
    row = db.execute(sa.select(mailboxes).where(mailboxes.c.resident_id == resident_id).with_for_update()).first()
    is_open = row is not None and row.code_hash is not None and row.tries < CODE_TRIES
    if row is None or not is_open or clock.now() > row.set_at + CODE_LIVES:
        raise errors.NothingToConfirm()
    theirs = mailboxes.update().where(mailboxes.c.resident_id == resident_id)
    if not hmac.compare_digest(row.code_hash, _hash(resident_id, code)):
        db.execute(theirs.values(tries=mailboxes.c.tries + 1))
        return False
    db.execute(theirs.values(code_hash=None, confirmed_at=clock.now()))
    _forget_codes(db, resident_id)
    return True


def drop_mailbox(db: Connection, resident_id: int) -> None:
    """Send a resident no more e-mail, and forget where it went."""
    db.execute(mailboxes.delete().where(mailboxes.c.resident_id == resident_id))


def retry(db: Connection, delivery_id: int) -> Delivery:
    """Send again what was given up, or what may not have arrived. Raises: UnknownDelivery, DeliveryNotStuck."""
    row = deliveries.c
    again = deliveries.update().where(row.delivery_id == delivery_id, row.state.in_(STUCK))
    anew = {"state": "waiting", "tries": 0, "next_at": clock.now(), "planned_at": clock.now(), "ended_at": None}
    if not db.execute(again.values(anew)).rowcount:
        get_delivery(db, delivery_id)
        raise errors.DeliveryNotStuck()
    return get_delivery(db, delivery_id)


def forget(db: Connection, resident_id: int) -> int:
    """Take away what a resident was told and where it went; return how many messages there were."""
    theirs = messages.c.resident_id == resident_id
    count = db.execute(messages.update().where(theirs).values(facts=GONE)).rowcount
    unsent = deliveries.c.message_id.in_(sa.select(messages.c.message_id).where(theirs))
    db.execute(
        deliveries.update()
        .where(unsent, deliveries.c.ended_at.is_(None))
        .values(state="dropped", ended_at=clock.now(), fault="forgotten")
    )
    drop_mailbox(db, resident_id)
    db.execute(optouts.delete().where(optouts.c.resident_id == resident_id))
    return count


def purge(db: Connection, limit: int) -> int:
    """Remove a page of messages that are older than a good year; return how many."""
    old = (
        sa.select(messages.c.message_id)
        .where(messages.c.written_at < clock.now() - KEPT, messages.c.planned_at.is_not(None))
        .order_by(messages.c.message_id)
        .limit(limit)
    )
    page = list(db.execute(old).scalars())
    if page:
        db.execute(deliveries.delete().where(deliveries.c.message_id.in_(page)))
        db.execute(messages.delete().where(messages.c.message_id.in_(page)))
    return len(page)


def _forget_codes(db: Connection, resident_id: int) -> None:
    """Blank codes that are no longer good: what opens a door doesn't lie about."""
    theirs = sa.and_(messages.c.resident_id == resident_id, messages.c.kind == "mailbox")
    db.execute(messages.update().where(theirs).values(facts=GONE))


def _hash(resident_id: int, code: str) -> bytes:
    return hashlib.sha256(f"{resident_id}:{code}".encode()).digest()
