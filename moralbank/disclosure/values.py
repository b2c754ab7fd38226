"""A public notice in figures: how it is spelled and hashed, which periods there are. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from moralbank import clock

FORMAT = "moralbank-notice-1"
#: From how many points to how many; the last has no end. Bands, so that no figure is somebody's.
BANDS = (1, 50, 100, 200, 300)


class Kind(StrEnum):
    """Totals are told every month; who agreed to be named is told every quarter."""

    TOTALS = "totals"
    LIST = "list"


class State(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    #: Its time is over, and every objection was answered.
    CLOSED = "closed"
    #: Taken down before its time.
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Period:
    """From one day to another, both in it."""

    since_on: date
    until_on: date

    @classmethod
    def month(cls, first: date) -> Period:
        return cls(first, clock.months_after(first, 1) - timedelta(days=1))

    @classmethod
    def quarter(cls, first: date) -> Period:
        return cls(first, clock.months_after(first, 3) - timedelta(days=1))


def period_of(kind: Kind, day: date) -> Period:
    """Return the month or quarter that a day lies in."""
    month = day.replace(day=1)
    if kind is Kind.TOTALS:
        return Period.month(month)
    return Period.quarter(month.replace(month=(month.month - 1) // 3 * 3 + 1))


def period_before(kind: Kind, day: date) -> Period:
    """Return the last month or quarter that was over on a day."""
    return period_of(kind, period_of(kind, day).since_on - timedelta(days=1))


def band_of(points: int) -> tuple[int, int | None]:
    """Return from how many to how many points somebody's are told."""
    at = max(place for place, least in enumerate(BANDS) if points >= least)
    return BANDS[at], BANDS[at + 1] - 1 if at + 1 < len(BANDS) else None


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody who agreed to be named. shown is canonical JSON of name, grid and band; blank once it was taken back."""

    number: int
    resident_id: int
    shown: str
    salt: bytes

    @property
    def row_hash(self) -> bytes:
        return hash_row(self.salt, self.shown)

    @property
    def told(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.shown)
        return found


def hash_row(salt: bytes, shown: str) -> bytes:
    """Return the hash by which a notice holds a row: with a salt, so that a row that was erased can't be guessed."""
    return hashlib.sha256(salt + shown.encode()).digest()


def spell(content: Mapping[str, Any]) -> str:
    """Return a notice as the bytes that are stored and hashed: canonical JSON."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def hash_of(spelled: str) -> bytes:
    return hashlib.sha256(spelled.encode()).digest()


def with_rows(content: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Return the content with the hashes of its rows in their order."""
    return {**content, "named": [row.row_hash.hex() for row in rows]}
