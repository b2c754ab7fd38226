"""First registration at the door: whoever scanned a good code and is no depositor yet becomes one by three fields.

Only the scan is timed. Who registered themselves is a doubt of that session, for the leader to look at.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from moralbank import clock
from moralbank.access import service as access
from moralbank.activities import queries
from moralbank.activities.errors import AlreadyDepositor, ReceiptOver
from moralbank.activities.models import receipts
from moralbank.activities.receipts import hash_of
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person, self_enrolled_since
from moralbank.residents.errors import AlreadyEnrolled
from moralbank.residents.values import SELF, Consent


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What somebody types at the door."""

    name: str
    phone: str
    secret: str


def register(db: Connection, cookie: str, newcomer: Newcomer) -> int:
    """Make a depositor of whoever holds a receipt, at the session's branch, and return their login.

    A receipt is good for one registration: from then on it is theirs. They agree that their service is recorded, and to
    nothing else.
    Raises (in the order checked): ReceiptOver, AlreadyDepositor, WeakSecret.
    """
    receipt = queries.find_receipt(db, hash_of(cookie))
    if receipt is None or receipt.expires_at <= clock.now() or receipt.used_by is not None:
        raise ReceiptOver()
    session = queries.get_session(db, receipt.session_id)
    branch_id = session.activity.branch_id
    person = Person(newcomer.name, branch_id, phone=newcomer.phone)
    try:
        resident = residents.enrol(db, person, [Consent.RECORD], actor=SELF)
    except AlreadyEnrolled:
        # Its number is for staff; at the door it would say who is a depositor.
        raise AlreadyDepositor() from None
    mine = (receipts.c.receipt_id == receipt.receipt_id) & receipts.c.used_by.is_(None)
    claimed = db.execute(receipts.update().where(mine).values(used_by=resident.resident_id))
    if claimed.rowcount != 1:
        raise ReceiptOver()
    opened = access.open_resident_login(
        db, resident.resident_id, branch_id, by=None, secret=newcomer.secret, must_change=False
    )
    return opened.login_id


def newcomers(db: Connection, people: Collection[int], since: datetime) -> set[int]:
    """Return which of these people registered themselves from an instant on."""
    return self_enrolled_since(db, people, since)
