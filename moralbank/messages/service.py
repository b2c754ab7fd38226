"""Tells people things, in the transaction of what is told; and takes what they say about how."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids
from moralbank.access.queries import find_resident_login
from moralbank.db import insert_for
from moralbank.messages import errors
from moralbank.messages.models import deliveries, mailboxes, messages, optouts, staff_mailboxes
from moralbank.messages.queries import STUCK, Delivery, find_mailbox, get_delivery, is_whose
from moralbank.messages.values import KINDS, Channel, Note
from moralbank.prepared import Change, Prepared, ask

CODE_LIVES = timedelta(minutes=30)
CODE_TRIES = 5
ASK_AGAIN_SECONDS = 60
#: What somebody read long ago is forgotten; what they did stands in the book.
KEPT = timedelta(days=400)
#: In place of the facts of somebody who is forgotten: nothing is known any more. `{}` is a sentence without figures.
GONE = "null"

_COLUMNS = ("event", "resident_id", "merchant_id", "login_id", "branch_id", "kind", "facts", "written_at")
_TELL = Prepared(
    lambda insert: insert(messages).values({name: sa.bindparam(name) for name in _COLUMNS}).on_conflict_do_nothing()
)


def tell(db: Connection, notes: Sequence[Note]) -> None:
    """Tell each recipient once of each event; of what they were told before nothing is written again."""
    if notes:
        ask(db, telling(notes))


def telling(notes: Sequence[Note]) -> Change:
    """As tell, in a round trip with something else."""
    now = clock.now()
    return Change(_TELL, [_row(note, now) for note in notes])


def _row(note: Note, now: datetime) -> dict[str, object]:
    assert note.kind in KINDS, "a kind of message is listed with its sentence"
    return {
        "event": note.event,
        "resident_id": note.resident_id,
        "merchant_id": note.merchant_id,
        "login_id": note.login_id,
        "branch_id": note.branch_id,
        "kind": note.kind,
        "facts": json.dumps(dict(note.facts), ensure_ascii=False, separators=(",", ":")),
        "written_at": now,
    }


def mark_read(
    db: Connection,
    message_ids: Collection[int],
    *,
    resident_id: int | None = None,
    merchant_ids: Collection[int] = (),
    login_id: int | None = None,
) -> int:
    """Note that a resident, a login or somebody at a merchant's till has read these of theirs; return how many."""
    row = messages.c
    mine = is_whose(resident_id, merchant_ids, login_id)
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


def ask_mailbox(
    db: Connection, resident_id: int | None, branch_id: int, address: str, *, login_id: int | None = None
) -> None:
    """Take the address a resident, or a login of the bank's, gives and send a code there; one they had before is gone.

    Raises: MailboxAskedOften, with the seconds to wait.
    """
    now, known = clock.now(), find_mailbox(db, resident_id, login_id=login_id)
    if known is not None:
        wait = known.set_at + timedelta(seconds=ASK_AGAIN_SECONDS) - now
        if wait > timedelta():
            raise errors.MailboxAskedOften(seconds=int(wait.total_seconds()) + 1)
    code = f"{secrets.randbelow(10**6):06d}"
    box = _mailbox_of(resident_id, login_id)
    row = {
        box.key: box.whose,
        "address": address,
        "set_at": now,
        "code_hash": _hash(box, code),
        "tries": 0,
        "confirmed_at": None,
    }
    insert = insert_for(db, box.table).values(row)
    anew = {name: insert.excluded[name] for name in row if name != box.key}
    db.execute(insert.on_conflict_do_update(index_elements=[box.key], set_=anew))
    _forget_codes(db, box)
    event = f"mailbox:{ids.token(12)}"
    tell(db, [Note("mailbox", event, branch_id, resident_id, login_id=login_id, facts={"code": code})])


def confirm_mailbox(db: Connection, resident_id: int | None, code: str, *, login_id: int | None = None) -> bool:
    """Tell whether the code is the one that was sent, and if so take the mailbox as theirs.

    Writes: each try, so a caller that refuses a wrong code must let this be committed first.
    Raises: NothingToConfirm.
    """
    box = _mailbox_of(resident_id, login_id)
    row = db.execute(sa.select(box.table).where(box.is_theirs).with_for_update()).first()
    is_open = row is not None and row.code_hash is not None and row.tries < CODE_TRIES
    if row is None or not is_open or clock.now() > row.set_at + CODE_LIVES:
        raise errors.NothingToConfirm()
    theirs = box.table.update().where(box.is_theirs)
    if not hmac.compare_digest(row.code_hash, _hash(box, code)):
        db.execute(theirs.values(tries=box.table.c.tries + 1))
        return False
    db.execute(theirs.values(code_hash=None, confirmed_at=clock.now()))
    _forget_codes(db, box)
    return True


def drop_mailbox(db: Connection, resident_id: int | None, *, login_id: int | None = None) -> None:
    """Send a resident, or a login of the bank's, no more e-mail, and forget where it went."""
    box = _mailbox_of(resident_id, login_id)
    db.execute(box.table.delete().where(box.is_theirs))


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
    login = find_resident_login(db, resident_id)
    if login is not None:  # Who works for the bank may be a resident.
        drop_mailbox(db, None, login_id=login.login_id)
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


@dataclass(frozen=True, slots=True)
class _Box:
    """Whose mailbox is meant, and in which table it is."""

    table: sa.Table
    key: str
    whose: int

    @property
    def is_theirs(self) -> sa.ColumnElement[bool]:
        return self.table.c[self.key] == self.whose


def _mailbox_of(resident_id: int | None, login_id: int | None) -> _Box:
    if login_id is not None:
        return _Box(staff_mailboxes, "login_id", login_id)
    assert resident_id is not None, "a mailbox is a resident's or a login's"
    return _Box(mailboxes, "resident_id", resident_id)


def _forget_codes(db: Connection, box: _Box) -> None:
    """Blank codes that are no longer good: what opens a door doesn't lie about."""
    theirs = sa.and_(messages.c[box.key] == box.whose, messages.c.kind == "mailbox")
    db.execute(messages.update().where(theirs).values(facts=GONE))


def _hash(box: _Box, code: str) -> bytes:
    # A resident's stays as it was hashed before logins had mailboxes: a code may be on its way.
    whose = f"{box.whose}" if box.key == "resident_id" else f"{box.key}:{box.whose}"
    return hashlib.sha256(f"{whose}:{code}".encode()).digest()
