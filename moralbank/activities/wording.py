"""Puts verdicts, doubts, states and outcomes into the reader's words, for pages and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moralbank import clock
from moralbank.activities.answers import Answer
from moralbank.activities.late_queries import LateState
from moralbank.activities.values import Doubt, Means, Mode, Session, State, Status
from moralbank.earning import REASON_SENTENCES, Reason
from moralbank.errors import N_, fill
from moralbank.web import filters
from moralbank.web.i18n import gettext as _

STATUS_NAMES = {
    Status.DRAFT: N_("草稿"),
    Status.PUBLISHED: N_("已发布"),
    Status.CANCELLED: N_("已取消"),
    Status.CLOSED: N_("已结束"),
}
STATE_NAMES = {State.SIGNED_OFF: N_("已签字"), State.CANCELLED: N_("已取消")}
MODE_NAMES = {
    Mode.ROTATING: N_("屏幕上的滚动二维码"),
    Mode.POSTER: N_("墙上的海报"),
    Mode.DESK: N_("只在签到台"),
    Mode.BENEFICIARY: N_("受助人拿着码（上门服务）"),
}
MEANS_NAMES = {
    Means.ROTATING: N_("手机扫屏幕"),
    Means.POSTER: N_("手机扫海报"),
    Means.DESK_CARD: N_("扫卡"),
    Means.DESK_PHOTO: N_("照片"),
    Means.DESK_DIGITS: N_("输号码"),
    Means.BENEFICIARY: N_("扫受助人手机上的码"),
    Means.HELPED_CARD: N_("扫受助人的卡"),
    Means.PAPER: N_("纸质签到表"),
    Means.PLANNED_END: N_("没有签退"),
}
DOUBT_NAMES = {
    Doubt.OVERLAP: N_("同时在另一场"),
    Doubt.SAME_DEVICE: N_("和别人用同一部手机"),
    Doubt.ACTED: N_("由家人或代办人扫码，请看看本人在不在"),
    Doubt.OVERRIDE: N_("工作人员补签"),
    Doubt.POSTER: N_("扫海报，要当面确认"),
    Doubt.HELPED: N_("受助人还没有确认"),
    Doubt.NO_IN: N_("没有签到"),
    Doubt.NO_OUT: N_("没有签退"),
    Doubt.NO_ANSWER: N_("抽点没有回答"),
    Doubt.NEWCOMER: N_("当场自己登记的，要核对本人"),
    Doubt.SHORT: N_("不到计划时长的六成"),
}
AWARD_NAMES = {"attendance": N_("参加"), "leading": N_("带队"), "first-service": N_("首次服务")}
LATE_NAMES = {
    LateState.ASKED: N_("待复核"),
    LateState.NOTICE: N_("公示中"),
    LateState.POSTED: N_("已入账"),
    LateState.VOID: N_("没有入账"),
    LateState.WITHDRAWN: N_("已撤回"),
    LateState.OBJECTED: N_("有异议，不入账"),
    LateState.REFUSED: N_("已退回"),
    LateState.LAPSED: N_("已过期"),
}
LATE_SIGNS = {
    LateState.ASKED: "warn", LateState.NOTICE: "warn", LateState.POSTED: "ok", LateState.OBJECTED: "bad",
    LateState.REFUSED: "bad",
}  # fmt: skip
_APPS = {
    "wechat": N_("微信付款码"),
    "alipay": N_("支付宝付款码"),
    "payment": N_("兑换用的付款码"),
    "": N_("别的软件的码"),
}
_CAPS = {
    "rule_minutes_per_day": N_("这条规则每天的时长"),
    "minutes_per_day": N_("每天 8 小时"),
    "times_per_day": N_("每天的次数"),
    "times_per_month": N_("每月的次数"),
    "times_ever": N_("只有一次"),
    "points_per_month": N_("每月积分"),
    "points_per_year": N_("每年积分"),
    "balance": N_("账户积分"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in words, as ui.result takes it."""

    sign: str
    sound: str
    title: str
    sentence: str


def say(answer: Answer) -> Said:
    """Return the answer in the reader's words, its hours and minutes filled in."""
    verdict = answer.verdict
    sentence = verdict.sentence
    if verdict.once_out_is_open and answer.facts["out_from"] <= clock.now():
        sentence = verdict.once_out_is_open
    words = _(sentence)
    facts = {name: _shown(name, value) for name, value in answer.facts.items() if f"{{{name}}}" in words}
    return Said(verdict.sign, verdict.sound, _(verdict.title), fill(words, facts))


def state_name(session: Session) -> str:
    """Say how far a session is. It waits for its signature only once it has ended."""
    if session.state is not State.OPEN:
        return _(STATE_NAMES[session.state])
    now = clock.now()
    if now < session.starts_at:
        return _("未开始")
    return _("进行中") if now < session.ends_at else _("待签字")


def outcome(reason: str, capped_by: tuple[str, ...]) -> str:
    """Return why an award is what it is, naming the caps."""
    if capped_by:
        return _("到了上限：%(caps)s", caps=_("、").join(_(_CAPS.get(cap, cap)) for cap in capped_by))
    if reason == "overlap":
        return _("同一时间已在另一场计分，请核对。")
    if reason == "no-guardian":
        return _("未满 18 岁，还没有监护人同意，这次不计分。")
    if reason in set(Reason):
        return _(REASON_SENTENCES[Reason(reason)])
    return _("没有入账，请找管理员（%(code)s）。", code=reason)


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        today = clock.local(value).date() == clock.today()
        return filters.time_of_day(value) if today else filters.moment(value)
    if name == "minutes":
        return filters.minutes(value)
    if name == "app":
        return _(_APPS.get(value, _APPS[""]))
    return value
