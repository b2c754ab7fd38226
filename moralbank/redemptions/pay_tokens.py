"""What a shop's own QR code says, and the four digits by which both sides know that the same was paid.

Pure: no database, no clock. Layout, big-endian, base64url without padding: a sale `0x14 | kid u8 | order u64 | mac 8`,
a sticker `0x16 | kid u8 | merchant u32 | serial u32 | mac 8`; 18 bytes, 24 characters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from moralbank.activities.tokens import Key

SALE, STICKER = 0x14, 0x16
_PURPOSE, _CONFIRMATION = b"db1|pay", b"db1|paid"
_HEAD, _SALE, _STICKER = struct.Struct(">BB"), struct.Struct(">Q"), struct.Struct(">II")
_MAC_BYTES, _TOKEN_BYTES, _TOKEN_CHARACTERS = 8, 18, 24


@dataclass(frozen=True, slots=True)
class SaleToken:
    """A code made for one sale; number is random, so that none is guessed."""

    number: int


@dataclass(frozen=True, slots=True)
class StickerToken:
    """A code that hangs in a shop."""

    merchant_id: int
    serial: int


def sign(key: Key, token: SaleToken | StickerToken) -> str:
    """Return the token as it stands in the address."""
    if isinstance(token, SaleToken):
        body = _HEAD.pack(SALE, key.kid) + _SALE.pack(token.number)
    else:
        body = _HEAD.pack(STICKER, key.kid) + _STICKER.pack(token.merchant_id, token.serial)
    return base64.urlsafe_b64encode(body + _mac(key, _PURPOSE, body)[:_MAC_BYTES]).decode()


def read(text: str, keys: Mapping[int, Key]) -> SaleToken | StickerToken | None:
    """Return what a token names, or None when it is not ours, altered, or spelled another way."""
    if len(text) != _TOKEN_CHARACTERS or not text.isascii():
        return None
    try:
        octets = base64.b64decode(text, altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    body, mac = octets[:-_MAC_BYTES], octets[-_MAC_BYTES:]
    kind, kid = _HEAD.unpack(body[:2])
    key = keys.get(kid)
    if len(octets) != _TOKEN_BYTES or key is None or kind not in (SALE, STICKER):
        return None
    if not hmac.compare_digest(mac, _mac(key, _PURPOSE, body)[:_MAC_BYTES]):
        return None
    return SaleToken(*_SALE.unpack(body[2:])) if kind == SALE else StickerToken(*_STICKER.unpack(body[2:]))


def confirmation(key: Key, merchant_id: int, points: int, charge_id: int) -> str:
    """Return four digits bound to merchant, amount and receipt, which a forged page of success can't know."""
    named = f"{merchant_id}|{points}|{charge_id}".encode()
    return f"{int.from_bytes(_mac(key, _CONFIRMATION, named)[:8]) % 10_000:04d}"


def _mac(key: Key, purpose: bytes, body: bytes) -> bytes:
    return hmac.digest(hmac.digest(key.secret, purpose, hashlib.sha256), body, hashlib.sha256)
