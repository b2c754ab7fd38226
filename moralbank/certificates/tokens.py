"""What is inside the QR code of a certificate or a statement: 99 bytes that only this bank can make and anybody can
check. Pure.

Layout, big-endian: `0x15 | kid u8 | type u8 (1 certificate, 2 statement) | document u64 | issued u32 (unix seconds) |
expires u32 (unix days, 0 never) | SHA-256(fields)[:16] | Ed25519 64 B over all before it`, in base64url without
padding: 132 characters, so that the address fits a QR code of version 11 at level Q.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from moralbank.certificates.values import base64url

KIND = 0x15
CERTIFICATE, STATEMENT = 1, 2
TYPES = (CERTIFICATE, STATEMENT)
CHARACTERS = 132
_BODY = struct.Struct(">BBBQII16s")
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Token:
    """A code's content."""

    kid: int
    document: int
    issued_seconds: int
    digest: bytes
    type: int = CERTIFICATE


def new_seed() -> tuple[bytes, bytes]:
    """Return a fresh key: its seed and its public half."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def sign(seed: bytes, token: Token) -> str:
    """Return the token as it stands in the code."""
    body = _BODY.pack(KIND, token.kid, token.type, token.document, token.issued_seconds, 0, token.digest)
    return base64url(body + Ed25519PrivateKey.from_private_bytes(seed).sign(body))


def verify(text: str, keys: Mapping[int, bytes]) -> Token | None:
    """Return the token that one of the public keys signed, or None: not ours, altered, or spelled another way."""
    octets = _octets(text)
    if octets is None:
        return None
    body, signature = octets[: _BODY.size], octets[_BODY.size :]
    kind, kid, of_type, document, issued, _expires, digest = _BODY.unpack(body)
    public = keys.get(kid)
    if public is None or kind != KIND or of_type not in TYPES:
        return None
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, body)
    except InvalidSignature:
        return None
    return Token(kid, document, issued, digest, of_type)


def seconds_of(instant: datetime) -> int:
    return int(instant.timestamp())


def _octets(text: str) -> bytes | None:
    """Return the bytes of the one accepted spelling, or None."""
    if len(text) != CHARACTERS or not text.isascii():
        return None
    try:
        octets = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return None
    is_ours = len(octets) == _BODY.size + _SIGNATURE_BYTES and base64url(octets) == text
    return octets if is_ours else None
