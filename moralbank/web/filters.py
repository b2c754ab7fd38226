"""How figures, dates and durations are written, in the reader's language and on the bank's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import groupby
from typing import Any

from flask import Flask
from jinja2 import pass_context
from jinja2.runtime import Context

from moralbank import clock
from moralbank.errors import N_
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language

MINUS = "\N{MINUS SIGN}"
_WEEKDAYS = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
#: Where only points were typed at a till.
_OWN_WORDS = {N_("积分兑换")}
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def day(value: date | datetime | None) -> str:
    """11月21日（周五） or Fri 21 Nov; with the year when it is not the present one."""
    if value is None:
        return ""
    on = _local_date(value)
    named = weekday(on.weekday())
    is_this_year = on.year == clock.today().year
    if language() == "en":
        return f"{named} {on.day} {_MONTHS[on.month - 1][:3]}" + ("" if is_this_year else f" {on.year}")
    return ("" if is_this_year else f"{on.year}年") + f"{on.month}月{on.day}日（{named}）"


def weekday(number: int) -> str:
    """周六 or Sat; Monday is 0."""
    return _WEEKDAYS[language()][number]


def time_of_day(value: datetime | None) -> str:
    """14:30."""
    return "" if value is None else f"{clock.local(value):%H:%M}"


def moment(value: datetime | None) -> str:
    """11月21日（周五）14:30 or Fri 21 Nov 14:30."""
    if value is None:
        return ""
    return day(value) + (" " if language() == "en" else "") + time_of_day(value)


def month(value: date | datetime | str) -> str:
    """2026年3月 or March 2026, of a date or of "2026-03"."""
    on = date.fromisoformat(f"{value}-01") if isinstance(value, str) else _local_date(value)
    return f"{_MONTHS[on.month - 1]} {on.year}" if language() == "en" else f"{on.year}年{on.month}月"


def figure(value: int) -> str:
    """1,234 with a real minus sign before a negative one."""
    return f"{value:,}".replace("-", MINUS)


def yuan(fen: int) -> str:
    """Hundredths of a yuan as 1,234.50, always with two places, so that amounts in a column stand in line."""
    return ("" if fen >= 0 else MINUS) + f"{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def points(value: int) -> str:
    """+25, −20, 0: points that moved."""
    return ("+" if value > 0 else "") + figure(value)


def minutes(value: int) -> str:
    """2小时30分 or 2 h 30 min. Less than an hour is 45分钟, since 45分 would read as points."""
    hours, rest = divmod(abs(value), 60)
    sign = MINUS if value < 0 else ""
    if language() == "en":
        return sign + " ".join([f"{hours:,} h"] * bool(hours) + [f"{rest} min"] * bool(rest or not hours))
    if not hours:
        return f"{sign}{rest}分钟"
    return f"{sign}{hours:,}小时" + (f"{rest}分" if rest else "")


def written(text: str) -> str:
    """Return what the bank itself writes into the books in the reader's language; people's words stay as they are."""
    return _(text) if text in _OWN_WORDS else text


def by_month(lines: Iterable[Any]) -> Iterator[tuple[date, list[Any]]]:
    """Group passbook lines, in the order given, under the first day of the month of their .day."""
    for first, rows in groupby(lines, key=lambda line: _local_date(line.day).replace(day=1)):
        yield first, list(rows)


def _local_date(value: date | datetime) -> date:
    return clock.local(value).date() if isinstance(value, datetime) else value


def _for_each_reader(write: Callable[[Any], str]) -> Callable[[Context, Any], str]:
    """Keep Jinja from working out a filter of a constant while it compiles, in one reader's language."""

    @pass_context
    def late(_context: Context, value: Any) -> str:
        return write(value)

    return late


def init_app(app: Flask) -> None:
    """Give templates the filters |day |clock |moment |month |figure |yuan |points |minutes |written |by_month."""
    readings: dict[str, Callable[[Any], str]]
    readings = {
        "day": day,
        "clock": time_of_day,
        "moment": moment,
        "month": month,
        "minutes": minutes,
        "written": written,
    }
    app.jinja_env.filters.update({name: _for_each_reader(write) for name, write in readings.items()})
    app.jinja_env.filters.update(figure=figure, yuan=yuan, points=points, by_month=by_month)
