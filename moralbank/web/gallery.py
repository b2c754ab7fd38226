"""Believable content for the page that shows every widget; used while developing, never in production."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import segno

from moralbank import clock


@dataclass(frozen=True)
class _Line:
    """One passbook line in the shape that ui.passbook reads."""

    n: int
    day: date
    what: str
    where: str
    points: int
    balance_after: int
    url: str | None = None
    reverses_n: int | None = None
    reversed_by_n: int | None = None
    reason: str | None = None


def content() -> dict[str, Any]:
    """Return everything gallery.html shows, dated around today."""
    today = clock.today()
    return {
        "today": today,
        "moment": clock.now(),
        "lines": _lines(today),
        "picture": segno.make("711234567890123456", error="q").svg_inline(border=0, omitsize=True),
        "errors": {"phone": ["手机号要 11 位数字，现在是 10 位。"], "reason": ["请写下原因，储户会看到。"]},
    }


def _lines(today: date) -> list[_Line]:
    before = today.replace(day=1) - timedelta(days=3)
    twice = "同一场登记了两次"
    return [
        _Line(128, today, "河岸清洁", "南山驿站 · 150 分钟", 25, 436, url="#n128"),
        _Line(127, today - timedelta(days=1), "换大米 5 kg", "惠民粮油店", -60, 411),
        _Line(126, today - timedelta(days=2), "冲正", "南山驿站", -20, 471, reverses_n=124, reason=twice),
        _Line(125, today - timedelta(days=4), "陪诊", "仁和社区卫生服务中心 · 3小时15分", 40, 491),
        _Line(124, before, "敬老院理发", "松鹤敬老院", 20, 451, reversed_by_n=126, reason=twice),
        _Line(123, before, "敬老院理发", "松鹤敬老院", 20, 431),
        _Line(122, before - timedelta(days=2), "理发一次", "小刘理发", -15, 411),
    ]
