"""Charts as plain SVG, made here: bars month by month. Colours are the stylesheet's, so they follow light and dark."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT, BASE, TOP = 720, 240, 200, 24
_MARKS = 4
#: A bar is never wider: one month alone is no wall.
_BAR_MAX = 48


def bars(labels: Sequence[str], values: Sequence[int | None], title: str, said: str) -> Markup:
    """Return a chart with one bar a month; a month that is not told has a mark and no bar.

    title, said: what it shows and what it comes to, for who can't see it.
    """
    most = _ceiling(max((value for value in values if value is not None), default=0))
    step = (WIDTH - 70) / max(len(values), 1)
    parts = [
        Markup('<svg class="chart" role="img" viewBox="0 0 {} {}" xmlns="http://www.w3.org/2000/svg">').format(
            WIDTH, HEIGHT
        ),
        Markup("<title>{}</title><desc>{}</desc>").format(title, said),
    ]
    for mark in range(_MARKS + 1):
        y = BASE - (BASE - TOP) * mark / _MARKS
        figure = f"{most * mark // _MARKS:,}"
        parts.append(
            Markup('<line class="chart-rule" x1="62" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(WIDTH, y, y)
            + Markup('<text class="chart-text" x="56" y="{:.1f}" text-anchor="end">{}</text>').format(y + 4, figure)
        )
    every = -(-len(labels) // 12) or 1
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        x = 66 + place * step
        middle = x + step / 2
        if value is None:
            parts.append(
                Markup('<text class="chart-text" x="{:.1f}" y="{}" text-anchor="middle">–</text>').format(
                    middle, BASE - 6
                )
            )
        else:
            height, width = (BASE - TOP) * max(value, 0) / most, min(step * 0.7, _BAR_MAX)
            parts.append(
                Markup('<rect class="chart-bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    middle - width / 2, BASE - height, width, height
                )
            )
        if place % every == 0:
            parts.append(
                Markup('<text class="chart-text" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    middle, BASE + 20, escape(label)
                )
            )
    return Markup("").join(parts) + Markup("</svg>")


def _ceiling(most: int) -> int:
    """Return the next figure that divides into four whole marks."""
    size = 4
    while size < most:
        size *= 10
    for part in (size // 10, size // 5, size // 2):
        if part >= max(most, 1) and part % _MARKS == 0:
            return part
    return size
