"""The bench's one table: what is measured, how rounds alternate, and how a row is printed. Measures nothing itself."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

Figures = dict[str, float]

HEAD = (
    "| path | engine | floor | ours | ratio: median (min–max) | floor wanted | goal | reached |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is run once a round and yields the named figures."""

    gives: tuple[str, ...]
    run: Callable[[], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: one figure beside the one that it is held against.

    floor: None where a plain number is wanted (bytes, milliseconds) and not a ratio.
    wanted, goal: None where nothing is asked; `at_most` turns both round.
    """

    path: str
    ours: str
    floor: str | None
    wanted: float | None = None
    goal: float | None = None
    unit: str = "/s"
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """Rows whose figures are taken in the same rounds on the same engine.

    open: makes what the measures run on, and takes it away when the rounds are over.
    """

    name: str
    engine: str
    rows: tuple[Row, ...]
    open: Callable[[], AbstractContextManager[Sequence[Measure]]]
    #: A round before the first, that isn't counted: caches fill and statements are prepared.
    warms_up: bool = True
    #: Fewer rounds than asked for, where one takes minutes.
    rounds_max: int = 1_000


@dataclass(slots=True)
class Table:
    """Runs the families' rounds and prints their rows as they come."""

    rounds: int
    only: str = ""
    #: Without, caches fill in the first round that counts: for a run that is only to show that all runs.
    warms_up: bool = True
    lines: list[str] = field(default_factory=list)

    def wants(self, *names: str) -> bool:
        """Tell whether any of the names holds the text that was asked for."""
        return any(self.only.lower() in name.lower() for name in names)

    def run(self, family: Family) -> list[Figures]:
        """Measure what the wanted rows need, floor and ours in turn, print the rows and return all figures."""
        rows = [row for row in family.rows if self.wants(family.name, f"{row.path}, {family.engine}")]
        if not rows:
            return []
        needed = {name for row in rows for name in (row.ours, row.floor)}
        with family.open() as measures:
            chosen = [measure for measure in measures if needed & set(measure.gives)]
            if self.warms_up and family.warms_up:
                _round(chosen)
            rounds = [_round(chosen) for _ in range(min(self.rounds, family.rounds_max))]
        for row in rows:
            self.say(line(row, family.engine, rounds))
        return rounds

    def say(self, text: str) -> None:
        if not self.lines:
            print(HEAD)
        self.lines.append(text)
        print(text, flush=True)


def _round(measures: Iterable[Measure]) -> Figures:
    figures: Figures = {}
    for measure in measures:
        figures |= dict(zip(measure.gives, measure.run(), strict=True))
    return figures


def line(row: Row, engine: str, rounds: Sequence[Figures]) -> str:
    """Return a row of the table from the figures of all rounds."""
    ours = [figures[row.ours] for figures in rounds]
    held = ours if row.floor is None else [figures[row.ours] / figures[row.floor] for figures in rounds]
    cells = [
        row.path,
        engine,
        "–" if row.floor is None else _number(statistics.median(figures[row.floor] for figures in rounds), row.unit),
        _number(statistics.median(ours), row.unit),
        _spread(held, row),
        _asked(row, row.wanted),
        _asked(row, row.goal),
        _reached(row, statistics.median(held)),
    ]
    return f"| {' | '.join(cells)} |"


def _spread(held: Sequence[float], row: Row) -> str:
    if row.floor is None:
        return f"{_number(min(held), row.unit)}–{_number(max(held), row.unit)}" if len(held) > 1 else "–"
    return f"{statistics.median(held):.2f} ({min(held):.2f}–{max(held):.2f})"


def _asked(row: Row, number: float | None) -> str:
    if number is None:
        return "–"
    sign = "≤" if row.at_most else "≥"
    return f"{sign} {number:g}" if row.floor is not None else f"{sign} {_number(number, row.unit)}"


def _reached(row: Row, median: float) -> str:
    def holds(number: float | None) -> bool:
        return number is not None and (median <= number if row.at_most else median >= number)

    if holds(row.goal):
        return "goal"
    if holds(row.wanted):
        return "floor"
    return "–" if row.goal is None and row.wanted is None else "no"


def _number(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".replace(" /s", "/s")
