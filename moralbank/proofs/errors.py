"""What a proof's page refuses."""

from __future__ import annotations

from moralbank.errors import N_, NotFound


class UnknownProofEntry(NotFound):
    code = "proof-unknown-entry"
    title = N_("账里没有这一笔")
    sentence = N_("账簿里没有这个编号。小票上有、这里没有，就是少记了：请保留小票，拍下这一页，告诉驿站和监督单位。")
