"""Which public figures there are, what each means, and a month of them. Pure; the data dictionary is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from moralbank.errors import N_


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its name in files, what it is called, what it is exactly, and its unit."""

    name: str
    label: str
    meaning: str
    unit: str


PEOPLE, POINTS, MINUTES, COUNT, PERCENT = (N_("人"), N_("分"), N_("分钟"), N_("个"), N_("百分比"))

FIGURES = (
    Figure("depositors", N_("储户"), N_("月末登记在册、没有离开的居民"), PEOPLE),
    Figure("merchants", N_("爱心商家"), N_("计算时在合作的商家"), COUNT),
    Figure("activities", N_("活动"), N_("本月至少有一人入账的活动"), COUNT),
    Figure("participants", N_("参加的人"), N_("本月至少入账一次的人，不重复计"), PEOPLE),
    Figure("service_minutes", N_("服务时间"), N_("本月入账的志愿服务时间，已减去冲正"), MINUTES),
    Figure("issued_points", N_("发放积分"), N_("本月存入的积分，已减去月末以前冲正的"), POINTS),
    Figure("redeemed_points", N_("兑换积分"), N_("本月兑换的积分，已减去撤销和退分"), POINTS),
    Figure("expired_points", N_("到期积分"), N_("本月到期的积分"), POINTS),
    Figure("outstanding_points", N_("未用积分"), N_("月末所有储户手里的积分"), POINTS),
    Figure(
        "coverage_percent",
        N_("备付率"),
        N_("计算时可用的出资占未用积分所需的比例；区和街道把各中心空间合起来，驿站没有"),
        PERCENT,
    ),
    Figure("satisfaction_percent", N_("满意度"), N_("受助人评价折成的百分比，至少五次评价才有"), PERCENT),
    Figure("grade_a", N_("A 级"), N_("有签到签退并经负责人签字的入账次数"), COUNT),
    Figure("grade_b", N_("B 级"), N_("由负责人确认的入账次数"), COUNT),
    Figure("grade_c", N_("C 级"), N_("事后补录的入账次数"), COUNT),
    Figure("grade_d", N_("D 级"), N_("旧账带入的次数"), COUNT),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
GRADES = ("grade_a", "grade_b", "grade_c", "grade_d")
#: Those that have a chart.
CHARTED = ("issued_points", "redeemed_points", "outstanding_points", "service_minutes", "participants", "depositors")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Up to where a book's log went when a month was computed."""

    book: str
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """A branch's month. None: the group was too small, or there is no such figure here."""

    branch_id: int
    month_on: date
    told: Mapping[str, int | None]
    checkpoints: tuple[Checkpoint, ...]
    computed_at: datetime

    def share_permille(self, grade: str) -> int | None:
        """Return which part of the awards is of a grade, in thousandths; None while any of them is not told."""
        counts = [self.told.get(name) for name in GRADES]
        total = sum(count or 0 for count in counts)
        if None in counts or not total:
            return None
        return ((self.told[grade] or 0) * 2000 + total) // (2 * total)
