"""Why a history can't be taken in, as a whole or in one line."""

from __future__ import annotations

from moralbank.errors import N_, Invalid


class BadMapping(Invalid):
    """The mapping itself is not of its form."""

    code = "bad-mapping"
    title = N_("列对照表有误")
    sentence = N_("列对照表的“{field}”不合规定（{reason}），请对照 moralbank/history/mappings/ 里的例子。")


class MissingColumns(Invalid):
    code = "missing-columns"
    title = N_("文件缺列")
    sentence = N_("文件里没有这些列：{columns}。请核对列对照表，没有导入任何一行。")


class UnreadableHistory(Invalid):
    code = "unreadable-history"
    title = N_("读不了这个文件")
    sentence = N_("第 {row} 行之后读不下去（{reason}），请核对编码和格式。")


class MalformedLine(Invalid):
    """One line's field can't be read; the line is refused and its neighbours are not."""

    code = "malformed-line"
    title = N_("这一行读不懂")
    sentence = N_("“{field}”读不懂：{value}")


class UnknownType(Invalid):
    code = "unknown-type"
    title = N_("不认识的类型")
    sentence = N_("不认识的类型：{value}")


class NotAMerchant(Invalid):
    code = "not-a-merchant"
    title = N_("不是商家")
    sentence = N_("兑换要有商家，{merchant} 是柜台。")
