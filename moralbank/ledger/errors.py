"""The ledger's refusals, in the order of precedence in which posting checks them."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


class BadDraft(Invalid):
    """A field of the draft is not of its form."""

    code = "bad-entry"
    title = N_("分录有误")
    sentence = N_("分录的“{field}”不合规定，没有记账。")


class BadAmount(Invalid):
    code = "bad-amount"
    title = N_("数目有误")
    sentence = N_("数目必须是不为零的整数，绝对值不超过 9007199254740991，没有记账。")


class Unbalanced(Invalid):
    code = "unbalanced"
    title = N_("借贷不平")
    sentence = N_("一笔分录里每种单位的进出必须相等，没有记账。")


class SecondPersonNeeded(Invalid):
    """Nobody checks what they did themselves, in whatever role."""

    code = "second-person-needed"
    title = N_("需要第二人复核")
    sentence = N_("这类分录要由另一个人复核，经办人不能复核自己，没有记账。")


class UnknownBook(NotFound):
    code = "unknown-book"
    title = N_("没有这本账")
    sentence = N_("没有编号为 {book} 的账簿，没有记账。")


class KeyReused(Conflict):
    code = "key-reused"
    title = N_("请求编号重复")
    sentence = N_("这个请求编号已用于另一笔内容，没有记账。请换一个编号。")


class UnknownAccount(NotFound):
    code = "unknown-account"
    title = N_("没有这个账户")
    sentence = N_("账簿里没有账户 {account}，没有记账。")


class OtherBook(Conflict):
    code = "other-book"
    title = N_("不是同一本账")
    sentence = N_("账户 {account} 属于另一本账，跨账簿要经过往来账户，没有记账。")


class DayClosed(Conflict):
    code = "day-closed"
    title = N_("当日已结账")
    sentence = N_("{day} 已经结账，不能再记。请在下一个营业日更正。")


class UnknownEntry(NotFound):
    code = "unknown-entry"
    title = N_("没有这笔分录")
    sentence = N_("账簿里没有这笔分录，请核对编号。")


class EntryExists(Conflict):
    code = "entry-exists"
    title = N_("分录编号已被使用")
    sentence = N_("这个分录编号已经在账簿里，没有记账。")


class SourcePosted(Refused):
    code = "source-posted"
    title = N_("已经记过")
    sentence = N_("这件事已经记过一笔，不会再记第二笔。")


class AlreadyReversed(Refused):
    code = "already-reversed"
    title = N_("已经冲正")
    sentence = N_("这笔分录已经冲正过，不能再冲。")


class NotReversible(Refused):
    code = "not-reversible"
    title = N_("不能冲正")
    sentence = N_("冲正本身不能再冲正，请另记一笔更正。")


class InsufficientBalance(Refused):
    """The balance itself is not a public field: a till must not learn it."""

    code = "insufficient-balance"
    title = N_("余额不足")
    sentence = N_("余额不够这一笔，没有扣分。请改小数目或换一项。")
