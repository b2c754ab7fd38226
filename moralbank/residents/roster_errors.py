"""Why a whole roster file is refused. What is wrong with single rows is a verdict, not an error."""

from __future__ import annotations

from moralbank.errors import N_, Invalid


class RosterTooLarge(Invalid):
    code = "roster-too-large"
    title = N_("文件太大")
    sentence = N_("文件超过 {megabytes} MB，请拆成几个文件分别导入。")


class RosterUnpacksTooLarge(Invalid):
    code = "roster-unpacks-too-large"
    title = N_("文件解开后太大")
    sentence = N_("文件解开后超过 {megabytes} MB，请只留名单一张表，另存后再导入。")


class RosterTooManyRows(Invalid):
    code = "roster-too-many-rows"
    title = N_("行数太多")
    sentence = N_("名单超过 {rows} 行，请拆成几个文件分别导入。")


class RosterOldExcel(Invalid):
    code = "roster-old-excel"
    title = N_("旧版或加密的 Excel 文件")
    sentence = N_("这是旧版（.xls）或加了密码的文件，请另存为不带密码的 .xlsx 后再导入。")


class RosterUnknownFormat(Invalid):
    code = "roster-unknown-format"
    title = N_("文件类型不对")
    sentence = N_("请导入 .xlsx 或 .csv 文件。")


class RosterUnreadable(Invalid):
    code = "roster-unreadable"
    title = N_("文件打不开")
    sentence = N_("文件已损坏或不完整，请在 Excel 里打开后另存一份再导入。")


class RosterUnknownEncoding(Invalid):
    code = "roster-unknown-encoding"
    title = N_("文字编码认不出")
    sentence = N_("文件的文字编码认不出，请在 Excel 里另存为“CSV UTF-8”或 .xlsx 后再导入。")


class RosterHeaderMissing(Invalid):
    code = "roster-header-missing"
    title = N_("找不到表头")
    sentence = N_("前 {rows} 行里没有找到表头，请保留“姓名、手机号、所属驿站”这一行。")


class RosterColumnsMissing(Invalid):
    code = "roster-columns-missing"
    title = N_("表头缺列")
    sentence = N_("表头缺少这些列：{columns}。请补上后再导入。")
