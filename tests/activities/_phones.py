"""Phones that keep scans as static/offline.js does: a key of their own, a chain, a clock that may be wrong."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from moralbank import clock


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def spell(instant: datetime) -> str:
    """Return an instant as a browser's toISOString spells it."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


@dataclass
class Phone:
    """A phone in the hand of whoever is signed in at `client`, whose forms carry a token."""

    client: Any
    session_id: int
    #: By how much its clock is behind.
    behind: timedelta = timedelta()
    queue: list[dict[str, Any]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    device_id: int = 0
    seq: int = 0
    last: str = "0" * 64

    def register(self) -> TestResponse:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        body = json.dumps({"key": base64url(point), "session_id": self.session_id})
        answer = self.post("/staff/devices/register", body)
        self.device_id = answer.json["device_id"] if answer.status_code == 200 else 0
        return answer

    def scan(self, code: str, at: datetime, direction: str = "") -> str:
        """Keep a scan; return its nonce."""
        self.seq += 1
        scan = {
            "nonce": str(uuid4()), "session_id": self.session_id, "code": code, "direction": direction,
            "device_time": spell(at - self.behind), "seq": self.seq, "prev_hash": self.last,
        }  # fmt: skip
        self.last = hashlib.sha256("|".join(str(value) for value in scan.values()).encode()).hexdigest()
        self.queue.append(scan)
        return str(scan["nonce"])

    def send(self, *, is_answer_lost: bool = False, most: int = 100) -> list[dict[str, Any]]:
        """Send what waits, in batches; what is answered leaves the phone."""
        told: list[dict[str, Any]] = []
        for first in range(0, len(self.queue), most):
            answer = self.send_batch(self.queue[first : first + most])
            assert answer.status_code == 200, answer.text
            told += answer.json["items"]
        if is_answer_lost:
            return []
        answered = {item["nonce"] for item in told if item["state"] != "kept"}
        self.queue = [scan for scan in self.queue if scan["nonce"] not in answered]
        return told

    def send_batch(self, scans: list[dict[str, Any]], signed: bytes | None = None) -> TestResponse:
        body = json.dumps(
            {"device_id": self.device_id, "sent_at": spell(clock.now() - self.behind), "scans": scans}
        ).encode()
        der = self.key.sign(body if signed is None else signed, ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(der)
        signature = base64url(r.to_bytes(32) + s.to_bytes(32))
        return self.post("/staff/scans", body, {"X-Device-Signature": signature})

    def post(self, path: str, body: str | bytes, headers: dict[str, str] | None = None) -> TestResponse:
        given = {"X-CSRFToken": self.client.token(), "Sec-Fetch-Mode": "cors", **(headers or {})}
        return FlaskClient.post(self.client, path, data=body, headers=given, content_type="application/json")
