"""The values of earning: a rule, what somebody did, what they had before, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum

from moralbank.earning.errors import BadCap, BadStep, ClaimNotWhole, NegativePoints
from moralbank.errors import N_


class Basis(StrEnum):
    """What one helping of a rule's points is given for."""

    PER_HOUR = "per_hour"
    PER_SESSION = "per_session"
    PER_TIME = "per_time"
    PER_DAY_HOUSEHOLD = "per_day_household"
    PER_KG = "per_kg"
    ONCE = "once"


class CapBasis(StrEnum):
    """What a rule's own cap counts. None on a rule means it has no cap of its own."""

    MINUTES_PER_DAY = "minutes_per_day"
    TIMES_PER_DAY = "times_per_day"
    TIMES_PER_MONTH = "times_per_month"
    TIMES_EVER = "times_ever"
    POINTS_PER_WEEK_HOUSEHOLD = "points_per_week_household"


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of one earning rule; what is written down never changes, a change is a new version.

    Raises (in the order checked): NegativePoints, BadStep, BadCap.
    """

    code: str
    category_zh: str
    category_en: str
    basis: Basis
    points: int
    #: Only for `per_hour`: time is counted in whole steps of so many minutes, rounded down.
    step_minutes: int | None
    cap_value: int | None
    cap_basis: CapBasis | None
    counts_as_service: bool
    #: What proof the rule asks for, as the table writes it ("A|B", "A+beneficiary", "scale_ticket").
    evidence: str
    version: int
    effective_from: date

    def __post_init__(self) -> None:
        if self.points < 0:
            raise NegativePoints(rule=self.code)
        by_time = self.basis is Basis.PER_HOUR
        if by_time != (self.step_minutes is not None):
            raise BadStep(rule=self.code)
        if self.step_minutes is not None and not 1 <= self.step_minutes <= 60:
            raise BadStep(rule=self.code)
        if (self.cap_value is None) != (self.cap_basis is None):
            raise BadCap(rule=self.code)
        if self.cap_value is not None and self.cap_value < 1:
            raise BadCap(rule=self.code)
        counts_minutes = self.cap_basis is CapBasis.MINUTES_PER_DAY
        counts_points = self.cap_basis is CapBasis.POINTS_PER_WEEK_HOUSEHOLD
        if self.cap_basis is not None and not counts_points and counts_minutes != by_time:
            raise BadCap(rule=self.code)

    @property
    def uses_minutes(self) -> bool:
        """Whether time under this rule takes from the day's minutes."""
        return self.basis is Basis.PER_HOUR or self.counts_as_service


class _Whole:
    """Refuses fields that are not whole numbers from zero up. (True is not a number of anything.)"""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # every heir is a dataclass
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            if type(value) is not int or value < 0:
                raise ClaimNotWhole(field=field.name, value=value)


@dataclass(frozen=True, slots=True)
class Claim(_Whole):
    """What was done, before any cap. Raises ClaimNotWhole."""

    minutes: int = 0
    times: int = 1
    kg: int = 0
    #: None means nothing was planned, so presence can't be too short.
    planned_minutes: int | None = None
    #: How many different days the claim covers; a week's roll-up of sorting covers seven.
    days: int = 1


@dataclass(frozen=True, slots=True)
class Totals(_Whole):
    """What was credited before this claim, reversals taken off.

    "This rule" means all versions of the rule. For `per_day_household` the times are those of the household.
    """

    rule_minutes_in_day: int = 0
    minutes_in_day: int = 0
    rule_times_in_day: int = 0
    rule_times_in_month: int = 0
    rule_times_ever: int = 0
    rule_points_in_week_of_household: int = 0
    points_in_month: int = 0
    points_in_year: int = 0
    balance_points: int = 0


@dataclass(frozen=True, slots=True)
class Limits(_Whole):
    """The caps that hold over all rules together."""

    minutes_per_day: int = 480
    points_per_month: int = 400
    points_per_year: int = 3_000
    balance_points: int = 15_000
    #: Presence below this share of the planned time is not awarded but looked at.
    presence_percent: int = 60


class Cap(StrEnum):
    """The caps an outcome names, in the order they are applied."""

    RULE_MINUTES_PER_DAY = "rule_minutes_per_day"
    MINUTES_PER_DAY = "minutes_per_day"
    ONCE_PER_HOUSEHOLD_DAY = "once_per_household_day"
    TIMES_PER_DAY = "times_per_day"
    TIMES_PER_MONTH = "times_per_month"
    TIMES_EVER = "times_ever"
    POINTS_PER_WEEK_HOUSEHOLD = "points_per_week_household"
    POINTS_PER_MONTH = "points_per_month"
    POINTS_PER_YEAR = "points_per_year"
    BALANCE = "balance"


class Reason(StrEnum):
    """Why an outcome is what it is."""

    AWARDED = "awarded"
    CAPPED = "capped"
    UNDER_A_STEP = "under_a_step"
    UNDER_PLANNED = "under_planned"
    NOTHING_DONE = "nothing_done"


#: One sentence per reason, for the page that shows the outcome.
REASON_SENTENCES: dict[Reason, str] = {
    Reason.AWARDED: N_("已按规则计分。"),
    Reason.CAPPED: N_("已到规则的上限，超出的部分不计分。"),
    Reason.UNDER_A_STEP: N_("时间不足一个计分单位，这次没有积分。"),
    Reason.UNDER_PLANNED: N_("在场时间不到计划的六成，先不计分，由工作人员核对。"),
    Reason.NOTHING_DONE: N_("没有可以计分的内容。"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a claim comes to: points and minutes to post, and what the totals of the next claim grow by."""

    points: int
    #: Service minutes for the regulated record; 0 when the rule is not volunteer service.
    minutes: int
    #: Minutes to add to the day's totals, also of rules that are no service.
    counted_minutes: int
    #: Times to add to the rule's totals.
    counted_times: int
    #: Earned, but over the month, the year or the balance: offered as a donation, never confiscated.
    surplus_points: int
    capped_by: tuple[Cap, ...]
    review: bool
    reason: Reason
