"""What the tree refuses, and what of it can't be as it stands."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


class BadFact(Invalid):
    """A caller's mistake, not a person's: `field` names what has no canonical spelling or no place in a leaf."""

    code = "bad-fact"
    title = N_("存证内容有误")
    sentence = N_("存证的 {field} 不合规定，没有写入。")


class LogMoved(Conflict):
    """Another process integrated the log at the same moment; nothing was done."""

    code = "log-moved"
    title = N_("日志正由别人整理")
    sentence = N_("日志刚被另一个进程推进，这一批没有写入，稍后会再做。")


class TreeBroken(Refused):
    """Stored leaves or tiles no longer lead to the head: somebody altered them."""

    code = "tree-broken"
    title = N_("日志与账目对不上")
    sentence = N_(
        "账本 {book} 的日志从第 {index} 条起与树根对不上，停止登记。请保留现场，运行 moralbank audit verify。"
    )


class LeafUnknown(NotFound):
    code = "leaf-unknown"
    title = N_("日志里没有这一条")
    sentence = N_("日志里没有序号 {index} 的条目，请核对序号和大小。")


class SizeUnknown(NotFound):
    code = "log-size-unknown"
    title = N_("日志没有这么大")
    sentence = N_("日志现有 {size} 条，没有所问的大小，请核对后再问。")
