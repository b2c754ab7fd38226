"""Everything the rooms of residents refuse, in the words the reader sees."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


class UnknownResident(NotFound):
    code = "resident-unknown"
    title = N_("没有这位储户")
    sentence = N_("没有找到这位储户，请核对编号后再查。")


class AlreadyEnrolled(Conflict):
    code = "resident-already-enrolled"
    title = N_("已经登记过")
    sentence = N_("这个人（编号 {number}）已经登记过，请直接使用原来的账户。")


class GuardianMissing(Invalid):
    code = "guardian-missing"
    title = N_("需要监护人同意")
    sentence = N_("未满 18 岁要由监护人同意，请填写监护人姓名和关系。")


class BranchWithoutBook(Refused):
    code = "branch-without-book"
    title = N_("这里还不能登记储户")
    sentence = N_("{branch}还没有开账，请选有账的驿站。")


class ResidentLeft(Refused):
    code = "resident-left"
    title = N_("已经退出")
    sentence = N_("这位储户已经退出，不能再办理。")


class ResidentForgotten(Refused):
    code = "resident-forgotten"
    title = N_("已经遗忘")
    sentence = N_("这位储户的资料已经按本人要求删除，不能再办理。")


class CardRevoked(Refused):
    code = "card-revoked"
    title = N_("卡已挂失")
    sentence = N_("这张卡（尾号 {tail}）已挂失，请到驿站补卡。")


class NoCardInForce(Refused):
    code = "no-card-in-force"
    title = N_("没有可用的卡")
    sentence = N_("这位储户没有在用的卡，请先发卡。")


class CardInForce(Conflict):
    code = "card-in-force"
    title = N_("已经有卡")
    sentence = N_("已有一张在用的卡（尾号 {tail}），请先挂失再补卡。")


class NothingToImport(Refused):
    code = "nothing-to-import"
    title = N_("没有要导入的人")
    sentence = N_("名单里没有可以新登记的人，请核对后重新上传。")


class ImportNotOpen(Conflict):
    code = "import-not-open"
    title = N_("这次导入已经办过")
    sentence = N_("这份名单已经确认或放弃，请回到列表查看结果。")


class UnknownImport(NotFound):
    code = "import-unknown"
    title = N_("没有这次导入")
    sentence = N_("没有找到这次导入，请回到列表选择。")


class UnknownHousehold(NotFound):
    code = "household-unknown"
    title = N_("没有这一户")
    sentence = N_("没有找到这一户，请核对户号。")


class OtherBook(Conflict):
    code = "resident-other-book"
    title = N_("不能换到另一本账")
    sentence = N_("{branch}用的是另一本账，请先销户再到那里登记。")


class StatusNotNext(Refused):
    code = "resident-status"
    title = N_("不能这样办")
    sentence = N_("这位储户现在的状态不能这样办，请刷新后再看。")
