"""Who charges what where, and what authorises it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from moralbank.redemptions.numbers import Means


@dataclass(frozen=True, slots=True)
class Till:
    """Who charges, where: an operator's login at a device of a merchant."""

    merchant_id: int
    operator_id: int
    terminal: str
    #: None: the operator is no resident as far as the bank knows.
    operator_resident_id: int | None = None

    @property
    def actor(self) -> str:
        return f"operator:{self.operator_id}"


@dataclass(frozen=True, slots=True)
class Payer:
    """Who agreed on their own phone; one code_hash, one charge.

    asked: the fingerprint that the till's key came with.
    """

    resident_id: int
    code_hash: bytes
    asked: bytes


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be charged and what authorises it.

    offer_id: None means that the points were typed; then points is a number above zero.
    proven_login_id: by card only, the login whose PIN was right just now.
    is_confirmed: the operator was asked about a repetition and wants it.
    """

    offer_id: int | None
    points: int | None
    means: Means
    number: str
    proven_login_id: int | None = None
    is_confirmed: bool = False
    #: None: the number is what authorises it.
    payer: Payer | None = None

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what is asked. The PIN is no part of it: six digits would be read back from a hash."""
        if self.payer is not None:
            return self.payer.asked
        asked = [self.offer_id, self.points, self.means, self.number, self.is_confirmed]
        return hashlib.sha256(json.dumps(asked).encode()).digest()


@dataclass(frozen=True, slots=True)
class Ask:
    """One try at a charge: the same key is the same charge, however often it comes."""

    till: Till
    order: Order
    key: str

    @property
    def name(self) -> tuple[int, int, str]:
        """Whose key this is."""
        return self.till.merchant_id, self.till.operator_id, self.key
