"""Puts a message into words, in the reader's language on a page and in Chinese where nobody chose one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from moralbank.errors import N_, fill
from moralbank.messages.values import KINDS, Channel
from moralbank.web import filters
from moralbank.web.i18n import gettext

CHANNEL_NAMES = {Channel.EMAIL: N_("邮件"), Channel.SMS: N_("短信"), Channel.WECHAT: N_("微信")}
STATE_NAMES = {
    "waiting": N_("等待发送"),
    "sending": N_("正在发送"),
    "sent": N_("已发出"),
    "failed": N_("没有发出"),
    "unsure": N_("不确定是否送达"),
    "dropped": N_("不再需要"),
}
#: What went wrong, for staff; a fault that isn't listed is shown as it is.
FAULT_NAMES = {
    "sender-lost": N_("发送时中断，不知道对方是否收到"),
    "answer-lost": N_("发出后没有收到回应，不知道对方是否收到"),
    "unreachable": N_("连不上对方服务器"),
    "timeout": N_("对方服务器没有及时回应"),
    "login-refused": N_("对方服务器不接受我们的账号，请联系管理服务器的人"),
    "refused": N_("对方服务器拒收，请核对地址"),
    "unknown-recipient": N_("对方没有这个收件人"),
    "busy": N_("对方服务器忙"),
    "too-old": N_("等了太久，不再外发；收件箱里有"),
    "no-address": N_("没有可用的地址"),
    "opted-out": N_("本人不要这类消息"),
    "forgotten": N_("此人已注销"),
}
_GONE = N_("内容已经清除。")


@dataclass(frozen=True, slots=True)
class Words:
    """A message as it is read."""

    title: str
    text: str


def words(kind: str, facts: Mapping[str, Any] | None) -> Words:
    """Return what a message says in the reader's language; facts: None when they were taken away."""
    known = KINDS[kind]
    if facts is None:
        return Words(gettext(known.name), gettext(_GONE))
    shown = {name: _shown(name, value) for name, value in facts.items()}
    return Words(fill(gettext(known.title), shown), fill(gettext(known.text), shown))


def _shown(name: str, value: Any) -> str:
    if name == "points":
        return filters.figure(int(value))
    if name == "minutes":
        return filters.minutes(int(value))
    if name == "day":
        return filters.day(date.fromisoformat(value))
    return filters.month(value) if name == "month" else str(value)
