"""A closed day in figures: how it is written into the log, and what the sheet says of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from moralbank.ledger import KindTotals

#: What of the kinds of entries a sheet adds up under one name; the rest moves points between people and pools.
ISSUED = ("award", "deposit", "opening")
SPENT = ("redemption", "hold")
GIVEN_BACK = ("undo", "refund", "release")


@dataclass(frozen=True, slots=True)
class Day:
    """What a closed day came to. Outstanding: what all who save points held when it ended."""

    day: date
    kinds: tuple[KindTotals, ...]
    outstanding_points: int
    outstanding_minutes: int

    @property
    def entries(self) -> int:
        return sum(kind.entries for kind in self.kinds)

    @property
    def issued_points(self) -> int:
        return sum(kind.points_in for kind in self._of(*ISSUED))

    @property
    def redeemed_points(self) -> int:
        """What went to merchants or was reserved with them, less what came back on the same day."""
        given_back = sum(kind.points_in for kind in self._of(*GIVEN_BACK))
        return sum(kind.points_out for kind in self._of(*SPENT)) - given_back

    @property
    def expired_points(self) -> int:
        return sum(kind.points_out for kind in self._of("expiry"))

    @property
    def reversed_points(self) -> int:
        """How far corrections of earlier entries lowered what people hold; negative when they raised it."""
        return sum(kind.points_out - kind.points_in for kind in self._of("reversal"))

    @property
    def served_minutes(self) -> int:
        return sum(kind.minutes_in - kind.minutes_out for kind in self.kinds)

    def _of(self, *kinds: str) -> Iterable[KindTotals]:
        return (one for one in self.kinds if one.kind in kinds)

    def fields(self) -> dict[str, object]:
        """Return the day as the fields of its leaf.

        Shape: {day: "2026-03-31", kinds: {award: {n, pi, po, mi, mo}, …}, points, minutes}; n entries, p points and m
        minutes, i in and o out; points and minutes are outstanding.
        """
        kinds = {
            kind.kind: {
                "n": kind.entries,
                "pi": kind.points_in,
                "po": kind.points_out,
                "mi": kind.minutes_in,
                "mo": kind.minutes_out,
            }
            for kind in self.kinds
        }
        return {
            "day": self.day.isoformat(),
            "kinds": kinds,
            "points": self.outstanding_points,
            "minutes": self.outstanding_minutes,
        }


def read_day(leaf: bytes) -> Day:
    """Return the day that a `snap` leaf seals."""
    fields: Mapping[str, Any] = json.loads(leaf)
    kinds = tuple(
        KindTotals(kind, each["n"], each["pi"], each["po"], each["mi"], each["mo"])
        for kind, each in sorted(fields["kinds"].items())
    )
    return Day(date.fromisoformat(fields["day"]), kinds, fields["points"], fields["minutes"])


def following(day: date, totals: Iterable[KindTotals], before: Day | None) -> Day:
    """Return a day that follows on another, or the first of a book."""
    kinds = tuple(totals)
    points = sum(kind.points_in - kind.points_out for kind in kinds)
    minutes = sum(kind.minutes_in - kind.minutes_out for kind in kinds)
    if before is not None:
        points += before.outstanding_points
        minutes += before.outstanding_minutes
    return Day(day, kinds, points, minutes)
