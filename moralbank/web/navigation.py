"""Which pages the reader is offered in the tabs of a phone and beside a staff page. Offers, never permits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, current_app, request

from moralbank.errors import N_
from moralbank.web.auth import principal_or_none
from moralbank.web.i18n import gettext


@dataclass(frozen=True, slots=True)
class Item:
    """One link, for those who hold one of the roles."""

    label: str
    path: str
    roles: tuple[str, ...]
    #: Another path whose pages belong under it.
    also: str = ""


STAFF, AUDITOR, ADMIN = ("staff",), ("staff", "auditor"), ("admin",)

#: By the layout of the page: a phone has room for five tabs, a desk for every room.
ITEMS = {
    "resident": (
        Item(N_("首页"), "/me", ("resident",)),
        Item(N_("活动"), "/activities", ("resident",)),
        Item(N_("存折"), "/me/passbook", ("resident",), also="/me/statement"),
        Item(N_("可换"), "/me/offers", ("resident",), also="/me/vouchers"),
        Item(N_("消息"), "/me/messages", ("resident",)),
        Item(N_("代办"), "/helping", ("helper",)),
        Item(N_("工作台"), "/staff/activities", STAFF),
    ),
    "staff": (
        Item(N_("活动"), "/staff/activities", STAFF, also="/staff/sessions"),
        Item(N_("所有储户"), "/staff/residents", AUDITOR),
        Item(N_("所有代办人"), "/staff/helpers", AUDITOR),
        Item(N_("待复核"), "/staff/approvals", AUDITOR),
        Item(N_("团队"), "/staff/teams", AUDITOR),
        Item(N_("集市"), "/staff/fairs", STAFF, also="/staff/stalls"),
        Item(N_("待核对签到"), "/staff/reviews", STAFF, also="/staff/devices"),
        Item(N_("补录"), "/staff/late-entries", AUDITOR),
        Item(N_("导入名单"), "/staff/roster", STAFF),
        Item(N_("遗忘申请"), "/staff/forgetting", AUDITOR),
        Item(N_("服务证明"), "/staff/certificates", AUDITOR),
        Item(N_("批量打印"), "/staff/prints", STAFF),
        Item(N_("爱心商家"), "/staff/merchants", AUDITOR),
        Item(N_("兑换项目"), "/staff/offers", AUDITOR, also="/staff/drafts"),
        Item(N_("结算"), "/staff/settlements", AUDITOR, also="/staff/budget"),
        Item(N_("公示"), "/staff/notices", AUDITOR),
        Item(N_("异议"), "/staff/objections", AUDITOR),
        Item(N_("收件箱"), "/staff/inbox", ("staff", "auditor", "admin")),
        Item(N_("消息发送"), "/staff/messages", AUDITOR),
        Item(N_("查账"), "/audit", AUDITOR),
        Item(N_("收银台"), "/counter", ("operator",)),
        Item(N_("网点管理"), "/admin/branches", ADMIN),
        Item(N_("账号管理"), "/admin/logins", ADMIN),
        Item(N_("接口令牌"), "/tokens", ADMIN),
        Item(N_("定时作业"), "/admin/jobs", ADMIN),
        Item(N_("积分规则"), "/rules", ("staff", "auditor", "admin")),
        Item(N_("我的存折"), "/me", ("resident",)),
    ),
}


#: By a link's path: how many things wait there for the reader. Packages lie above, so the application tells.
_COUNTS = "navigation_counts"


def count_at(app: Flask, path: str, count: Callable[[], int]) -> None:
    """Show beside the link of this path how much waits behind it."""
    app.extensions.setdefault(_COUNTS, {})[path] = count


def nav_items(layout: str) -> list[tuple[str, str, bool, int]]:
    """Return (label, path, whether it is the page one is on, how much waits there) for the reader's roles."""
    principal = principal_or_none()
    if principal is None:
        return []
    offered = [item for item in ITEMS.get(layout, ()) if principal.has(*item.roles)]
    here = max(offered, key=_nearness, default=None)
    counts: dict[str, Callable[[], int]] = current_app.extensions.get(_COUNTS, {})
    return [
        (
            gettext(item.label),
            item.path,
            item is here and _nearness(item) > 0,
            counts[item.path]() if item.path in counts else 0,
        )
        for item in offered
    ]


def _nearness(item: Item) -> int:
    """Return how much of the address that is being read belongs to the item; 0 when it lies elsewhere."""
    return max(len(path) if f"{request.path}/".startswith(f"{path}/") else 0 for path in (item.path, item.also) if path)


def init_app(app: Flask) -> None:
    """Give templates nav_items()."""
    app.jinja_env.globals.update(nav_items=nav_items)
