"""What devices and token scopes are called on pages."""

from __future__ import annotations

from moralbank.errors import N_

SCOPE_NAMES = {
    "activities:read": N_("查看活动和场次"),
    "activities:write": N_("发起和修改活动"),
    "audit:read": N_("查看账本的每一笔"),
    "awards:write": N_("确认参加并发放积分"),
    "branches:read": N_("查看网点和规则"),
    "charges:read": N_("查看收银台的流水"),
    "charges:write": N_("在收银台收积分"),
    "checkins:write": N_("登记签到和签退"),
    "codes:write": N_("出示付款码"),
    "ledger:read": N_("查看余额"),
    "merchants:read": N_("查看商家和可换的东西"),
    "merchants:write": N_("修改商家和可换的东西"),
    "residents:read": N_("查看储户资料"),
    "residents:write": N_("登记和修改储户"),
    "statements:read": N_("查看对账单"),
}

#: Marks in a User-Agent, the telling ones before those that others also claim.
_BROWSERS = (
    ("MicroMessenger/", N_("微信")),
    ("Edg/", "Edge"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", N_("安卓")),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def device_words(user_agent: str) -> list[str]:
    """Return what a person would call the browser and the machine; nothing where neither is known."""
    return [
        next((word for mark, word in known if mark in user_agent), "")
        for known in (_BROWSERS, _SYSTEMS)
        if any(mark in user_agent for mark, _ in known)
    ]
