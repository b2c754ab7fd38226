"""When an offer can be had: between which days, on which weekdays, at which hours. Pure; local days and times.

Shape: weekdays is a set of bits, Monday 1 to Sunday 64; hours are minutes since midnight, the last one not included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from moralbank import clock
from moralbank.errors import MoralBankError
from moralbank.merchants.errors import OfferEnded, OfferNotYet

EVERY_DAY = 0b111_1111
MINUTES_OF_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Schedule:
    """From when until when an offer can be had; the default is always."""

    from_on: date | None = None
    #: The last day.
    until_on: date | None = None
    weekdays: int = EVERY_DAY
    opens_minutes: int = 0
    closes_minutes: int = MINUTES_OF_DAY

    @property
    def is_always(self) -> bool:
        return self == ALWAYS

    @property
    def has_days(self) -> bool:
        """Whether there is a day at all on which it can be had."""
        if self.from_on is None:
            return self.weekdays > 0
        return self.next_opening(clock.start_of(self.from_on)) is not None

    def opens_on(self, day: date) -> bool:
        """Whether it can be had at some hour of a day."""
        has_begun = self.from_on is None or self.from_on <= day
        has_ended = self.until_on is not None and day > self.until_on
        return has_begun and not has_ended and bool(self.weekdays >> day.weekday() & 1)

    def is_open(self, instant: datetime) -> bool:
        at = clock.local(instant)
        return self.opens_on(at.date()) and self.opens_minutes <= _minute_of(at) < self.closes_minutes

    @property
    def hours(self) -> Schedule:
        """Its weekdays and hours alone."""
        return replace(self, from_on=None, until_on=None)

    def next_opening(self, instant: datetime) -> datetime | None:
        """Return the instant itself while it is open, else when it opens next; None when it never does again."""
        at = clock.local(instant)
        first = at.date() if _minute_of(at) < self.closes_minutes else at.date() + timedelta(days=1)
        day = max(first, self.from_on or first)
        for later in range(7):
            on = day + timedelta(days=later)
            if self.opens_on(on):
                opening = datetime.combine(on, time(), clock.TIMEZONE) + timedelta(minutes=self.opens_minutes)
                return max(opening, at)
        return None

    def last_day(self, first: date, last: date) -> date | None:
        """Return the last day between two on which it can be had, or None."""
        day = min(last, self.until_on or last)
        for earlier in range(7):
            on = day - timedelta(days=earlier)
            if on >= first and self.opens_on(on):
                return on
        return None


ALWAYS = Schedule()


def closed(schedule: Schedule, title: str, instant: datetime) -> MoralBankError | None:
    """Return what an offer is refused for at an instant by its schedule, or None while it can be had."""
    opening = schedule.next_opening(instant)
    if opening is None:
        return OfferEnded(offer=title)
    return None if opening <= instant else OfferNotYet(offer=title, opens=f"{clock.local(opening):%Y-%m-%d %H:%M}")


def reservable(schedule: Schedule, title: str, instant: datetime, days: int) -> date:
    """Return the last day on which what is reserved now can be collected, so many days from today at most.

    Raises: OfferEnded, OfferNotYet before its first day, or when it doesn't open within these days.
    """
    today = clock.local(instant).date()
    opening = schedule.next_opening(instant)
    if opening is None:
        raise OfferEnded(offer=title)
    last = schedule.last_day(clock.local(opening).date(), today + timedelta(days=days))
    if last is None or (schedule.from_on is not None and today < schedule.from_on):
        raise OfferNotYet(offer=title, opens=f"{clock.local(opening):%Y-%m-%d %H:%M}")
    return last


def _minute_of(local: datetime) -> int:
    return local.hour * 60 + local.minute
