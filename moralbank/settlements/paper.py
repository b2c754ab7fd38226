"""A settlement as a document of the paper template `sheet`, which shop and fund put with their accounts. In words.

Nothing on it depends on the moment it is printed: the same octets come out until somebody asks, answers,
confirms or pays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moralbank import clock
from moralbank.merchants.queries import Merchant
from moralbank.merchants.views import merchant_word
from moralbank.settlements.queries import Dispute, Settlement, SettlementLine
from moralbank.settlements.wording import LINE_NAMES, settlement_word
from moralbank.web.filters import figure, month, yuan
from moralbank.web.i18n import gettext as _


@dataclass(frozen=True, slots=True)
class Whole:
    """A settlement with all that its paper says."""

    settlement: Settlement
    merchant: Merchant
    #: The station, for whoever asks about it.
    place: str
    lines: Sequence[SettlementLine]
    disputes: Sequence[Dispute]
    #: What those who acted are called, by actor.
    actors: Mapping[str, str]


def document(whole: Whole) -> dict[str, Any]:
    """Return a settlement as a document of the template `sheet`."""
    settlement = whole.settlement
    made = {
        "title": title(settlement),
        "aside": whole.merchant.name,
        "facts": list(_facts(whole)),
        "sections": [_lines(whole), *([_disputes(whole)] if whole.disputes else [])],
        "notes": [{"title": _("怎样核对"), "items": list(_how_to_check(settlement))}],
        "foot": f"{whole.place} · {whole.merchant.code} · {settlement.number}",
    }
    if settlement.state == "disputed":
        made["notice"] = _("还有 %(n)s 条疑问没有答复，金额可能在下一张里更正。", n=settlement.open_disputes)
    elif settlement.state == "issued":
        made["notice"] = _("商家还没有确认。")
    return made


def title(settlement: Settlement) -> str:
    """Return what the paper of a settlement is called."""
    return _("%(month)s结算单", month=month(settlement.month_on))


def made_at(whole: Whole) -> datetime:
    """Return the time that the paper states: when anything was last said of the settlement."""
    settlement = whole.settlement
    times = [settlement.issued_at, settlement.confirmed_at]
    times += [settlement.paid_on and clock.start_of(settlement.paid_on)]
    times += [moment for one in whole.disputes for moment in (one.raised_at, one.answered_at)]
    return max(moment for moment in times if moment is not None)


def _facts(whole: Whole) -> Iterator[tuple[str, str]]:
    settlement = whole.settlement
    yield _("商家"), whole.merchant.name
    yield _("编号"), whole.merchant.code
    yield _("网点"), whole.place
    yield _("结算单号"), settlement.number
    yield _("结算方式"), merchant_word("mode", settlement.mode)
    yield _("状态"), settlement_word("state", settlement.state)
    yield _("应付"), _due(settlement)
    yield _("出单"), _by(whole, settlement.issued_at, settlement.issued_by)
    if settlement.confirmed_at is None:
        yield _("核对"), _("有疑问请在%(day)s以前提", day=f"{settlement.dispute_by}")
    elif settlement.confirmed_by == "system":
        yield _("确认"), f"{_moment(settlement.confirmed_at)} · {_('到期没有疑问，自动确认')}"
    else:
        yield _("确认"), _by(whole, settlement.confirmed_at, settlement.confirmed_by)
    if settlement.paid_on is not None:
        reference = _("凭证号 %(reference)s", reference=settlement.payment_reference)
        payer = whole.actors.get(settlement.paid_by or "", "")
        yield _("付款"), " · ".join(filter(None, [f"{settlement.paid_on}", reference, payer]))


def _due(settlement: Settlement) -> str:
    if settlement.due_fen < 0:
        return _("%(yuan)s 元，从下一张里扣", yuan=yuan(settlement.due_fen))
    return _("%(yuan)s 元", yuan=yuan(settlement.due_fen)) if settlement.due_fen else _("不用付款")


def _lines(whole: Whole) -> dict[str, Any]:
    asked = {one.number for one in whole.disputes}
    settlement = whole.settlement
    return {
        "title": _("明细"),
        "columns": [
            {"title": _("行号"), "align": "right"},
            {"title": _("时间")},
            {"title": _("项目"), "width": 1},
            {"title": _("积分"), "align": "right"},
            {"title": _("元"), "align": "right"},
        ],
        "rows": [_row(line, line.number in asked) for line in whole.lines],
        "after": list(_by_kind(whole.lines)),
        "closing": [
            _("合计 %(count)s 行", count=figure(settlement.lines_count)),
            _sum(settlement.points, settlement.due_fen),
        ],
    }


def _row(line: SettlementLine, is_asked: bool) -> list[str]:
    words = [line.title or _("积分兑换")]
    if line.kind != "sale":
        words.append(settlement_word("line", line.kind))
    if line.charge_id is not None:
        words.append(_("单号 %(n)s", n=line.charge_id))
    if is_asked:
        words.append(_("有疑问"))
    return [str(line.number), _moment(line.at), " · ".join(words), figure(line.points), yuan(line.owed_fen)]


def _by_kind(lines: Sequence[SettlementLine]) -> Iterator[tuple[str, str]]:
    """Yield what each kind of line comes to, where there is more than one kind."""
    kinds = [kind for kind in LINE_NAMES if any(line.kind == kind for line in lines)]
    for kind in kinds if len(kinds) > 1 else []:
        those = [line for line in lines if line.kind == kind]
        name = _("其中%(kind)s %(count)s 行", kind=settlement_word("line", kind), count=figure(len(those)))
        yield name, _sum(sum(line.points for line in those), sum(line.owed_fen for line in those))


def _disputes(whole: Whole) -> dict[str, Any]:
    return {
        "title": _("疑问和答复"),
        "columns": [
            {"title": _("行号"), "align": "right"},
            {"title": _("疑问"), "width": 1},
            {"title": _("答复"), "width": 1},
            {"title": _("下一张更正（元）"), "align": "right"},
        ],
        "rows": [_dispute(whole, one) for one in whole.disputes],
    }


def _dispute(whole: Whole, one: Dispute) -> list[str]:
    asked = f"{one.reason}\n{_by(whole, one.raised_at, one.raised_by)}"
    if one.answered_at is None:
        return [str(one.number), asked, _("驿站还没有答复。"), ""]
    told = f"{one.note}\n{_by(whole, one.answered_at, one.answered_by)}"
    return [str(one.number), asked, told, "" if one.correct_fen is None else _signed(one.correct_fen)]


def _how_to_check(settlement: Settlement) -> Iterator[str]:
    yield _("每笔都在账本里：商家账户这个月的变动，一行不多，一行不少；积分和金额逐行相加，就是合计。")
    if settlement.entry_id is not None:
        yield _("合计的积分由一笔分录从商家账户转出，分录号 %(entry)s。", entry=settlement.entry_id)
    yield _("校验码（各行内容的 SHA-256）：%(mark)s", mark=settlement.lines_hash.hex())
    yield _("出单以后各行不再改动；更正记在以后的结算单里。")


def _sum(points: int, fen: int) -> str:
    return " · ".join([_("%(points)s 分", points=figure(points)), _("%(yuan)s 元", yuan=yuan(fen))])


def _by(whole: Whole, moment: datetime, actor: str | None) -> str:
    name = _("系统") if actor == "system" else whole.actors.get(actor or "", "")
    return " · ".join(filter(None, [_moment(moment), name]))


def _moment(moment: datetime) -> str:
    return f"{clock.local(moment):%Y-%m-%d %H:%M}"


def _signed(fen: int) -> str:
    return ("+" if fen > 0 else "") + yuan(fen)
