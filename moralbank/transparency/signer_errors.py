"""What keeps the signer from signing, and what it says of a tree that it would not sign."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, NotFound, Refused


class SignerRunning(Conflict):
    """Two signers of one memory could sign two trees of one size."""

    code = "signer-running"
    title = N_("签名程序已在运行")
    sentence = N_("{place} 已由另一个签名程序使用。请先停掉那一个。")


class BadSignerRecord(Refused):
    """A signer that can't tell what it signed must not sign."""

    code = "signer-record-broken"
    title = N_("签名记录读不出")
    sentence = N_("{place} 读不出，不能签名。请不要删除，查明原因后从副本恢复。")


class SigningKeyLost(Refused):
    code = "signing-key-lost"
    title = N_("签名密钥不见了")
    sentence = N_("日志已用别的密钥签过，而 {place} 里没有它。请放回密钥文件；确实丢了，运行 rotate-key --lost。")


class SigningKeyThere(Conflict):
    code = "signing-key-there"
    title = N_("密钥还在")
    sentence = N_("{place} 里的密钥还能签名，不必作丢失处理。换钥匙请运行 rotate-key。")


class RotationRunning(Conflict):
    code = "key-rotation-running"
    title = N_("正在换钥匙")
    sentence = N_("上一把密钥要签到 {until}，在那以前不能再换。")


class UnknownRefusal(NotFound):
    code = "unknown-signing-refusal"
    title = N_("没有这一次拒签")
    sentence = N_("没有编号 {number} 的未了结拒签，请用 moralbank transparency status 查看。")


#: By Refusal.what, for people who run the bank.
REFUSED = {
    "shrunk": N_("日志变小了：比已经签过的少。多半是恢复了旧备份，或有人删了账目。"),
    "rewritten": N_("日志被改写：由账目算出的树根不是已签那棵树的延续。"),
    "unreadable": N_("日志里有条目读不出来，算不出树根。"),
    "forked": N_("同样大小已有另一份检查点，内容不同。"),
    "other-origin": N_("数据库里的日志名与签名程序记得的不同，可能接错了数据库。"),
    "other-key": N_("日志已用别的密钥签过，这把密钥不在其中。"),
    "broken": N_("已登记的账目与日志的树根对不上，有人改过账目或日志。"),
}
