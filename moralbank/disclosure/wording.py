"""What notices and objections are called on pages, and a notice as a text to be read out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moralbank.disclosure.queries import Notice
from moralbank.disclosure.values import Kind, Row, State
from moralbank.errors import N_
from moralbank.web import filters
from moralbank.web.i18n import gettext as _

KINDS = {Kind.TOTALS: N_("月度汇总"), Kind.LIST: N_("季度名单")}
STATES = {
    State.DRAFT: N_("草稿"),
    State.PUBLISHED: N_("公示中"),
    State.CLOSED: N_("已结束"),
    State.WITHDRAWN: N_("已撤下"),
}
OBJECTION_STATES = {
    "open": N_("等待答复"),
    "upheld": N_("成立"),
    "explained": N_("不成立，已说明"),
    "withdrawn": N_("本人撤回"),
}
ABOUT = {"line": N_("存折的一行"), "notice": N_("公示"), "late_entry": N_("补录")}


def period_word(notice: Notice) -> str:
    """Return a notice's month or quarter in the reader's language."""
    if notice.kind is Kind.TOTALS:
        return filters.month(notice.since_on)
    quarter = (notice.since_on.month + 2) // 3
    return _("%(year)s年第%(quarter)s季度", year=notice.since_on.year, quarter=quarter)


def band_word(told: Any) -> str:
    """Return from how many to how many points somebody has."""
    if told["most"] is None:
        return _("%(least)s 分以上", least=told["least"])
    return _("%(least)s–%(most)s 分", least=told["least"], most=told["most"])


def read_out(notice: Notice, rows: Sequence[Row], where: str) -> str:
    """Return a notice as it is read out: whole sentences, figures as they are spoken, in the reader's language."""
    told = notice.told
    said = [_("%(branch)s%(period)s公示。", branch=told["branch"]["name"], period=period_word(notice))]
    if told.get("is_small"):
        said.append(_("本期参加的人数太少，合计并入中心空间一起公示。"))
    elif notice.kind is Kind.TOTALS:
        said += _read_totals(told)
    else:
        said += _read_list(told, rows)
    assert notice.up_until_on is not None, "only what is up is read out"
    until = filters.day(notice.up_until_on)
    said.append(
        _("公示到%(until)s。觉得哪里不对，请在那以前到%(where)s说，或者在网上提异议。", until=until, where=where)
    )
    return "\n".join(said) + "\n"


def _read_totals(told: dict[str, Any]) -> list[str]:
    said = [
        _(
            "共有 %(people)s 人参加，存入 %(points)s 分，服务 %(minutes)s。",
            people=told["people"],
            points=told["issued_points"],
            minutes=filters.minutes(told["minutes"]),
        )
    ]
    if told["redeemed_points"] is not None:
        said.append(_("兑换 %(points)s 分。", points=told["redeemed_points"]))
    for one in told["activities"]:
        title = one["title"] if one["title"] is not None else _("其他活动")
        said.append(
            _("%(title)s：%(people)s 人，%(points)s 分。", title=title, people=one["people"], points=one["points"])
        )
    return said


def _read_list(told: dict[str, Any], rows: Sequence[Row]) -> list[str]:
    said = [_("下面是同意公示的邻居，不分先后。")]
    for row in rows:
        one = row.told
        said.append(_("%(grid)s%(name)s，%(band)s。", grid=one["grid"], name=spoken(one["name"]), band=band_word(one)))
    others = told["others"]["people"]
    said.append(_("另外还有不到五人。") if others is None else _("另外还有 %(n)s 人。", n=others))
    return said


def spoken(masked: str) -> str:
    """Return a masked name as it is said aloud: the star is a syllable."""
    return masked.replace("*", _("某"))
