"""What readers of a log and keepers of its witnesses are refused."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused, TooEarly


class UnknownLogBook(NotFound):
    code = "log-unknown-book"
    title = N_("没有这本账")
    sentence = N_("没有编号为 {book} 的账簿，请核对地址。")


class UnknownLogEntry(NotFound):
    code = "log-unknown-entry"
    title = N_("没有这笔")
    sentence = N_("账簿里没有这笔，也没有等着封存的。请核对编号；小票上有而这里没有，请保留小票，马上告诉监督员。")


class NotSealedYet(TooEarly):
    code = "log-not-sealed-yet"
    title = N_("还没有封存")
    sentence = N_("这一笔已记账，还没有进入签过名的检查点。请过 {seconds} 秒再来。")


class NotSignedYet(TooEarly):
    code = "log-not-signed-yet"
    title = N_("还没有检查点")
    sentence = N_("这个日志还没有签过检查点。请过 {seconds} 秒再来。")


class UnknownTile(NotFound):
    code = "log-unknown-tile"
    title = N_("没有这一块")
    sentence = N_("签过的检查点里没有这一块（{path}），请按检查点的大小推算地址。")


class SizesReversed(Invalid):
    code = "log-sizes-reversed"
    title = N_("大小颠倒了")
    sentence = N_("一致性证明从小的到大的：{old} 大于 {new}，请对调。")


class LargerThanLog(NotFound):
    code = "log-larger-than-signed"
    title = N_("日志没有这么大")
    sentence = N_("签过的检查点最大是 {size}，没有 {asked}。手里的检查点比它大，请保留，马上告诉监督员。")


class NeverSigned(NotFound):
    code = "log-size-never-signed"
    title = N_("没有这个大小的检查点")
    sentence = N_("没有签过大小 {size} 的检查点。")


class WitnessKnown(Conflict):
    """Another key of the same name would let one witness speak with two voices."""

    code = "witness-known"
    title = N_("见证人已登记")
    sentence = N_("名称或公钥已经登记在册（{name}），没有改动。要换公钥，先停用旧的。")


class UnknownWitness(NotFound):
    code = "witness-unknown"
    title = N_("没有这位见证人")
    sentence = N_("没有登记这位见证人，请核对名称。")


class PolicyNeedsWitness(Refused):
    code = "witness-needed-by-policy"
    title = N_("见证规则还要用到")
    sentence = N_("停用后只剩 {left} 家，见证规则要 {needed} 家。请先改见证规则，或先登记新的见证人。")


class NothingSigned(Refused):
    """No line of what was handed in is a registered witness's word on a checkpoint of this bank."""

    code = "witness-nothing-signed"
    title = N_("没有可收的见证签名")
    sentence = N_("交来的内容里没有登记在册的见证人对本行检查点的签名，没有收下。")
