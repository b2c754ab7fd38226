"""What earning refuses, in the order the reader and the verbs check it."""

from __future__ import annotations

from moralbank.errors import N_, Invalid, NotFound, Refused


class RuleTableUnreadable(Invalid):
    code = "rule-table-unreadable"
    title = N_("规则表读不了")
    sentence = N_("规则表缺少这些列：{columns}。请按模板补齐后再试。")


class RuleFieldMissing(Invalid):
    code = "rule-field-missing"
    title = N_("规则没有填全")
    sentence = N_("规则 {rule} 没有填“{field}”，请补上。")


class RuleNotWhole(Invalid):
    code = "rule-not-whole"
    title = N_("要填整数")
    sentence = N_("规则 {rule} 的“{field}”要填整数，不能是“{value}”。")


class NegativePoints(Invalid):
    """A rule with negative points can't be stored: nobody is ever fined."""

    code = "rule-negative-points"
    title = N_("积分不能为负")
    sentence = N_("规则 {rule} 的积分是负数。道德银行只存不扣，请改成 0 或更大的整数。")


class UnknownBasis(Invalid):
    code = "rule-unknown-basis"
    title = N_("不认识的计分方式")
    sentence = N_("规则 {rule} 的计分方式“{value}”不认识，可用的有：{known}。")


class UnknownCapBasis(Invalid):
    code = "rule-unknown-cap"
    title = N_("不认识的上限方式")
    sentence = N_("规则 {rule} 的上限方式“{value}”不认识，可用的有：{known}。")


class BadStep(Invalid):
    code = "rule-bad-step"
    title = N_("计时单位不对")
    sentence = N_("规则 {rule} 按小时计分，要填 1 到 60 分钟的计时单位；其他计分方式请留空。")


class BadCap(Invalid):
    code = "rule-bad-cap"
    title = N_("上限不对")
    sentence = N_("规则 {rule} 的上限要大于 0；按时长计分的可限时长或积分，其他的可限次数或积分。")


class BadDate(Invalid):
    code = "rule-bad-date"
    title = N_("日期不对")
    sentence = N_("规则 {rule} 的生效日期“{value}”不是日期，请写成 2026-01-01 的样子。")


class BadYesNo(Invalid):
    code = "rule-bad-yes-no"
    title = N_("要填是或否")
    sentence = N_("规则 {rule} 的“{field}”请填 yes 或 no，不能是“{value}”。")


class VersionGap(Invalid):
    """Versions of a rule are 1, 2, 3 … and each starts later than the one before."""

    code = "rule-version-gap"
    title = N_("版本不连续")
    sentence = N_("规则 {rule} 的第 {version} 版接不上前一版：版本号要连续，生效日期要更晚。")


class ConsultationMissing(Invalid):
    code = "rule-consultation-missing"
    title = N_("缺少征询记录")
    sentence = N_("请写明谁提出、谁商议、谁决定、何时公开，再采用新规则。")


class StartsInThePast(Refused):
    code = "rule-starts-in-the-past"
    title = N_("不能从过去生效")
    sentence = N_("规则 {rule} 不能从 {effective_from} 起生效，请选今天（{today}）或以后的日期。")


class RuleAlreadyAdopted(Refused):
    """The stored text of a version never changes."""

    code = "rule-already-adopted"
    title = N_("这一版已经采用")
    sentence = N_("规则 {rule} 第 {version} 版已经采用，内容不能改，请另立新版。")


class UnknownRule(NotFound):
    code = "rule-unknown"
    title = N_("没有这条规则")
    sentence = N_("没有编号为 {rule} 的积分规则，请从规则表里选。")


class RuleNotInForce(Refused):
    code = "rule-not-in-force"
    title = N_("规则尚未生效")
    sentence = N_("规则 {rule} 在 {day} 还没有生效，请核对日期。")


class ClaimNotWhole(Invalid):
    code = "claim-not-whole"
    title = N_("数量不对")
    sentence = N_("“{field}”要填 0 或更大的整数，不能是“{value}”。")
