"""The ledger's words as immutable values. Amounts are whole numbers of points or of minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from uuid import UUID

#: The largest whole number that every JSON reader keeps exactly; no amount and no balance goes beyond it.
MAX_AMOUNT = 2**53 - 1
MAX_KEY_CHARACTERS = 128
MAX_LEGS = 64
#: A leaf is read whole by every verifier, so it stays small (docs/LEDGER.md).
MAX_LEAF_BYTES = 4096
#: A balance's next expiry when nothing on it expires, and when nobody has looked at its lots yet.
NEVER = date(9999, 1, 1)
UNLOOKED = date(1, 1, 1)


class Unit(IntEnum):
    """What an amount counts. An account keeps a balance and a line numbering of its own in each."""

    POINTS = 1
    MINUTES = 2


class AccountKind(StrEnum):
    RESIDENT = "resident"
    HOUSEHOLD = "household"
    TEAM = "team"
    POOL = "pool"
    ISSUER = "issuer"
    REGISTRY = "registry"
    OPENING = "opening"
    MERCHANT = "merchant"
    SETTLED = "settled"
    EXPIRED = "expired"
    CLEARING = "clearing"
    #: What is reserved and neither collected nor released; opened when something is held for the first time.
    HOLD = "hold"

    @property
    def is_guarded(self) -> bool:
        """Guarded accounts never go below zero and number their lines; summed ones are only added up."""
        return self in GUARDED


GUARDED = frozenset({AccountKind.RESIDENT, AccountKind.HOUSEHOLD, AccountKind.TEAM, AccountKind.POOL})

#: One of each in every book, opened with it.
INTERNAL = (
    AccountKind.ISSUER,
    AccountKind.REGISTRY,
    AccountKind.OPENING,
    AccountKind.EXPIRED,
    AccountKind.SETTLED,
    AccountKind.CLEARING,
    AccountKind.POOL,
)

KINDS = frozenset(
    {
        "award", "opening", "deposit", "redemption", "undo", "refund", "reversal", "expiry", "gift", "donation",
        "help", "settlement", "recirculation", "payout", "adjustment", "move", "offset", "hold", "release",
    }
)  # fmt: skip
#: What one person alone may not do: the entry names a second one, who checked it.
TWO_PEOPLE = frozenset({"reversal", "adjustment", "offset"})
GRADES = frozenset("ABCD")


@dataclass(frozen=True, slots=True)
class Book:
    book_id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Account:
    book: int
    account: int
    kind: AccountKind


@dataclass(frozen=True, slots=True)
class Leg:
    """What one account gives (negative) or gets (positive). expires_on: the first day on which a credit is gone."""

    account: int
    unit: Unit
    amount: int
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is asked for.

    key: the caller's idempotency key, in the scope of (book, actor).
    actor: who acts, as "role:login", never a name.
    source: what the entry is for, as (kind, id); one entry of a kind per source.
    private: memo, place or evidence; the leaf holds only a commitment to it.
    checker: the second person, as "role:login" like the actor and never the same login.
    """

    book: int
    kind: str
    legs: tuple[Leg, ...]
    key: str
    actor: str
    branch: int | None = None
    source: tuple[str, str] | None = None
    rule: tuple[str, int] | None = None
    grade: str | None = None
    occurred_on: date | None = None
    reverses: UUID | None = None
    private: Mapping[str, str] = field(default_factory=dict)
    entry_id: UUID | None = None
    checker: str | None = None


@dataclass(frozen=True, slots=True)
class PostedLeg:
    """A leg as it stands in the book; n and balance_after are None on summed accounts."""

    account: int
    unit: Unit
    amount: int
    n: int | None
    balance_after: int | None
    expires_on: date | None


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to a draft: the entry that stands in the book, now (or, if replayed, since the first time)."""

    entry_id: UUID
    seq: int
    posted_at: datetime
    legs: tuple[PostedLeg, ...]
    leaf_hash: str
    replayed: bool = False

    def leg(self, account: int, unit: Unit) -> PostedLeg:
        """Return the leg on one account in one unit; KeyError when the entry has none there."""
        for leg in self.legs:
            if leg.account == account and leg.unit == unit:
                return leg
        raise KeyError((account, unit))


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance at an instant; n counts the account's lines in the unit until then (0 on summed accounts)."""

    balance: int
    n: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One posting as its account's owner reads it."""

    entry_id: UUID
    seq: int
    account: int
    unit: Unit
    n: int | None
    amount: int
    balance_after: int | None
    expires_on: date | None
    kind: str
    posted_at: datetime
    occurred_on: date
    actor: str
    branch: int | None
    source: tuple[str, str] | None
    rule: tuple[str, int] | None
    grade: str | None
    reverses: UUID | None
    reversed_by: UUID | None
    private: Mapping[str, str]
    checker: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole entry with its legs."""

    book: int
    entry_id: UUID
    seq: int
    kind: str
    actor: str
    branch: int | None
    source: tuple[str, str] | None
    rule: tuple[str, int] | None
    grade: str | None
    occurred_on: date
    posted_at: datetime
    reverses: UUID | None
    reversed_by: UUID | None
    leaf_bytes: bytes
    legs: tuple[PostedLeg, ...]
    private: Mapping[str, str]
    checker: str | None = None


def login_of(actor: str) -> str:
    """Return whose login an actor "role:login" is, whatever role it acted in."""
    return actor.rpartition(":")[2]
