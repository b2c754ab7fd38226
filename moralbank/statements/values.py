"""What a statement says, as immutable values, and the words for what the books keep as codes."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from moralbank import clock
from moralbank.access.deed_queries import DeedLine
from moralbank.errors import N_
from moralbank.ledger import AccountKind, Unit
from moralbank.statements.errors import MonthMalformed
from moralbank.statements.issued import Issued
from moralbank.statements.periods import Period

KIND_WORDS = {
    "award": N_("存入"),
    "opening": N_("期初"),
    "deposit": N_("旧账存入"),
    "redemption": N_("兑换"),
    "undo": N_("兑换撤销"),
    "refund": N_("退分"),
    "reversal": N_("冲正"),
    "expiry": N_("到期"),
    "gift": N_("家人转赠"),
    "donation": N_("捐给互助池"),
    "help": N_("互助"),
    "settlement": N_("结算"),
    "recirculation": N_("积分回流"),
    "payout": N_("支出"),
    "adjustment": N_("更正"),
    "offset": N_("冲正抵扣"),
    "move": N_("转移"),
    "hold": N_("预留"),
    "release": N_("预留退回"),
}
ROLE_WORDS = {
    "resident": N_("本人"),
    "operator": N_("商家"),
    "staff": N_("工作人员"),
    "auditor": N_("监督员"),
    "admin": N_("管理员"),
    "system": N_("系统"),
}
ACCOUNT_WORDS = {
    AccountKind.RESIDENT: N_("居民"),
    AccountKind.HOUSEHOLD: N_("家庭"),
    AccountKind.TEAM: N_("团队"),
    AccountKind.POOL: N_("互助池"),
    AccountKind.ISSUER: N_("积分发放"),
    AccountKind.REGISTRY: N_("服务登记"),
    AccountKind.OPENING: N_("期初结转"),
    AccountKind.MERCHANT: N_("商家"),
    AccountKind.SETTLED: N_("已结算"),
    AccountKind.EXPIRED: N_("已到期"),
    AccountKind.CLEARING: N_("往来"),
    AccountKind.HOLD: N_("预留中"),
}
UNIT_WORDS = {Unit.POINTS: N_("积分"), Unit.MINUTES: N_("服务时间")}

#: Where entries keep what they are about, first found first shown.
_ABOUT = ("activity", "offer", "memo")
_PLACES = ("place", "merchant")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def about(private: Mapping[str, str]) -> str:
    """Return what an entry is about in its own words (“河岸清洁”, “香皂一块”), or an empty text.

    What somebody else did for the holder says so.
    """
    words = next((private[name] for name in _ABOUT if private.get(name)), "")
    return f"{words}（代办）" if words and private.get("acted") else words


def place(private: Mapping[str, str]) -> str:
    """Return where it happened in the entry's own words, or an empty text."""
    return next((private[name] for name in _PLACES if private.get(name)), "")


def role_of(actor: str) -> str:
    """Return the role in which somebody acted, without the login: "staff:12" gives "staff"."""
    return actor.partition(":")[0]


def read_month(text: str) -> date:
    """Return the first day of a month given as "2026-03".

    Raises: MonthMalformed.
    """
    found = _MONTH.fullmatch(text)
    if found is None or found[1] == "0000":
        raise MonthMalformed()
    return date(int(found[1]), int(found[2]), 1)


def month_of(instant: datetime) -> date:
    """Return the first day of the local month of an instant."""
    return clock.local(instant).date().replace(day=1)


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return month + timedelta(days=monthrange(month.year, month.month)[1])


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose account it is, and since when they have one."""

    book: int
    account: int
    #: Points only, and summed: a merchant's account. Its lines are numbered within the month.
    is_merchant: bool
    #: The first day of the first month with a statement.
    first_month: date
    #: Whose data were looked at; None where it is nobody's alone.
    resident_id: int | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A line as its holder reads it. number: gapless in the account, or within the month at a merchant's."""

    number: int
    entry_id: UUID
    kind: str
    amount: int
    balance_after: int
    posted_at: datetime
    occurred_on: date
    about: str
    place: str
    role: str
    rule_code: str | None
    rule_version: int | None
    grade: str | None
    reason: str
    #: Line numbers; None when there is no such line in this account.
    reverses_number: int | None
    reversed_by_number: int | None

    @property
    def happened_earlier(self) -> bool:
        """Tell whether it is about a day before the one on which it was booked."""
        return self.occurred_on < clock.local(self.posted_at).date()


@dataclass(frozen=True, slots=True)
class LaterReversal:
    """That a line was reversed after the period: the statement stays, the reversal is a line of a later one."""

    number: int
    by_number: int
    on: date


@dataclass(frozen=True, slots=True)
class Section:
    """One unit of a statement: what was there, what came, what went, what is left."""

    unit: Unit
    opening: int
    credit: int
    debit: int
    closing: int
    lines: tuple[StatementLine, ...]
    #: In an issued statement: what happened to its lines after it was issued.
    later: tuple[LaterReversal, ...] = ()

    @property
    def first_number(self) -> int | None:
        return self.lines[0].number if self.lines else None

    @property
    def last_number(self) -> int | None:
        return self.lines[-1].number if self.lines else None


@dataclass(frozen=True, slots=True)
class Expiry:
    """Points that are gone once a day has begun. noted_on: since when their holder could read of it."""

    expires_on: date
    points: int
    noted_on: date | None = None


@dataclass(frozen=True, slots=True)
class OffsetRest:
    """Points that should not have been given and were spent when it was found: offset from awards until a day."""

    missing_points: int
    rest_points: int
    ends_on: date


@dataclass(frozen=True, slots=True)
class Looks:
    """Who looked at a person's data, or took them out, in a period."""

    count: int
    latest: tuple[DeedLine, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A period of an account. as_of: its end, or now while it is running."""

    period: Period
    as_of: datetime
    is_running: bool
    points: Section
    #: None at a merchant's, who sees no service time.
    minutes: Section | None
    #: What expires next, at most three days.
    expiring: tuple[Expiry, ...]
    #: How often others looked at the holder's data in the period, with the latest of these looks.
    looks: Looks | None = None
    #: As it was issued; None while it isn't.
    issued: Issued | None = None

    @property
    def month(self) -> date:
        """The period's first day."""
        return self.period.first

    @property
    def is_merchants(self) -> bool:
        """Tell whether it is a merchant's, where all that happened happened at the merchant's own till."""
        return self.minutes is None


@dataclass(frozen=True, slots=True)
class MonthSum:
    """A month in the list of statements. Figures are None at a merchant's, whose lines are many."""

    month: date
    credit: int | None = None
    debit: int | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Passbook:
    """A page of the passbook, newest line first."""

    unit: Unit
    points: int
    minutes: int
    lines: tuple[StatementLine, ...]
    #: Sums of months of which the page shows only a part.
    month_sums: dict[str, int]
    #: The number of the last line, when older ones follow.
    older_before: int | None
    expiring: tuple[Expiry, ...]
    #: What reversals could not take back and later awards may still be taken for.
    offsets: tuple[OffsetRest, ...] = ()
