"""Which points expire when: a pure function of an account's lines, never stored.

Every credit opens a lot. A debit draws from the lots that expire first. The reversal of a debit gives back to the
lots it was drawn from; the reversal of a credit takes from that credit's own lot before any other. So the lots
always add up to the balance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID


class Movement(Protocol):
    """What lots need of a line."""

    @property
    def entry_id(self) -> UUID: ...
    @property
    def seq(self) -> int: ...
    @property
    def amount(self) -> int: ...
    @property
    def expires_on(self) -> date | None: ...
    @property
    def reverses(self) -> UUID | None: ...


@dataclass(slots=True)
class _Open:
    entry_id: UUID
    seq: int
    expires_on: date | None
    rest: int


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of one credit. expires_on: the first day on which it is gone; None means never."""

    entry_id: UUID
    seq: int
    expires_on: date | None
    rest: int


def lots(lines: Iterable[Movement]) -> list[Lot]:
    """Return what is left of each credit, first to expire first.

    lines: all lines of one account in one unit, in the order of posting.
    """
    walk = LotWalk()
    for line in lines:
        walk.take(line)
    return walk.left()


class LotWalk:
    """The lots of one account in one unit, line by line."""

    def __init__(self) -> None:
        self._opened: dict[UUID, _Open] = {}
        self._drawn: dict[UUID, list[tuple[_Open, int]]] = {}

    def take(self, line: Movement) -> list[date | None]:
        """Follow one line; return on which days the lots expire that a debit drew from."""
        opened, drawn = self._opened, self._drawn
        if line.amount > 0:
            given_back = _give_back(drawn.get(line.reverses, []), line.amount) if line.reverses else 0
            if line.amount > given_back:
                opened[line.entry_id] = _Open(line.entry_id, line.seq, line.expires_on, line.amount - given_back)
            return []
        own = opened.get(line.reverses) if line.reverses else None
        drawn[line.entry_id] = _draw(_in_turn(opened.values(), own), -line.amount)
        return [lot.expires_on for lot, _ in drawn[line.entry_id]]

    def left(self) -> list[Lot]:
        """Return what is left of each credit, first to expire first."""
        left = _in_turn(self._opened.values(), None)
        return [Lot(lot.entry_id, lot.seq, lot.expires_on, lot.rest) for lot in left]


def _in_turn(opened: Iterable[_Open], first: _Open | None) -> list[_Open]:
    """Return the lots that have something left: `first`, then by expiry, then by age."""
    rest = (lot for lot in opened if lot.rest)
    return sorted(rest, key=lambda lot: (lot is not first, lot.expires_on or date.max, lot.seq))


def _draw(in_turn: Sequence[_Open], amount: int) -> list[tuple[_Open, int]]:
    draws = []
    for lot in in_turn:
        taken = min(lot.rest, amount)
        if taken:
            lot.rest -= taken
            amount -= taken
            draws.append((lot, taken))
    return draws


def _give_back(draws: Sequence[tuple[_Open, int]], amount: int) -> int:
    """Give to the lots that a debit drew from, the last one drawn first; return how much found its place."""
    given = 0
    for lot, taken in reversed(draws):
        part = min(taken, amount - given)
        lot.rest += part
        given += part
    return given


def expiring(left: Iterable[Lot], until: date) -> int:
    """Return how much of the lots is gone once the day `until` has begun."""
    return sum(lot.rest for lot in left if lot.expires_on is not None and lot.expires_on <= until)
