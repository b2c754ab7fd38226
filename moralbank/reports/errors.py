"""What can't be shown or exported, and why."""

from __future__ import annotations

from moralbank.errors import N_, Forbidden, Invalid, NotFound


class UnknownHolder(Invalid):
    code = "unknown-holder"
    title = N_("没有这个账户")
    sentence = N_("这本账里没有“{text}”。请填账户号、居民编号、居民卡号或商家编号。")


class UnknownBookCode(NotFound):
    code = "unknown-book-code"
    title = N_("没有这本账")
    sentence = N_("没有编号为“{book}”的账簿，或者不在您的查账范围内。")


class WholeBookOnly(Forbidden):
    """Sums over a whole book tell of branches that the one who asks does not reach."""

    code = "whole-book-only"
    title = N_("只能看本驿站的账")
    sentence = N_("核验和试算平衡要看整本账，您的范围只到驿站。请找中心的审计员。")


class ExportTooLarge(Invalid):
    code = "export-too-large"
    title = N_("导出的内容太多")
    sentence = N_("符合条件的有 {entries} 笔，一次最多导出 {limit} 笔。请缩小日期范围，分几次导出。")
