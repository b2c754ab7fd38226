"""Why there is no statement for a month."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


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


class PeriodMalformed(Invalid):
    code = "period-malformed"
    title = N_("期间写得不对")
    sentence = N_("月份要写成 2026-03 这样，季度写成 2026-Q1，年度写成 2026。")


class PeriodNotClosed(Refused):
    code = "period-not-closed"
    title = N_("还不能出单")
    sentence = N_("{period} 的每一天都日结以后，才能出对账单。请等到期间结束后再看。")


class NotIssued(Conflict):
    code = "statement-not-issued"
    title = N_("还没有出单")
    sentence = N_("{period} 的对账单还没有出。期间结束、每天日结以后，系统会自动出单。")


class IssuedDiffers(Refused):
    """What the ledger says of a period is not what was issued."""

    code = "issued-differs"
    title = N_("和出单时不一致")
    sentence = N_("账户 {account} 在 {period} 的内容和出单时不一致。请停用这张单子，通知监督单位核验账簿。")


class NoAccount(NotFound):
    """A login without an account of its own."""

    code = "no-account"
    title = N_("您没有存折")
    sentence = N_("这个账号不是居民账号，没有自己的存折。请用居民账号登录。")


class NoHouseholdAccount(NotFound):
    code = "no-household-account"
    title = N_("家里还没有共同的账")
    sentence = N_("您家还没有按户记的积分（例如垃圾分类）。有了第一笔以后，这里就有对账单。")


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


class CodeMistyped(Invalid):
    """The check digits don't fit: it was copied wrong, and says nothing of the passbook."""

    code = "passbook-code"
    title = N_("校验码抄错了")
    sentence = N_("校验码是 8 位数字，抄错一位就不成立。请照着纸存折再输一次。")


class UnknownPrint(NotFound):
    code = "unknown-print"
    title = N_("没有这次打印")
    sentence = N_("没有找到这次打印，请从“批量打印对账单”里点开。")


class PrintNotReady(Conflict):
    code = "print-not-ready"
    title = N_("文件还没做好")
    sentence = N_("文件还没做好，或者已经清理。请回到“批量打印对账单”看一下。")
