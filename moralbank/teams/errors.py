"""What teams refuse."""

from __future__ import annotations

from moralbank.errors import N_, Invalid, NotFound, Refused


class UnknownTeam(NotFound):
    code = "team-unknown"
    title = N_("没有这个团队")
    sentence = N_("没有找到这个团队，请回到列表选择。")


class TeamUnfit(Invalid):
    code = "team-unfit"
    title = N_("团队没有填好")
    sentence = N_("请改正标出的内容再保存。")


class TeamClosed(Refused):
    code = "team-closed"
    title = N_("团队已经结束")
    sentence = N_("这个团队已经结束，要改请先重新开放。它的账户和每一行都还在，对账单照样可以看。")
