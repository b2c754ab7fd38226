"""One-time payment codes: issued to a resident's own phone, spent once, kept only as hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids
from moralbank.behalf import service as behalf
from moralbank.behalf.queries import get_link
from moralbank.errors import Refused
from moralbank.prepared import Change, Prepared, Question
from moralbank.redemptions.errors import CodeExpired, CodeUsed, ResidentNotActive, UnknownCode
from moralbank.redemptions.models import codes
from moralbank.redemptions.numbers import CODE_PREFIX, CODE_RANDOM_DIGITS
from moralbank.residents.queries import Resident, get_resident, split_resident, with_resident

#: How long a phone shows a code, and how much longer a till still takes it.
SHOWN_SECONDS = 60
GRACE_SECONDS = 15
KEPT_HOURS = 24


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code in clear: only its resident's phone ever sees it."""

    number: str
    issued_at: datetime
    #: When the phone stops showing it; tills take it a little longer.
    shown_until_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A live code: whose points it spends, and by which link of behalf somebody else showed it, if anybody did."""

    resident: Resident
    link_id: int | None

    @property
    def resident_id(self) -> int:
        return self.resident.resident_id


def issue_code(db: Connection, resident_id: int, link_id: int | None = None) -> IssuedCode:
    """Issue a fresh code; the ones before it stay good for a moment, for the scan that is under way.

    link_id: by which somebody else shows it, who may; that is written down.

    Raises (in the order checked): UnknownResident, ResidentNotActive, UnknownLink.
    """
    resident = get_resident(db, resident_id)
    if not resident.is_active:
        raise ResidentNotActive
    if link_id is not None:
        behalf.note_act(db, get_link(db, link_id), resident, "code")
    now = clock.now()
    soon = now + timedelta(seconds=GRACE_SECONDS)
    former = sa.and_(codes.c.resident_id == resident_id, codes.c.used_at.is_(None), codes.c.expires_at > soon)
    db.execute(codes.update().where(former).values(expires_at=soon))
    number = ids.checked_digits(CODE_PREFIX, CODE_RANDOM_DIGITS)
    until = now + timedelta(seconds=SHOWN_SECONDS)
    expires_at = until + timedelta(seconds=GRACE_SECONDS)
    row: dict[str, Any] = {
        "hash": digest(number),
        "resident_id": resident_id,
        "issued_at": now,
        "expires_at": expires_at,
        "link_id": link_id,
    }
    db.execute(codes.insert().values(row))
    return IssuedCode(number, now, until)


def digest(number: str) -> bytes:
    """Return what is kept of a code. Nobody searches 46 random bits in the minute it lives."""
    return hashlib.sha256(number.encode()).digest()


_FIND = Prepared(
    with_resident(
        sa.select(codes.c.link_id, codes.c.used_at, codes.c.expires_at).where(codes.c.hash == sa.bindparam("digest")),
        codes.c.resident_id,
    )
)
_is_live = codes.c.used_at.is_(None) & (codes.c.expires_at > sa.bindparam("now"))
_SPENT = codes.update().where(_is_live).values(used_at=sa.bindparam("now"))
_SPEND = Prepared(_SPENT.where(codes.c.hash == sa.bindparam("digest")))
#: PostgreSQL's own.
_SPEND_SET = Prepared(_SPENT.where(codes.c.hash == sa.any_(sa.bindparam("digests", type_=sa.ARRAY(sa.LargeBinary)))))


def asking_codes(numbers: Sequence[str]) -> Question[list[Shown | Refused]]:
    """Ask whose live code each is; or, in the order checked, UnknownCode, CodeUsed, CodeExpired."""
    now = clock.now()
    given = [{"digest": digest(number)} for number in numbers]
    return Question(_FIND, given, lambda found: [_holder(rows, now) for rows in found])


def _holder(rows: list[tuple[Any, ...]], now: datetime) -> Shown | Refused:
    if not rows:
        return UnknownCode()
    (link_id, used_at, expires_at), resident = split_resident(rows[0])
    if used_at is not None:
        return CodeUsed()
    if expires_at <= now:
        return CodeExpired()
    return Shown(resident, link_id)


def spending(db: Connection, hashes: Sequence[bytes]) -> Change:
    """Use codes up; fewer than these change when one of them is no longer live, since another till was faster."""
    now = clock.now()
    if db.dialect.name == "postgresql" and len(hashes) > 1:
        return Change(_SPEND_SET, [{"digests": list(hashes), "now": now}])
    return Change(_SPEND, [{"digest": kept, "now": now} for kept in hashes])


def purge_codes(db: Connection) -> int:
    """Forget codes that nobody used within a day; a used one stays, so that it is answered for what it is."""
    before = clock.now() - timedelta(hours=KEPT_HOURS)
    unused = codes.c.used_at.is_(None) & (codes.c.expires_at < before)
    return db.execute(codes.delete().where(unused)).rowcount


def forget_codes(db: Connection, resident_id: int) -> int:
    """Delete the payment codes of a person who is forgotten, so that none still pays, and return how many."""
    return db.execute(codes.delete().where(codes.c.resident_id == resident_id)).rowcount
