"""What the log refuses, in the order in which a reader of a note meets it."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


class BadNote(Invalid):
    """Not a signed note at all; `reason` names the rule of the format that it breaks."""

    code = "bad-note"
    title = N_("不是签名文本")
    sentence = N_("这不是合规的签名文本（{reason}），没有采用。请重新取一份完整的文件。")


class BadVerifierKey(Invalid):
    code = "bad-verifier-key"
    title = N_("验证公钥有误")
    sentence = N_("验证公钥不合规定，应为“名称+编号+公钥”一行。请核对后再粘贴。")


class BadSigningKey(Invalid):
    """Says nothing of the key's content: it is a secret."""

    code = "bad-signing-key"
    title = N_("签名密钥有误")
    sentence = N_("签名密钥文件不合规定，没有签名。请换用备份的密钥文件。")


class Unsigned(Refused):
    code = "note-unsigned"
    title = N_("没有可信的签名")
    sentence = N_("文本上没有一个已知密钥的签名，不能采信。")


class WrongSignature(Refused):
    code = "note-signature-wrong"
    title = N_("签名不对")
    sentence = N_("{name} 的签名与文本不符，整份文本不能采信。")


class BadCheckpoint(Invalid):
    code = "bad-checkpoint"
    title = N_("检查点有误")
    sentence = N_("检查点的{part}不合规定，没有采用。请重新取一份。")


class OtherOrigin(Refused):
    code = "checkpoint-other-origin"
    title = N_("不是这个日志的检查点")
    sentence = N_("检查点出自 {origin}，不是 {expected}，没有采用。")


class BadPolicy(Invalid):
    code = "bad-witness-policy"
    title = N_("见证规则有误")
    sentence = N_("见证规则应为“几家中的几家”，人数不能超过登记的见证人，公钥不能重复。")


class PolicyUnmet(Refused):
    code = "cosignatures-missing"
    title = N_("见证签名不够")
    sentence = N_("需要 {needed} 家见证人签名，只有 {found} 家，不能采信。")


class BadProof(Invalid):
    code = "bad-log-proof"
    title = N_("证明文件有误")
    sentence = N_("证明文件不合规定（{reason}），没有采用。请重新取一份。")


class ProofFails(Refused):
    """The file is well-formed and signed, and doesn't lead from this leaf to the signed root."""

    code = "log-proof-fails"
    title = N_("证明不成立")
    sentence = N_("由这一笔算不出检查点上签过的树根：内容、位置或证明被改过。")


class BadWitnessRequest(Invalid):
    """Not the body of an add-checkpoint request; `reason` names the rule that it breaks."""

    status = 400
    code = "bad-witness-request"
    title = N_("见证请求有误")
    sentence = N_("这不是合规的见证请求（{reason}），没有签名。请向银行重新取一份。")


class UntrustedOrigin(NotFound):
    code = "witness-unknown-origin"
    title = N_("没有登记这个日志")
    sentence = N_("见证人没有登记日志 {origin}，没有签名。请先核对公钥，再登记。")


class OtherSize(Conflict):
    """The request goes on from another size than the witness signed last; the answer says from which it must."""

    code = "witness-other-size"
    title = N_("要从另一个大小接起")
    sentence = N_("见证人上次签的是大小 {size}，请从这个大小重新出一份见证请求。")


class OtherRoot(Refused):
    """Two trees of one size: one of them is a forgery, so somebody must look into it."""

    code = "witness-other-root"
    title = N_("同一大小有两个树根")
    sentence = N_("大小 {size} 已经签过另一个树根，绝不再签。请保存两份检查点，马上追查。")


class Inconsistent(Invalid):
    code = "witness-inconsistent"
    title = N_("不是上次的延续")
    sentence = N_("由一致性证明算不出：大小 {size} 的检查点不是上次签过的延续，没有签名。请保存文件，马上追查。")


class OtherLogKey(Conflict):
    """A log's key changes only when the witness's keeper has looked into it and says so."""

    code = "witness-other-log-key"
    title = N_("日志的公钥变了")
    sentence = N_("日志 {origin} 已用另一把公钥登记。查明换钥匙的公告后，用 --also 一并登记。")


class WitnessExists(Conflict):
    code = "witness-exists"
    title = N_("这里已有见证人")
    sentence = N_("{place} 里已有见证人的密钥，没有改动。请换一个目录。")


class NoWitness(NotFound):
    code = "witness-not-here"
    title = N_("这里没有见证人")
    sentence = N_("{place} 里没有见证人的密钥和记录，请先用 moralbank witness init 建立。")


class BadWitnessRecord(Refused):
    """A witness that can't tell what it signed must not sign: it might sign two trees of one size."""

    code = "witness-record-broken"
    title = N_("见证记录读不出")
    sentence = N_("{place} 的见证记录读不出，不能签名。请从最近一份备份恢复，不要另建空的。")


class KeyFileOpen(Refused):
    code = "key-file-open"
    title = N_("密钥文件别人也能读")
    sentence = N_("{place} 别人也能读。请先 chmod 600，并考虑换一把密钥。")
