"""Why there is no certificate, or none any more."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


class CertificateIncomplete(Refused):
    """What the regulation asks for isn't all there; `missing` names it."""

    code = "certificate-incomplete"
    title = N_("还不能叫“志愿服务记录证明”")
    sentence = N_("还缺：{missing}。补全以后再开证明；现在可以先打印服务记录摘录。")


class NothingToCertify(Refused):
    code = "nothing-to-certify"
    title = N_("这段时间没有服务时间")
    sentence = N_("{first} 至 {last} 没有服务时间，开不出证明。请换一段时间。")


class PeriodBackwards(Invalid):
    code = "certificate-period"
    title = N_("起止日期不对")
    sentence = N_("开始日期不能晚于结束日期，结束日期不能在今天以后。")


class OwnCertificate(Refused):
    code = "own-certificate"
    title = N_("不能给自己开")
    sentence = N_("自己的证明要请别的工作人员开。")


class UnknownCertificate(NotFound):
    code = "unknown-certificate"
    title = N_("没有这张证明")
    sentence = N_("没有找到这张证明，请从登记簿里点开。")


class CertificateVoid(Conflict):
    """It was revoked or corrected before."""

    code = "certificate-void"
    title = N_("这张证明已经作废")
    sentence = N_("{number} 已经撤销或被更正，不能再改。")


class CertificateForgotten(NotFound):
    """Its holder was forgotten, and with them what it said."""

    code = "certificate-forgotten"
    title = N_("内容已按本人要求删除")
    sentence = N_("{number} 的内容已随本人资料一起删除，只留编号和日期。")


class RecordConsentMissing(Refused):
    code = "record-consent-missing"
    title = N_("本人还没有同意")
    sentence = N_("要先有本人对“记录”的同意，才能记这些。请在储户资料的“同意事项”里记下。")


class UnknownFact(NotFound):
    code = "unknown-record-fact"
    title = N_("没有这一条")
    sentence = N_("这一条已经删掉了。")
