"""What a proof's page refuses."""

from __future__ import annotations

from moralbank.errors import N_, NotFound


class UnknownProofEntry(NotFound):
    code = "proof-unknown-entry"
    title = N_("账里没有这一笔")
    sentence = N_("账簿里没有这个编号。小票上有、这里没有，就是少记了：请保留小票，拍下这一页，告诉驿站和监督单位。")


class UnknownProofDeed(NotFound):
    code = "proof-unknown-deed"
    title = N_("没有这一条经办记录")
    sentence = N_("经办记录里没有这个编号。请从“谁看过我的资料”或经办记录重新打开。")
