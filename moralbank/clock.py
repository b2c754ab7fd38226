"""The only reader of time: aware UTC instants, and the bank's local calendar."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

TIMEZONE = ZoneInfo("Asia/Shanghai")

_fixed: ContextVar[datetime | None] = ContextVar("fixed_instant", default=None)


def now() -> datetime:
    """Return the present instant in UTC, to the microsecond."""
    return _fixed.get() or datetime.now(UTC)


def local(instant: datetime) -> datetime:
    """Return the instant on the bank's local clock."""
    return instant.astimezone(TIMEZONE)


def today() -> date:
    """Return the bank's local date."""
    return local(now()).date()


def start_of(day: date) -> datetime:
    """Return the instant at which a local day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=TIMEZONE).astimezone(UTC)


def end_of(day: date) -> datetime:
    """Return the first instant after a local day, in UTC."""
    return start_of(day + timedelta(days=1))


def months_after(day: date, months: int) -> date:
    """Return the same day so many months on, or the month's last where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Let everything in the block happen at one instant: a history that is posted anew, and tests."""
    if instant.tzinfo is None:
        raise ValueError("clock.at needs an aware instant")
    token = _fixed.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _fixed.reset(token)
