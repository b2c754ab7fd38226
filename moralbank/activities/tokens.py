"""What is inside an activity's QR code: 20 bytes that only this bank can make and that soon stop working.

Pure: no database, no clock. The layout is `kind u8 | kid u8 | session u32 | station u8 | direction u8 |
step u32 | mac 8`,
big-endian, in base64url without padding (27 characters). A poster carries its serial in the place of the
step, and so does the card of somebody who is helped.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from moralbank.activities import verdicts
from moralbank.activities.verdicts import Verdict

ROTATING = 0x11
POSTER = 0x12
#: The printed card of somebody who is helped: their number in the place of the station, their id in that of the step.
HELPED_CARD = 0x13
STEP_SECONDS = 10
#: Accepted steps around the present one: a code lives 20 to 30 seconds and a clock may be 10 seconds ahead.
STEPS_BACK, STEPS_AHEAD = 2, 1
#: A retired key's last rotating code is dead after this; posters outlive it until their session's end.
RETIRED_KEY_LIFE = timedelta(seconds=STEP_SECONDS * (STEPS_BACK + 1))

_PURPOSE = b"db1|activity"
_BODY = struct.Struct(">BBIBBI")
_MAC_BYTES = 8
_TOKEN_BYTES = _BODY.size + _MAC_BYTES
_TOKEN_CHARACTERS = 27


@dataclass(frozen=True, slots=True)
class Token:
    """A code's content. direction: 1 in, 2 out, 0 by the person's state."""

    kind: int
    kid: int
    session_id: int
    station: int
    direction: int
    #: The ten-second step it was made in, or the poster's serial.
    step: int


@dataclass(frozen=True, slots=True)
class Key:
    """A master secret. retired_at: from then on no code is made with it."""

    kid: int
    secret: bytes
    retired_at: datetime | None = None


def step_of(instant: datetime) -> int:
    """Return the number of the ten-second step an instant is in."""
    return int(instant.timestamp()) // STEP_SECONDS


def seconds_left(instant: datetime) -> int:
    """Return how long the present step still lasts, 1 to 10."""
    return STEP_SECONDS - int(instant.timestamp()) % STEP_SECONDS


def sign(key: Key, token: Token) -> str:
    """Return the token as it stands in the QR code."""
    body = _BODY.pack(token.kind, key.kid, token.session_id, token.station, token.direction, token.step)
    return base64.urlsafe_b64encode(body + _mac(key, body)).rstrip(b"=").decode()


def rotating(key: Key, session_id: int, station: int, at: datetime) -> str:
    """Return the code of a display at an instant."""
    return sign(key, Token(ROTATING, key.kid, session_id, station, 0, step_of(at)))


def poster(key: Key, session_id: int, serial: int) -> str:
    """Return the code of a printed poster."""
    return sign(key, Token(POSTER, key.kid, session_id, 0, 0, serial))


def helped_card(key: Key, session_id: int, number: int, serial: int) -> str:
    """Return the code of a helped person's printed card."""
    return sign(key, Token(HELPED_CARD, key.kid, session_id, number, 0, serial))


def verify(text: str, keys: Mapping[int, Key], now: datetime) -> Token | Verdict:
    """Return the token, or the verdict that refuses it.

    In the order checked: WRONG_APP (digits, as other apps' payment codes); FORGED (not ours, altered, or
    spelled another way); EXPIRED (a rotating code of another time). Whether a poster still hangs is for the
    caller to ask.
    """
    if text.isascii() and text.isdigit():
        return verdicts.WRONG_APP
    octets = _octets(text)
    if octets is None:
        return verdicts.FORGED
    body, mac = octets[: _BODY.size], octets[_BODY.size :]
    token = Token(*_BODY.unpack(body))
    key = keys.get(token.kid)
    if key is None or not hmac.compare_digest(mac, _mac(key, body)):
        return verdicts.FORGED
    if token.kind not in (ROTATING, POSTER, HELPED_CARD) or token.direction > 2:
        return verdicts.FORGED
    if token.kind == ROTATING and not _is_fresh(token, key, now):
        return verdicts.EXPIRED
    return token


def _is_fresh(token: Token, key: Key, now: datetime) -> bool:
    if key.retired_at is not None and now > key.retired_at + RETIRED_KEY_LIFE:
        return False
    step = step_of(now)
    return step - STEPS_BACK <= token.step <= step + STEPS_AHEAD


def _octets(text: str) -> bytes | None:
    """Return the bytes of the one accepted spelling, or None."""
    if len(text) != _TOKEN_CHARACTERS or not text.isascii():
        return None
    try:
        octets = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    # 27 characters hold two bits more than 20 bytes: a spelling that uses them is another text for the
    # same token.
    if len(octets) != _TOKEN_BYTES or base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text:
        return None
    return octets


def _mac(key: Key, body: bytes) -> bytes:
    purpose_key = hmac.digest(key.secret, _PURPOSE, hashlib.sha256)
    return hmac.digest(purpose_key, body, hashlib.sha256)[:_MAC_BYTES]
