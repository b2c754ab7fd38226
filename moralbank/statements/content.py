"""The content of an issued statement: one text that follows from the ledger alone, and its hash. Pure.

No name and no word of ours is in it, so that it is the same whoever asks, in whatever language, whenever. A line is
told by the hash of its leaf, which holds the day, the kind, the rule's version and the evidence grade, and commits to
what the line was for. docs/STATEMENT_FILE.md says its form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from moralbank import ledger
from moralbank.ledger import PeriodSection, Unit

FORMAT = "moralbank-issued-statement/1"
_UNITS = {Unit.POINTS: "points", Unit.MINUTES: "minutes"}


@dataclass(frozen=True, slots=True)
class Edges:
    """Where a unit stood before and after a period: number and balance of the last line, and how many came."""

    opening_n: int = 0
    opening: int = 0
    closing: int = 0
    lines: int = 0


class Content:
    """The content as it is written, line by line; `texts` keeps it, where somebody wants to read it."""

    def __init__(
        self,
        book: int,
        account: int,
        period: str,
        since: datetime,
        until: datetime,
        *,
        texts: list[bytes] | None = None,
    ) -> None:
        self._hash = hashlib.sha256()
        self._texts = texts
        self.edges: dict[Unit, Edges] = {}
        span = f"{ledger.instant(since)} {ledger.instant(until)}"
        self._write(f"{FORMAT}\nbook {book}\naccount {account}\nperiod {period} {span}\n")

    def take(self, section: PeriodSection) -> None:
        """Write a unit down; points come before minutes."""
        word = _UNITS[section.unit]
        self._write(f"{word} opening {section.opening} after {section.opening_n}\n")
        closing, count = section.opening, 0
        for n, amount, closing, leaf in section.lines:
            self._write(f"{n} {amount} {closing} {ledger.leaf_hash(leaf)}\n")
            count += 1
        self._write(f"{word} closing {closing} lines {count}\n")
        self.edges[section.unit] = Edges(section.opening_n, section.opening, closing, count)

    def of(self, unit: Unit) -> Edges:
        return self.edges.get(unit, Edges())

    @property
    def is_something(self) -> bool:
        """Tell whether the account had a line by the end of the period."""
        return any(edges.opening_n or edges.opening or edges.lines for edges in self.edges.values())

    def digest(self) -> bytes:
        return self._hash.digest()

    def _write(self, text: str) -> None:
        octets = text.encode()
        self._hash.update(octets)
        if self._texts is not None:
            self._texts.append(octets)


def write(content: Content, sections: Iterable[PeriodSection]) -> Content:
    """Return the content with all its sections."""
    for section in sections:
        content.take(section)
    return content
