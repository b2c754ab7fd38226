"""What acting for somebody means: kinds, what was agreed, and its limits. Knows no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from moralbank import clock

#: How many people one may act for as their family, beside oneself.
FAMILY_MAX = 3
#: How many helpers one person has at once.
HELPERS_MAX = 2
#: What helpers may spend for one person in a month, whatever is agreed.
POINTS_PER_MONTH_MAX = 100
#: A helper's time is agreed for so long at most, and then anew.
LONGEST = timedelta(days=366)
NOTE_MAX = 200


class Kind(StrEnum):
    """How somebody comes to act for another."""

    FAMILY = "family"
    HELPER = "helper"


class Basis(StrEnum):
    """By what the other agreed: their PIN, a one-time word from their own phone, being their guardian, or on paper."""

    PIN = "pin"
    WORD = "word"
    GUARDIAN = "guardian"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a helper may spend for one person."""

    points_per_charge_max: int
    points_per_day_max: int
    points_per_month_max: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What one may do for the other."""

    may_check_in: bool = True
    may_pay: bool = True
    may_read: bool = True

    @property
    def is_empty(self) -> bool:
        return not (self.may_check_in or self.may_pay or self.may_read)


@dataclass(frozen=True, slots=True)
class Link:
    """That one login may act for one resident."""

    link_id: int
    kind: Kind
    login_id: int
    #: Whose login it is; None: a helper who is no resident.
    actor_resident_id: int | None
    resident_id: int
    scope: Scope
    #: None for family, whose limits are the person's own.
    limits: Limits | None
    basis: Basis
    agreed_on: date
    #: Where the paper is kept, or how the person agreed.
    agreed_note: str
    #: The last day; None: until somebody ends it.
    until_on: date | None
    made_at: datetime
    made_by: str
    ended_at: datetime | None
    ended_by: str | None

    @property
    def is_over(self) -> bool:
        """Whether its last day has passed."""
        return self.until_on is not None and self.until_on < clock.today()

    @property
    def stands(self) -> bool:
        return self.ended_at is None and not self.is_over

    @property
    def actor(self) -> str:
        """How acts are cited that are done by it: "helper:12", "resident:12"."""
        return f"{'resident' if self.actor_resident_id is not None else 'helper'}:{self.login_id}"

    @property
    def about(self) -> str:
        """What deeds about it say."""
        return f"link:{self.link_id}"
