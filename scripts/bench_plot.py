"""Draws cost against rows as an SVG by hand: one panel an engine, both axes logarithmic, flat lines being the aim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

#: (rows, milliseconds) of a verb.
Curve = Sequence[tuple[int, float]]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _LEGEND = 420, 300, 60, 40, 44, 190
_COLOURS = ("#b3261e", "#1f4e79", "#2e7d32", "#8a5a00", "#6a1b9a", "#00695c", "#455a64")
_STYLE = "font:12px system-ui,sans-serif;fill:#222"


def draw(path: Path, panels: Mapping[str, Mapping[str, Curve]]) -> None:
    """Write the plot of each engine's verbs to `path`."""
    width = _LEGEND + len(panels) * (_LEFT + _WIDTH)
    height = _TOP + _HEIGHT + _BOTTOM
    curves = [curve for verbs in panels.values() for curve in verbs.values()]
    costs = [cost for curve in curves for _, cost in curve]
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    sizes = sorted({rows for curve in curves for rows, _ in curve})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" style="{_STYLE}">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for place, (engine, verbs) in enumerate(panels.items()):
        panel = _Panel(_LEFT + place * (_LEFT + _WIDTH), sizes, low, high)
        parts += panel.frame(f"{engine}: cost of one act against the entries in the book")
        for colour, curve in zip(_COLOURS, verbs.values(), strict=False):
            parts += panel.curve(curve, colour)
    names = next(iter(panels.values()), {})
    for line, (colour, name) in enumerate(zip(_COLOURS, names, strict=False)):
        x, y = width - _LEGEND + 16, _TOP + 16 + 20 * line
        parts.append(f'<path d="M{x} {y}h20" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 26}" y="{y + 4}">{escape(name)}</text>')
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


class _Panel:
    """The frame of one engine, and where a point stands in it."""

    def __init__(self, left: int, sizes: Sequence[int], low: int, high: int) -> None:
        self._left, self._sizes, self._low, self._high = left, sizes, low, high

    def _x(self, rows: int) -> float:
        first, last = math.log10(self._sizes[0]), math.log10(self._sizes[-1])
        return self._left + 20 + (_WIDTH - 40) * (math.log10(rows) - first) / ((last - first) or 1)

    def _y(self, cost: float) -> float:
        return _TOP + _HEIGHT * (self._high - math.log10(cost)) / ((self._high - self._low) or 1)

    def frame(self, title: str) -> list[str]:
        parts = [f'<text x="{self._left}" y="{_TOP - 14}" font-weight="600">{escape(title)}</text>']
        for power in range(self._low, self._high + 1):
            y = self._y(10.0**power)
            parts.append(f'<path d="M{self._left} {y:.1f}h{_WIDTH}" stroke="#ddd"/>')
            parts.append(f'<text x="{self._left - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
        for rows in self._sizes:
            x = self._x(rows)
            parts.append(f'<path d="M{x:.1f} {_TOP}v{_HEIGHT}" stroke="#eee"/>')
            parts.append(f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 20}" text-anchor="middle">{rows:,}</text>')
        return parts

    def curve(self, curve: Curve, colour: str) -> list[str]:
        points = [(self._x(rows), self._y(cost)) for rows, cost in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        return [f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]
