"""What grounds, people, proofs and what is taken away are called on pages."""

from __future__ import annotations

from moralbank.errors import N_
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof, State

GROUNDS = {
    Ground.WITHDRAWN: N_("本人撤回同意（个人信息保护法第四十七条第三项）"),
    Ground.PURPOSE: N_("目的已实现或不再需要（第四十七条第一项）"),
    Ground.ENDED: N_("不再提供服务或保存期已满（第四十七条第二项）"),
    Ground.UNLAWFUL: N_("处理违反法律或约定（第四十七条第四项）"),
    Ground.OTHER_LAW: N_("法律规定的其他情形（第四十七条第五项）"),
    Ground.KIN: N_("本人去世，近亲属提出（第四十九条）"),
}
ASKED_BY = {AskedBy.SELF: N_("本人"), AskedBy.GUARDIAN: N_("监护人"), AskedBy.KIN: N_("近亲属")}
PROOFS = {
    Proof.IDENTITY_CARD: N_("当面核对身份证"),
    Proof.CARD_AND_PIN: N_("居民卡加密码"),
    Proof.KNOWN: N_("两名工作人员认识本人"),
    Proof.DOCUMENTS: N_("核对亲属关系证明"),
}
POINTS = {
    Points.NONE: N_("没有积分，或先兑换完"),
    Points.DONATE: N_("本人书面选择：剩下的捐给互助池"),
    Points.LEAVE: N_("本人书面选择：放弃剩下的"),
}
STATES = {
    State.ASKED: N_("待审批"),
    State.REFUSED: N_("没有批准"),
    State.LAPSED: N_("已过期"),
    State.DONE: N_("已遗忘"),
}
#: What is counted, by the fields of values.Removal.
REMOVED = {
    "donated_points": N_("捐给互助池的积分"),
    "given_up_points": N_("放弃的积分（留在没有名字的账户上，到期作废）"),
    "cards": N_("居民卡"),
    "consents": N_("同意记录"),
    "logins": N_("登录账号"),
    "sessions": N_("登录记录"),
    "signups": N_("取消的报名"),
    "scans": N_("签到里的备注和设备"),
    "memos": N_("账目里的备注和盐值"),
    "notes": N_("经办时写的原因"),
    "roster_rows": N_("名单里的行"),
    "answers": N_("接口保存的应答"),
    "payment_codes": N_("付款码"),
    "outside_names": N_("旧系统里的姓名"),
    "messages": N_("消息的内容"),
    "notices": N_("公示里的名字"),
}
