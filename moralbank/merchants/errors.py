"""What merchants and offers refuse."""

from __future__ import annotations

from moralbank.errors import N_, Invalid, NotFound, Refused


class UnknownMerchant(NotFound):
    code = "unknown-merchant"
    title = N_("没有这家商家")
    sentence = N_("没有找到这家爱心商家，请核对编号。")


class UnknownOffer(NotFound):
    code = "unknown-offer"
    title = N_("没有这个项目")
    sentence = N_("没有找到这个兑换项目，请刷新页面再选。")


class UnknownOperator(NotFound):
    code = "unknown-operator"
    title = N_("不是这家店的收银员")
    sentence = N_("没有在这家店的收银员里找到这个账号，请刷新页面再选。")


class MerchantCodeTaken(Refused):
    code = "merchant-code-taken"
    title = N_("编号已被使用")
    sentence = N_("编号 {merchant} 已经是另一家商家的，请换一个。")


class OfferCodeTaken(Refused):
    code = "offer-code-taken"
    title = N_("编号已被使用")
    sentence = N_("编号 {offer} 已经是这家商家的另一个项目，请换一个。")


class StatusNotNext(Refused):
    code = "merchant-status-not-next"
    title = N_("不能这样变更")
    sentence = N_("商家现在的状态不能直接改成这一个，请按申请、走访、签约的顺序办理。")


class MerchantNotActive(Refused):
    code = "merchant-not-active"
    title = N_("这家店现在不能收积分")
    sentence = N_("{merchant}还没有开通或已停用，不能收积分，请联系驿站。")


class OfferNotActive(Refused):
    code = "offer-not-active"
    title = N_("这个项目已下架")
    sentence = N_("“{offer}”已下架，请选别的项目。")


class OfferNotYet(Refused):
    code = "offer-not-yet"
    title = N_("现在还不能换")
    sentence = N_("“{offer}”要到 {opens} 才能换，请那时再来，或选别的项目。")


class OfferEnded(Refused):
    code = "offer-ended"
    title = N_("这个项目已结束")
    sentence = N_("“{offer}”已经结束，请选别的项目。")


class OfferUsedUp(Refused):
    code = "offer-used-up"
    title = N_("这个月的已换完")
    sentence = N_("“{offer}”这个月的已经换完，下个月 1 日再有，请选别的项目。")


class BadMerchantFile(Invalid):
    code = "bad-merchant-file"
    title = N_("商家名单有误")
    sentence = N_("{file} 第 {line} 行的“{field}”看不懂，什么都没有导入。")
