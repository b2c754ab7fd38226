"""The desk's phones: each makes a key that never leaves it, and signs what it sends with that."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities.errors import BadDeviceKey, BadSignature, UnknownDevice
from moralbank.activities.models import devices
from moralbank.db import insert_for

LIST_MAX = 200
_POINT_BYTES, _SIGNATURE_BYTES = 65, 64
_D = devices.c


@dataclass(frozen=True, slots=True)
class Device:
    """A phone that may send in what it kept."""

    device_id: int
    public_key: bytes
    name: str
    branch_id: int
    registered_at: datetime
    registered_by: str
    revoked_at: datetime | None


_DEVICE = tuple(_D[name] for name in Device.__dataclass_fields__)


def register(db: Connection, key_text: str, *, name: str, branch_id: int, actor: str) -> Device:
    """Write a phone down by its public key; the same key again is the same phone. Raises: BadDeviceKey."""
    key = _octets(key_text, _POINT_BYTES)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key or b"")
    except ValueError:
        raise BadDeviceKey() from None
    row = {"public_key": key, "name": name[:200], "branch_id": branch_id, "registered_at": clock.now()}
    insert = insert_for(db, devices).values(row | {"registered_by": actor})
    db.execute(insert.on_conflict_do_nothing(index_elements=["public_key"]))
    return Device(*db.execute(sa.select(*_DEVICE).where(_D.public_key == key)).one())


def get_device(db: Connection, device_id: int) -> Device:
    """Return the phone, revoked or not. Raises: UnknownDevice."""
    row = db.execute(sa.select(*_DEVICE).where(_D.device_id == device_id)).first()
    if row is None:
        raise UnknownDevice()
    return Device(*row)


def list_devices(db: Connection, branch_ids: Collection[int], *, before_id: int | None = None) -> list[Device]:
    """List the phones of branches, the newest first."""
    query = sa.select(*_DEVICE).where(_D.branch_id.in_(branch_ids))
    if before_id is not None:
        query = query.where(_D.device_id < before_id)
    return [Device(*row) for row in db.execute(query.order_by(_D.device_id.desc()).limit(LIST_MAX))]


def revoke(db: Connection, device_id: int, *, actor: str) -> Device:
    """Trust a phone no more: what it sends from now on waits for staff. Twice is once. Raises: UnknownDevice."""
    device = get_device(db, device_id)
    standing = (_D.device_id == device_id) & _D.revoked_at.is_(None)
    db.execute(devices.update().where(standing).values(revoked_at=clock.now(), revoked_by=actor))
    return device


def check_signature(device: Device, octets: bytes, signature_text: str) -> None:
    """Refuse octets that the phone did not sign.

    Shape: base64url without padding of r and s, 32 octets each, as WebCrypto gives it for ECDSA with SHA-256.
    Raises: BadSignature.
    """
    signature = _octets(signature_text, _SIGNATURE_BYTES)
    if signature is None:
        raise BadSignature()
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), device.public_key)
    try:
        key.verify(encode_dss_signature(r, s), octets, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise BadSignature() from None


def _octets(text: str, length: int) -> bytes | None:
    """Return the octets that base64url without padding spells, or None when it does not, or not so many."""
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if len(octets) == length else None
