"""Puts into words when an offer can be had, in the reader's language."""

from __future__ import annotations

from datetime import datetime, timedelta

from moralbank import clock
from moralbank.merchants.schedules import EVERY_DAY, MINUTES_OF_DAY, Schedule
from moralbank.merchants.schemas import time_text
from moralbank.web.filters import day, weekday
from moralbank.web.i18n import gettext as _

_WORKDAYS, _DAYS = 0b001_1111, 7


def schedule_words(schedule: Schedule) -> str:
    """Return "周六、周日 09:00–12:00，12月1日（周二）起", or nothing for what can be had always."""
    days = weekday_words(schedule.weekdays) if schedule.weekdays != EVERY_DAY else ""
    hours = hour_words(schedule)
    return _("，").join(part for part in (" ".join(filter(None, (days, hours))), _span_words(schedule)) if part)


def hour_words(schedule: Schedule) -> str:
    if (schedule.opens_minutes, schedule.closes_minutes) == (0, MINUTES_OF_DAY):
        return ""
    return f"{time_text(schedule.opens_minutes)}–{time_text(schedule.closes_minutes)}"


def weekday_words(weekdays: int) -> str:
    if weekdays == EVERY_DAY:
        return _("每天")
    if weekdays == _WORKDAYS:
        return _("%(first)s到%(last)s", first=weekday(0), last=weekday(4))
    return _("、").join(weekday(one) for one in range(_DAYS) if weekdays >> one & 1)


def _span_words(schedule: Schedule) -> str:
    if schedule.from_on and schedule.until_on:
        return _("%(first)s到%(last)s", first=day(schedule.from_on), last=day(schedule.until_on))
    if schedule.from_on:
        return _("%(day)s起", day=day(schedule.from_on))
    return _("到%(day)s为止", day=day(schedule.until_on)) if schedule.until_on else ""


def opening_words(opens_at: datetime | None) -> str:
    """Say from when an offer can be had that can't be now: "周六 09:00 起可以换"; None: it is over."""
    if opens_at is None:
        return _("已结束")
    at = clock.local(opens_at)
    ahead = at.date() - clock.today()
    hour = f"{at:%H:%M}" if at.hour or at.minute else ""
    if not ahead:
        return _("今天 %(time)s 起可以换", time=hour or "00:00")
    on = weekday(at.weekday()) if ahead < timedelta(days=_DAYS) else day(at)
    return _("%(day)s %(time)s 起可以换", day=on, time=hour) if hour else _("%(day)s起可以换", day=on)
