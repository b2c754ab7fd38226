"""Every expected "no" of the bank: families, and what of them may be shown. Knows no HTTP library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


def N_(text: str) -> str:
    """Mark a Chinese source text for extraction into the catalogues without translating it here."""
    return text


class MoralBankError(Exception):
    """An expected refusal with a stable code, a title and one sentence that says what to do next.

    Keyword fields fill the sentence and are the only facts about the refusal that leave the process,
    so give nothing that its reader may not see.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "error"
    title: ClassVar[str] = N_("没有办成")
    sentence: ClassVar[str] = N_("请核对后再试一次。")

    def __init__(self, errors: Mapping[str, Sequence[str]] | None = None, **fields: object) -> None:
        super().__init__(self.code)
        self.errors: dict[str, list[str]] = {name: list(texts) for name, texts in (errors or {}).items()}
        self.fields: dict[str, object] = fields

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence.format_map(_Shown(self.fields))}"


class _Shown(dict[str, object]):
    """Fields of a sentence; a missing one shows its own name, so that a message never raises."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def fill(sentence: str, fields: Mapping[str, object]) -> str:
    """Return the (translated) sentence with the refusal's fields in their places."""
    return sentence.format_map(_Shown(fields))


class Invalid(MoralBankError):
    """The input can't be meant: nothing was decided and nothing is remembered of it."""

    status = 422
    code = "invalid"
    title = N_("填写有误")
    sentence = N_("请改正标出的内容再提交。")


class Unauthenticated(MoralBankError):
    status = 401
    code = "unauthenticated"
    title = N_("请先登录")
    sentence = N_("请登录后再继续。")


class Forbidden(MoralBankError):
    status = 403
    code = "forbidden"
    title = N_("没有权限")
    sentence = N_("您的角色不能做这件事，请找驿站负责人。")


class NotFound(MoralBankError):
    status = 404
    code = "not-found"
    title = N_("没有找到")
    sentence = N_("没有找到要看的内容，请返回上一页。")


class Conflict(MoralBankError):
    """The state moved under the request; nothing was decided, so the same request may be made again."""

    status = 409
    code = "conflict"
    title = N_("情况有变")
    sentence = N_("内容已被改动，请刷新后再试。")


class Refused(MoralBankError):
    """A decision against the request under the rules; with an idempotency key it stays the answer."""

    status = 409
    code = "refused"
    title = N_("不能办理")
    sentence = N_("按规则不能办理，请找工作人员。")


class TooEarly(MoralBankError):
    """What is asked for will be there: `seconds` says when to come again."""

    status = 425
    code = "too-early"
    title = N_("还不到时候")
    sentence = N_("请过 {seconds} 秒再来。")


class TooMany(MoralBankError):
    status = 429
    code = "too-many"
    title = N_("次数太多")
    sentence = N_("请过 {seconds} 秒再试。")


class Unavailable(MoralBankError):
    status = 503
    code = "unavailable"
    title = N_("暂时不能用")
    sentence = N_("系统正忙，请稍后再试，已提交的不会丢失。")
