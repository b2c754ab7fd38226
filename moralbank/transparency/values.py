"""What crosses the log's border."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Log(IntEnum):
    """The two logs of a book."""

    LEDGER = 1  # its entries, and what seals days, keys and erasures
    ACCESS = 2  # deeds: who logged in, looked, approved, exported, changed a setting


class Source(IntEnum):
    """What a leaf is a copy of."""

    ENTRY = 1
    FACT = 2


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log has come. book, log: whose; size: leaves in the tree; root: over all of them."""

    book: int
    log: Log
    size: int
    root: bytes
    frontier: bytes
    last_seq: int
    settled_seq: int
    last_fact: int
    epoch: int
    integrated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """Leaves in a row that are entries, or facts, with numbers in a row."""

    first_index: int
    source: Source
    first_number: int
    length: int

    @property
    def end_index(self) -> int:
        """The first leaf behind it."""
        return self.first_index + self.length

    @property
    def end_number(self) -> int:
        """The first number behind it."""
        return self.first_number + self.length


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head that the log signed. note: with the log's signatures and all stored cosignatures."""

    book: int
    log: Log
    size: int
    root: bytes
    note: bytes
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class LogKey:
    """A verifier key of a log, and from when until when it signs (None: it has no successor)."""

    text: str
    valid_from: datetime
    valid_until: datetime | None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Refusal:
    """A tree that the signer would not sign. what: shrunk, rewritten or unreadable."""

    refusal_id: int
    token: str
    book: int
    log: Log
    what: str
    signed_size: int
    found_size: int
    refused_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    reason: str | None
