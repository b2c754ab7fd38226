"""Receipts: that a phone scanned a good code, until its owner says who they are. A receipt books nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ids
from moralbank.activities import queries, tokens, verdicts
from moralbank.activities.answers import Answer, answer
from moralbank.activities.cards import other_app
from moralbank.activities.checkin import Scan, check_in_many
from moralbank.activities.helped import find_by_number
from moralbank.activities.models import receipts
from moralbank.activities.values import Direction, Means, Mode, Receipt, Session
from moralbank.activities.verdicts import Verdict
from moralbank.errors import MoralBankError
from moralbank.prepared import Prepared

RECEIPT_LIFE = timedelta(minutes=10)
_DIRECTIONS = (None, Direction.IN, Direction.OUT)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a phone says to make a check-in of its receipt: the secret, who they are, the hash of its own cookie."""

    cookie: str
    resident_id: int
    actor: str
    device: str | None


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
    means = _means(session, read)
    direction = _DIRECTIONS[read.direction]
    return Receipt("", session.session_id, read.station, direction, means, now, now + RECEIPT_LIFE, None)


_KEEP = Prepared(receipts.insert().values({column.name: sa.bindparam(column.name) for column in receipts.c}))


def keep_receipts(db: Connection, kept: Sequence[Receipt]) -> list[str]:
    """Store receipts and return for each the secret that only its scanner gets to hold."""
    cookies = [ids.token(16) for _ in kept]
    _KEEP.touch_each(
        db,
        [
            {
                "receipt_id": hash_of(cookie),
                "session_id": receipt.session_id,
                "station": receipt.station,
                "direction": receipt.direction,
                "means": receipt.means,
                "scanned_at": receipt.scanned_at,
                "expires_at": receipt.expires_at,
                "used_by": None,
            }
            for cookie, receipt in zip(cookies, kept, strict=True)
        ],
    )
    return cookies


_CLAIM = Prepared(
    receipts.update()
    .where(
        receipts.c.receipt_id == sa.bindparam("hash"),
        sa.or_(receipts.c.used_by.is_(None), receipts.c.used_by == sa.bindparam("resident_id")),
        sa.or_(receipts.c.expires_at > sa.bindparam("now"), receipts.c.used_by == sa.bindparam("resident_id")),
    )
    .values(used_by=sa.bindparam("resident_id"))
    .returning(
        receipts.c.session_id,
        receipts.c.station,
        receipts.c.direction,
        receipts.c.means,
        receipts.c.scanned_at,
    )
)


def claim_receipt(db: Connection, cookie: str, keeper: int) -> sa.Row[Any] | None:
    """Return the whole receipt, which is this keeper's from now on, or None when it is over or another's."""
    given = {"hash": hash_of(cookie), "resident_id": keeper, "now": clock.now()}
    if not _CLAIM.each(db, [given])[0]:
        return None
    return db.execute(sa.select(receipts).where(receipts.c.receipt_id == given["hash"])).one()


def use_receipts(db: Connection, claims: Sequence[Claim]) -> list[Answer | MoralBankError]:
    """Count the scans behind receipts for the people who claim them; a second claim gets the first answer.

    A receipt is good for one person and ten minutes, whichever of two at once comes first. Refusals: as check_in_many.
    """
    now = clock.now()
    hashes = [hash_of(claim.cookie) for claim in claims]
    # In one order everywhere, so that two sets wait for each other and never in a ring.
    order = sorted(range(len(claims)), key=hashes.__getitem__)
    given = [{"hash": hashes[place], "resident_id": claims[place].resident_id, "now": now} for place in order]
    claimed = dict(zip(order, _CLAIM.each(db, given), strict=True))
    scans = {place: _scan(claims[place], hashes[place], *rows[0]) for place, rows in sorted(claimed.items()) if rows}
    answers = dict(zip(scans, check_in_many(db, list(scans.values())), strict=True))
    return [
        answers.get(place, Answer(verdicts.EXPIRED, resident_id=claim.resident_id))
        for place, claim in enumerate(claims)
    ]


def _scan(
    claim: Claim, receipt_id: str, session_id: int, station: int, direction: str | None, means: str, at: datetime
) -> Scan:
    return Scan(
        session_id=session_id,
        resident_id=claim.resident_id,
        means=Means(means),
        nonce=f"receipt:{receipt_id}",
        actor=claim.actor,
        at=at,
        direction=Direction(direction) if direction else None,
        device=claim.device,
        station=station,
    )


def purge_receipts(db: Connection, now: datetime) -> int:
    """Forget receipts a day after they stopped being good for anything; return how many."""
    return db.execute(receipts.delete().where(receipts.c.expires_at < now - timedelta(days=1))).rowcount


def _refused_code(db: Connection, session: Session, token: tokens.Token) -> Verdict | None:
    mode = session.activity.mode
    if token.kind == tokens.HELPED_CARD or (token.kind == tokens.ROTATING and mode is Mode.BENEFICIARY):
        return _refused_of_helped(db, session, token)
    if token.kind == tokens.ROTATING:
        return verdicts.FORGED if mode is Mode.DESK else None
    poster = queries.find_poster(db, token.step)
    if poster is None or poster.session_id != session.session_id:
        return verdicts.FORGED
    is_up = poster.revoked_at is None and mode is Mode.POSTER
    return None if is_up else verdicts.EXPIRED


def _refused_of_helped(db: Connection, session: Session, token: tokens.Token) -> Verdict | None:
    one = find_by_number(db, session.session_id, token.station)
    if one is None or (token.kind == tokens.HELPED_CARD and one.helped_id != token.step):
        return verdicts.FORGED
    is_good = one.revoked_at is None and session.activity.mode is Mode.BENEFICIARY
    return None if is_good else verdicts.EXPIRED


def _means(session: Session, token: tokens.Token) -> Means:
    if token.kind == tokens.ROTATING:
        return Means.BENEFICIARY if session.activity.mode is Mode.BENEFICIARY else Means.ROTATING
    return Means.POSTER if token.kind == tokens.POSTER else Means.HELPED_CARD
