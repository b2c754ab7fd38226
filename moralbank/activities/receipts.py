"""Receipts: that a phone scanned a good code, until its owner says who they are. A receipt books nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ids
from moralbank.activities import queries, tokens, verdicts
from moralbank.activities.checkin import Answer, Scan, answer, check_in, other_app
from moralbank.activities.models import receipts
from moralbank.activities.values import Direction, Means, Mode, Receipt, Session
from moralbank.activities.verdicts import Verdict

RECEIPT_LIFE = timedelta(minutes=10)
_DIRECTIONS = (None, Direction.IN, Direction.OUT)


def hash_of(cookie: str) -> str:
    """Return what the database keeps of a random cookie."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def open_token(db: Connection, text: str, now: datetime) -> Receipt | Answer:
    """Return the receipt that a code is good for (not yet stored), or the answer that refuses it. Reads
    only.
    """
    read = tokens.verify(text, queries.qr_keys_by_kid(db), now)
    if isinstance(read, Verdict):
        return Answer(read, facts={"app": other_app(text)})
    session = queries.find_session(db, read.session_id)
    if session is None:
        return Answer(verdicts.UNKNOWN)
    refusal = _refused_code(db, session, read)
    if refusal is not None:
        return answer(refusal, session, now)
    means = Means.POSTER if read.kind == tokens.POSTER else Means.ROTATING
    direction = _DIRECTIONS[read.direction]
    return Receipt("", session.session_id, read.station, direction, means, now, now + RECEIPT_LIFE, None)


def keep_receipt(db: Connection, receipt: Receipt) -> str:
    """Store a receipt and return the secret that only its scanner gets to hold."""
    cookie = ids.token(16)
    row = {
        "receipt_id": hash_of(cookie),
        "session_id": receipt.session_id,
        "station": receipt.station,
        "direction": receipt.direction,
        "means": receipt.means,
        "scanned_at": receipt.scanned_at,
        "expires_at": receipt.expires_at,
    }
    db.execute(receipts.insert().values(row))
    return cookie


def use_receipt(db: Connection, cookie: str, resident_id: int, *, actor: str, device: str | None) -> Answer:
    """Count the scan behind a receipt for the person who claims it; a second claim gets the first answer.

    A receipt is good for one person and ten minutes, whichever of two at once comes first.
    """
    receipt_id = hash_of(cookie)
    mine = sa.or_(receipts.c.used_by.is_(None), receipts.c.used_by == resident_id)
    alive = sa.or_(receipts.c.expires_at > clock.now(), receipts.c.used_by == resident_id)
    claim = receipts.update().where(receipts.c.receipt_id == receipt_id, mine, alive).values(used_by=resident_id)
    if db.execute(claim).rowcount != 1:
        return Answer(verdicts.EXPIRED, resident_id=resident_id)
    receipt = queries.find_receipt(db, receipt_id)
    assert receipt is not None, "just claimed"
    scan = Scan(
        session_id=receipt.session_id,
        resident_id=resident_id,
        means=receipt.means,
        nonce=f"receipt:{receipt_id}",
        actor=actor,
        at=receipt.scanned_at,
        direction=receipt.direction,
        device=device,
        station=receipt.station,
    )
    return check_in(db, scan)


def purge_receipts(db: Connection, now: datetime) -> int:
    """Forget receipts a day after they stopped being good for anything; return how many."""
    return db.execute(receipts.delete().where(receipts.c.expires_at < now - timedelta(days=1))).rowcount


def _refused_code(db: Connection, session: Session, token: tokens.Token) -> Verdict | None:
    if token.kind == tokens.ROTATING:
        return verdicts.FORGED if session.activity.mode is Mode.DESK else None
    poster = queries.find_poster(db, token.step)
    if poster is None or poster.session_id != session.session_id:
        return verdicts.FORGED
    is_up = poster.revoked_at is None and session.activity.mode is Mode.POSTER
    return None if is_up else verdicts.EXPIRED
