"""The roster that a phone keeps for a dead network: a card finds its holder in it, and nobody else finds anybody.

Under the hash of session salt and card stands the holder, encrypted under a key made of that card. A card has 20 random
digits, so a thief of the phone has nothing to begin with: no name, no number, no card is in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import queries
from moralbank.activities.errors import SnapshotOver
from moralbank.activities.values import Session
from moralbank.residents.queries import Resident, cards_in_force, list_residents, residents_by_id
from moralbank.residents.values import Status

#: A snapshot is worth nothing so long after the session's end.
LIFE = timedelta(hours=24)
PEOPLE_MAX = 5_000
_PAGE = 500
_PURPOSE = b"db1|roster|"
_KEY_BYTES, _NONCE_BYTES, _SALT_BYTES = 32, 12, 16


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A roster as a phone keeps it; entries: by the hash of a card, nonce and ciphertext of its holder."""

    session_id: int
    salt: str
    expires_at: datetime
    entries: Mapping[str, str]


def make_snapshot(db: Connection, session: Session, branch_ids: list[int]) -> Snapshot:
    """Return who may come to a session, each to be read with their own card: who signed up, and the branches' people.

    Raises: SnapshotOver when the session ended a day ago.
    """
    expires_at = session.ends_at + LIFE
    if clock.now() >= expires_at:
        raise SnapshotOver()
    states = {signup.resident_id: signup.state for signup in queries.list_signups(db, session.session_id)}
    people = residents_by_id(db, list(states)) | _people_of(db, branch_ids, PEOPLE_MAX - len(states))
    cards = _cards(db, list(people))
    salt = os.urandom(_SALT_BYTES)
    entries = {
        key_of(salt, number): _sealed(salt, number, people[who], states.get(who, ""))
        for who, number in cards.items()
        if people[who].is_active
    }
    return Snapshot(session.session_id, base64.b64encode(salt).decode(), expires_at, entries)


def key_of(salt: bytes, card: str) -> str:
    """Return under what a card's holder stands."""
    return hashlib.sha256(_PURPOSE + salt + card.encode()).hexdigest()


def secret_of(salt: bytes, card: str) -> bytes:
    """Return the key that a card opens its holder with. Source: RFC 5869."""
    return HKDF(SHA256(), _KEY_BYTES, salt=salt, info=_PURPOSE).derive(card.encode())


def _sealed(salt: bytes, card: str, holder: Resident, signup: str) -> str:
    told = json.dumps({"name": holder.name, "signup": signup}, ensure_ascii=False)
    # Every name as long as the longest: how long somebody's is tells a thief something.
    padded = told.encode().ljust(256)
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(secret_of(salt, card)).encrypt(nonce, padded, None)).decode()


def _people_of(db: Connection, branch_ids: list[int], most: int) -> dict[int, Resident]:
    found: dict[int, Resident] = {}
    before: int | None = None
    while len(found) < most:
        page = list_residents(
            db, branch_ids, status=Status.ACTIVE, before_id=before, limit=min(_PAGE, most - len(found))
        )
        if not page:
            break
        found |= {resident.resident_id: resident for resident in page}
        before = page[-1].resident_id
    return found


def _cards(db: Connection, resident_ids: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for first in range(0, len(resident_ids), _PAGE):
        cards = cards_in_force(db, resident_ids[first : first + _PAGE])
        found |= {who: card.number for who, card in cards.items()}
    return found
