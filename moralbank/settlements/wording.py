"""What settlements are called, on pages and on paper, and how their amounts are written."""

from __future__ import annotations

from moralbank.errors import N_
from moralbank.web.i18n import gettext as _

STATE_NAMES = {
    "issued": N_("待商家核对"),
    "disputed": N_("有疑问待答复"),
    "confirmed": N_("已确认"),
    "paid": N_("已付款"),
}
LINE_NAMES = {
    "sale": N_("兑换"),
    "taken_back": N_("撤销或退回"),
    "other": N_("其他"),
    "correction": N_("更正上期"),
    "carried": N_("上期结转"),
}


def settlement_word(kind: str, value: str) -> str:
    """Return what a settlement's state or a line's kind is called in the reader's language."""
    names = {"state": STATE_NAMES, "line": LINE_NAMES}[kind]
    return _(names[value])


def exact(fen: int) -> str:
    """Return hundredths as a figure that spreadsheets add up: 12.50."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
