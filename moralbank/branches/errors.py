"""What can go wrong with places."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound


class UnknownBranch(NotFound):
    code = "unknown-branch"
    title = N_("没有这个网点")
    sentence = N_("没有找到网点 {branch}，请从列表中选择。")


class BranchCodeTaken(Conflict):
    code = "branch-code-taken"
    title = N_("编号已被使用")
    sentence = N_("编号 {branch} 已经属于另一个网点，请换一个。")


class WrongPlace(Invalid):
    code = "wrong-place"
    title = N_("上级网点不对")
    sentence = N_("区在最上，街道在区下，中心在街道或区下，驿站必须在中心之下。请重新选择上级。")


class BranchMoved(Conflict):
    code = "branch-moved"
    title = N_("网点不能搬家")
    sentence = N_("网点 {branch} 已经登记为另一类或在另一个上级之下，账本不能跟着搬。请用新的编号登记。")


class UnreadableBranchFile(Invalid):
    code = "unreadable-branch-file"
    title = N_("网点文件读不了")
    sentence = N_("第 {line} 行读不了。列名应为 code,name_zh,name_en,kind,parent,address,opening_hours，前四列必填。")
