"""What merchants and offers refuse."""

from __future__ import annotations

from moralbank.errors import N_, Forbidden, Invalid, NotFound, Refused


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


class BadPhoto(Invalid):
    code = "bad-photo"
    title = N_("这张照片用不了")
    sentence = N_("请选一张 JPEG、PNG 或 WebP 照片，不超过 6 MB，边长至少 64 像素。")


class UnknownPhoto(NotFound):
    code = "unknown-photo"
    title = N_("没有这张照片")
    sentence = N_("这张照片已经删除，请返回上一页。")


class UnknownDraft(NotFound):
    code = "unknown-offer-draft"
    title = N_("没有这份草稿")
    sentence = N_("没有找到这份草稿，请回到项目列表。")


class DraftsFull(Refused):
    code = "offer-drafts-full"
    title = N_("草稿太多")
    sentence = N_("一家店最多同时有 {most} 份没有办完的草稿，请先提交或删掉几份。")


class DraftSubmitted(Refused):
    code = "offer-draft-submitted"
    title = N_("驿站正在审核")
    sentence = N_("已经提交给驿站，要改请先撤回。")


class DraftNotSubmitted(Refused):
    code = "offer-draft-not-submitted"
    title = N_("还没有提交")
    sentence = N_("商家还在改这一份，提交以后才能审核。")


class DraftDecided(Refused):
    code = "offer-draft-decided"
    title = N_("这份草稿已经办结")
    sentence = N_("这份草稿已经审核过或删掉了，请回到列表看现在的项目。")


class DraftEmpty(Refused):
    code = "offer-draft-empty"
    title = N_("什么都没有改")
    sentence = N_("和现在的项目一样，没有要审核的。请改好再提交，或删掉草稿。")


class DraftOwn(Forbidden):
    """The login that wrote or submitted it, or one of the same name."""

    code = "offer-draft-own"
    title = N_("不能审核自己写的")
    sentence = N_("这一份是您自己写或提交的，请由另一位工作人员审核。")


class BadMerchantFile(Invalid):
    code = "bad-merchant-file"
    title = N_("商家名单有误")
    sentence = N_("{file} 第 {line} 行的“{field}”看不懂，什么都没有导入。")
