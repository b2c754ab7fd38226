"""What can't be shown or exported, and why."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Forbidden, Invalid, NotFound, Refused


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
    sentence = N_("核验和试算平衡要看整本账，您的范围只到驿站。请找中心的监督员。")


class ExportTooLarge(Invalid):
    code = "export-too-large"
    title = N_("导出的内容太多")
    sentence = N_("符合条件的有 {entries} 笔，一次最多导出 {limit} 笔。请缩小日期范围，分几次导出。")


class NothingSince(Invalid):
    """A part goes on from a checkpoint that somebody may have: the last one before the day."""

    code = "export-nothing-since"
    title = N_("那天以前没有检查点")
    sentence = N_("{day} 以前还没有签过检查点，没有导出。请改晚一天，或者导出整本账。")


class ExportExists(Conflict):
    code = "export-exists"
    title = N_("文件已经存在")
    sentence = N_("{path} 已经存在，没有改动它。请换一个文件名。")


class VerifierMissing(Refused):
    """An export without the program that checks it would be of no use to a stranger."""

    code = "export-verifier-missing"
    title = N_("缺少核对程序")
    sentence = N_("安装目录里没有 scripts/verify_export.py，没有导出。请重新安装完整的程序。")


class BookUnreadable(Refused):
    """A cell holds what no column of its kind can: somebody altered it past the service."""

    code = "export-book-unreadable"
    title = N_("账簿有读不懂的内容")
    sentence = N_("账簿里有读不懂的内容（{what}），没有导出完。请马上运行 moralbank audit verify，并告诉监督员。")
