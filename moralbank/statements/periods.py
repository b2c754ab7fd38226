"""The spans that statements are of: a month, a quarter, a year, on the bank's clock. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from moralbank import clock
from moralbank.statements.errors import PeriodMalformed

_NAME = re.compile(r"([1-9][0-9]{3})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?")
#: How many months a period has, by what it is called.
MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Period:
    """A month "2026-03", a quarter "2026-Q1" or a year "2026"."""

    name: str
    #: Its first day.
    first: date

    @property
    def kind(self) -> str:
        return "year" if len(self.name) == 4 else "quarter" if "Q" in self.name else "month"

    @property
    def following(self) -> date:
        """The first day after it."""
        return clock.months_after(self.first, MONTHS[self.kind])

    @property
    def last(self) -> date:
        return self.following - timedelta(days=1)

    @property
    def since(self) -> datetime:
        return clock.start_of(self.first)

    @property
    def until(self) -> datetime:
        return clock.start_of(self.following)


def read_period(text: str) -> Period:
    """Return the period of a name. Raises: PeriodMalformed."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise PeriodMalformed()
    year, month, quarter = int(found[1]), found[2], found[3]
    first_month = int(month) if month else 3 * int(quarter) - 2 if quarter else 1
    return Period(text, date(year, first_month, 1))


def month_period(month: date) -> Period:
    """Return the period of a month that is given by its first day."""
    return Period(f"{month:%Y-%m}", month)


def periods_ended(first_day: date, last_day: date) -> Iterator[Period]:
    """Yield every period with a day from `first_day` on that has ended by `last_day`, in the order of their ends.

    Of those that end on the same day the shorter one comes first.
    """
    month = first_day.replace(day=1)
    while (found := month_period(month)).last <= last_day:
        yield found
        if month.month % 3 == 0:
            yield Period(f"{month.year:04}-Q{month.month // 3}", month.replace(month=month.month - 2))
        if month.month == 12:
            yield Period(f"{month.year:04}", month.replace(month=1))
        month = found.following
