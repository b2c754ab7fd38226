"""What devices, token scopes, deeds and reasons are called on pages."""

from __future__ import annotations

from moralbank.access.deeds import Kind, Reason
from moralbank.errors import N_

REASONS = {
    Reason.DESK: N_("当面办理业务"),
    Reason.CORRECT: N_("核对、更正资料"),
    Reason.ANSWER: N_("答复查询或异议"),
    Reason.AUDIT: N_("监督抽查"),
    Reason.OTHER: N_("其他"),
    Reason.ACT: N_("经办时查看"),
    Reason.SESSION: N_("活动签到和核对"),
    Reason.ROSTER: N_("导入名单"),
    Reason.PROGRAM: N_("接口程序读取"),
    Reason.WORK: N_("工作需要"),
}
DEED_KINDS = {
    Kind.LOGIN: N_("登录"),
    Kind.REFUSED: N_("登录被拒"),
    Kind.VIEW: N_("查看一位储户"),
    Kind.LIST: N_("查看名单"),
    Kind.EXPORT: N_("打印或导出"),
    Kind.APPROVE: N_("审核签字"),
    Kind.SETTING: N_("修改设置"),
    Kind.ROLE: N_("角色变动"),
    Kind.SECRET: N_("重设密码"),
    Kind.IMPORT: N_("导入名单"),
    Kind.FORGET: N_("遗忘个人资料"),
    Kind.ACT: N_("代办"),
}
#: What a deed is about, by the word before its number.
ABOUT = {
    "session": N_("场次"),
    "merchant": N_("商家"),
    "offer": N_("兑换项目"),
    "rule": N_("积分规则"),
    "rules": N_("积分规则"),
    "login": N_("账号"),
    "branch": N_("网点"),
    "roster": N_("名单"),
    "residents": N_("储户名单"),
    "cards": N_("居民卡"),
    "statement": N_("对账单"),
    "entries": N_("账本明细"),
    "account": N_("账户"),
    "certificate": N_("志愿服务记录证明"),
    "certificate-revoked": N_("撤销证明"),
    "certificate-corrected": N_("更正证明"),
    "passbook": N_("纸存折"),
    "record": N_("服务记录"),
    "request": N_("申请"),
    "messages": N_("念消息"),
    "witness": N_("见证人"),
    "witness-policy": N_("见证规则"),
}

SCOPE_NAMES = {
    "activities:read": N_("查看活动和场次"),
    "activities:write": N_("发起和修改活动"),
    "audit:read": N_("查看账本的每一笔"),
    "approvals:read": N_("看冲正和补记的申请"),
    "approvals:write": N_("提出、复核冲正和补记"),
    "awards:write": N_("确认参加并发放积分"),
    "branches:read": N_("查看网点和规则"),
    "charges:read": N_("查看收银台的流水"),
    "charges:write": N_("在收银台收积分"),
    "checkins:write": N_("登记签到和签退"),
    "codes:write": N_("出示付款码"),
    "merchants:read": N_("查看商家和可换的东西"),
    "merchants:write": N_("修改商家和可换的东西"),
    "messages:read": N_("查看消息的发送情况"),
    "messages:write": N_("重新发送消息"),
    "notices:read": N_("查看公示"),
    "objections:read": N_("查看异议"),
    "objections:write": N_("答复异议"),
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
