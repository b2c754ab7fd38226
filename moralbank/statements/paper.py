"""Statements as documents of the paper template `sheet`: what a resident or a merchant takes home. In words.

Nothing on it depends on the moment it is printed: of an issued statement the same octets come out each time, for as
long as its holder keeps name and station. Dates are written in full for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from moralbank import clock
from moralbank.access.wording import REASONS
from moralbank.ledger import Unit
from moralbank.statements import wording
from moralbank.statements.values import Looks, Section, Statement, StatementLine
from moralbank.web.filters import MINUS, figure, minutes
from moralbank.web.i18n import gettext as _
from moralbank.web.pictures import link_svg


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose statement it is, as paper says it."""

    name: str
    number: str
    #: The station, for whoever brings it back.
    place: str


def document(statement: Statement, holder: Holder, address: str | None = None) -> dict[str, Any]:
    """Return a statement as a document of the template `sheet`.

    address: where anybody checks it, which is in its code; None for one that isn't issued.
    """
    made = {
        "title": _("%(period)s对账单", period=wording.period_word(statement.period)),
        "aside": holder.name,
        "facts": list(_facts(statement, holder)),
        "sections": [_section(section, statement) for section in wording.sections(statement)],
        "notes": [note for note in _notes(statement) if note["items"]],
        "foot": _foot(statement, holder),
    }
    if address is not None:
        made["code"] = link_svg(address)
        made["code_words"] = _check_words(address)
    if statement.is_running:
        until = clock.local(statement.as_of)
        made["notice"] = _("这段时间还没过完，以下截至 %(moment)s，不是正式出单。", moment=f"{until:%Y-%m-%d %H:%M}")
    elif statement.issued is None:
        made["notice"] = _("这段时间还没有正式出单。")
    return made


def _check_words(address: str) -> str:
    root = address.rpartition("/")[0]
    return _("扫码核对真伪，或打开 %(url)s 输入对账单编号和内容校验。", url=f"{root}/statement")


def made_at(statement: Statement) -> datetime:
    """Return the time that the paper states: of issuing, or until which it goes."""
    return statement.issued.issued_at if statement.issued else statement.as_of


def title(statements: Sequence[Statement]) -> str:
    """Return what a file of statements is called."""
    return _("%(period)s对账单", period=wording.period_word(statements[0].period))


def _facts(statement: Statement, holder: Holder) -> Iterator[tuple[str, str]]:
    period = statement.period
    yield _("姓名") if statement.minutes else _("商家"), holder.name
    yield _("编号"), holder.number
    yield _("网点"), holder.place
    yield _("期间"), _("%(first)s 至 %(last)s", first=f"{period.first}", last=f"{period.last}")
    if statement.issued is not None:
        yield _("对账单编号"), statement.issued.number
        yield _("出单"), f"{clock.local(statement.issued.issued_at):%Y-%m-%d}"
        yield _("内容校验"), statement.issued.mark


def _section(section: Section, statement: Statement) -> dict[str, Any]:
    def spelled(value: int) -> str:
        return minutes(value) if section.unit is Unit.MINUTES else _("%(points)s 分", points=figure(value))

    return {
        "title": _("服务时间") if section.unit is Unit.MINUTES else _("积分"),
        "before": [[_("期初"), spelled(section.opening)]],
        "columns": [
            {"title": _("行号"), "align": "right"},
            {"title": _("记账")},
            {"title": _("事由"), "width": 1},
            {"title": _("证据"), "align": "center"},
            {"title": _("变动"), "align": "right"},
            {"title": _("余额"), "align": "right"},
        ],
        "rows": [_row(line, statement, section.unit) for line in section.lines],
        "empty": _("这段时间没有变动。"),
        "after": [[_("存入"), spelled(section.credit)], [_("支出"), spelled(section.debit)]] if section.lines else [],
        "closing": [_("期末"), spelled(section.closing)],
    }


def _row(line: StatementLine, statement: Statement, unit: Unit) -> dict[str, Any]:
    words = [wording.what(line), wording.DOT.join(wording.details(statement, line))]
    # What the till takes back within two minutes is no reversal.
    is_tills = line.kind in ("redemption", "undo")
    if n := line.reverses_number:
        words.append(_("撤销第 %(n)s 行", n=n) if is_tills else _("冲正第 %(n)s 行", n=n))
    if n := line.reversed_by_number:
        words.append(_("已由第 %(n)s 行撤销", n=n) if is_tills else _("已由第 %(n)s 行冲正", n=n))
    if line.reason:
        words.append(_("原因：%(reason)s", reason=line.reason))
    return {
        "cells": [
            str(line.number),
            f"{clock.local(line.posted_at):%Y-%m-%d}",
            "\n".join(words),
            line.grade or "",
            _signed(line.amount, unit),
            minutes(line.balance_after) if unit is Unit.MINUTES else figure(line.balance_after),
        ],
        "struck": bool(line.reversed_by_number),
    }


def _signed(amount: int, unit: Unit) -> str:
    spelled = minutes(abs(amount)) if unit is Unit.MINUTES else figure(abs(amount))
    return ("+" if amount > 0 else MINUS) + spelled


def _notes(statement: Statement) -> Iterator[dict[str, Any]]:
    expiring = [
        _("%(points)s 分将于 %(date)s 到期", points=figure(one.points), date=f"{one.expires_on}")
        + (_("（%(date)s 已提醒）", date=f"{one.noted_on}") if one.noted_on else "")
        for one in statement.expiring
    ]
    yield {"title": _("接下来到期的积分"), "items": expiring}
    if statement.looks is not None:
        yield {"title": _("谁看过您的资料"), "items": list(_looked(statement.looks))}
    yield {"title": _("怎样核对"), "items": list(_how_to_check(statement))}


def _looked(looks: Looks) -> Iterator[str]:
    if not looks.count:
        yield _("这段时间，除了您自己，没有人打开过您的资料。")
        return
    yield _("这段时间共 %(n)s 次，最近的是：", n=figure(looks.count))
    for look in looks.latest:
        reason = _(REASONS[look.reason]) if look.reason else _("打印或导出")
        yield f"{clock.local(look.done_at):%Y-%m-%d %H:%M} · {wording.role_word(look.role)} · {reason}"


def _how_to_check(statement: Statement) -> Iterator[str]:
    if statement.minutes is None:
        yield _("每行的余额等于上一行加减本行，行号在本期内连续。有不对的，请联系驿站，逐行查凭证。")
    else:
        yield _("行号一行接一行，不会缺号；每行的余额等于上一行加减本行。有不对的，请拿这张单子到驿站，当面查凭证。")
        yield _("证据：A 扫码签到签退并经负责人签字；B 一次扫码加负责人确认；C 补录，两人经办；D 旧账转入。")
    yield _("出单以后内容不再改动；以后的更正记在以后的对账单里。")


def _foot(statement: Statement, holder: Holder) -> str:
    until: date = clock.local(statement.as_of).date()
    number = statement.issued.number if statement.issued else f"{until}"
    return f"{holder.place} · {holder.number} · {number}"
