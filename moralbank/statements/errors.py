"""Why there is no statement for a month."""

from __future__ import annotations

from moralbank.errors import N_, Invalid, NotFound, Refused


class MonthMalformed(Invalid):
    code = "month-malformed"
    title = N_("月份写得不对")
    sentence = N_("月份要写成 2026-03 这样：四位年份、短横、两位月份。")


class MonthToCome(NotFound):
    code = "month-to-come"
    title = N_("这个月还没到")
    sentence = N_("{month} 还没到，请看已经开始的月份。")


class MonthBeforeBooks(NotFound):
    code = "month-before-books"
    title = N_("那时还没有账")
    sentence = N_("这个账户从 {first} 开始有账，{month} 没有对账单。")


class NoAccount(NotFound):
    """A login without an account of its own."""

    code = "no-account"
    title = N_("您没有存折")
    sentence = N_("这个账号不是居民账号，没有自己的存折。请用居民账号登录。")


class NoTill(NotFound):
    code = "no-till"
    title = N_("没有商家账户")
    sentence = N_("这个账号没有分到商家，请找驿站工作人员。")


class StatementFails(Refused):
    """The lines don't follow from the log; `why` is leaf, missing, figures, private or signature."""

    code = "statement-fails"
    title = N_("对账单和账簿不一致")
    sentence = N_("对账单和签过的账不一致（{why}）。请保留这张单子，拍下这一页，告诉驿站和监督单位。")


class UnknownLine(NotFound):
    code = "unknown-line"
    title = N_("没有这一行")
    sentence = N_("您的存折没有第 {n} 行，请从存折里点开。")
