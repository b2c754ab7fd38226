"""Says statements in words: lines, details, kinds, roles, the table of a file. In the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from moralbank import clock
from moralbank.statements import values
from moralbank.statements.periods import Period
from moralbank.statements.values import Section, Statement, StatementLine
from moralbank.web import filters
from moralbank.web.i18n import gettext as _
from moralbank.web.sheets import Cell

#: Between details that may stand on two lines: the dot ends the first.
DOT = "\N{NO-BREAK SPACE}· "


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as the passbook widget takes it."""

    n: int
    day: datetime
    what: str
    where: str
    points: int
    balance_after: int
    reverses_n: int | None
    reversed_by_n: int | None
    #: A charge and what undid it at the till, a reservation and its return; any other mirror is a reversal.
    taken_back: bool
    reason: str
    #: Where the line's proof is, for its owner.
    url: str | None = None


def kind_word(kind: str) -> str:
    """Return what a kind of entry is called in the reader's language."""
    return _(values.KIND_WORDS[kind])


def role_word(role: str) -> str:
    """Return what a role is called in the reader's language."""
    return _(values.ROLE_WORDS[role]) if role in values.ROLE_WORDS else role


def period_word(period: Period) -> str:
    """2026年3月, 2026年第1季度, 2026年; March 2026, Q1 2026, 2026."""
    if period.kind == "month":
        return filters.month(period.first)
    if period.kind == "quarter":
        return _("%(year)s年第%(n)s季度", year=period.first.year, n=period.name[-1])
    return _("%(year)s年", year=period.first.year)


def sections(statement: Statement) -> Iterable[Section]:
    """Return the units of a statement that there are."""
    return [section for section in (statement.points, statement.minutes) if section is not None]


def shown_line(line: StatementLine, *, details: Iterable[str] | None = None, url: str | None = None) -> ShownLine:
    """Return a line as the passbook widget takes it; a statement gives more details than the place."""
    return ShownLine(
        n=line.number,
        day=line.posted_at,
        what=what(line),
        where=line.place if details is None else DOT.join(details),
        points=line.amount,
        balance_after=line.balance_after,
        reverses_n=line.reverses_number,
        reversed_by_n=line.reversed_by_number,
        taken_back=line.kind in ("redemption", "undo", "hold", "release"),
        reason=line.reason,
        url=url,
    )


def what(line: StatementLine) -> str:
    """Say what a line is: what it is about, and the kind in front where that would not be clear."""
    kind = kind_word(line.kind)
    if not line.about:
        return kind
    about = filters.written(line.about)
    return about if line.kind in ("award", "redemption") else _("%(kind)s：%(about)s", kind=kind, about=about)


def details(statement: Statement, line: StatementLine) -> Iterator[str]:
    if line.happened_earlier:
        yield _("%(day)s 的服务", day=f"{line.occurred_on:%Y-%m-%d}")
    if line.place and not statement.is_merchants:
        yield line.place
    if line.rule_code:
        yield _rule(line).replace(" ", "\N{NO-BREAK SPACE}")
    yield role_word(line.role)


def details_on_page(statement: Statement, line: StatementLine) -> Iterator[str]:
    """Yield the details of a line as the page shows them, where evidence has no column of its own."""
    yield from details(statement, line)
    if line.grade:
        yield _("证据 %(grade)s", grade=line.grade)


def _rule(line: StatementLine) -> str:
    return _("规则 %(code)s 第 %(version)s 版", code=line.rule_code, version=line.rule_version)


def table(statement: Statement) -> Iterator[list[Cell]]:
    """Yield the statement as a table: per unit an opening, the lines and a closing."""
    yield [
        _("单位"), _("行号"), _("记账时间"), _("发生日期"), _("种类"), _("事由"), _("地点"), _("规则"), _("经办"),
        _("证据等级"), _("变动"), _("余额"), _("冲正行"), _("原因"), _("分录号"),
    ]  # fmt: skip
    first, last = statement.month, clock.local(statement.as_of).date()
    for section in sections(statement):
        unit = _(values.UNIT_WORDS[section.unit])
        yield [unit, None, None, first, _("期初余额"), *[None] * 6, section.opening, None, None, None]
        for line in section.lines:
            yield [
                unit, line.number, line.posted_at, line.occurred_on, kind_word(line.kind), line.about, line.place,
                _rule(line) if line.rule_code else None, role_word(line.role), line.grade, line.amount,
                line.balance_after, line.reverses_number or line.reversed_by_number, line.reason, str(line.entry_id),
            ]  # fmt: skip
        yield [unit, None, None, last, _("期末余额"), *[None] * 6, section.closing, None, None, None]
