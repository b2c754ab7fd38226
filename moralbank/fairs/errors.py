"""What fairs refuse, in the words the reader sees."""

from __future__ import annotations

from moralbank.errors import N_, Forbidden, Invalid, NotFound, Refused


class UnknownFair(NotFound):
    code = "fair-unknown"
    title = N_("没有这场集市")
    sentence = N_("没有找到这场集市，请从列表里选。")


class UnknownStall(NotFound):
    code = "stall-unknown"
    title = N_("没有这个摊位")
    sentence = N_("没有找到这个摊位，请从集市的页面里选。")


class BadFair(Invalid):
    code = "fair-unfit"
    title = N_("集市没有填好")
    sentence = N_("请改正标出的内容再保存。")


class FairOver(Refused):
    code = "fair-over"
    title = N_("集市已经结束")
    sentence = N_("这场集市已经结束，不能再给摊位开临时账号。")


class NoStall(Forbidden):
    code = "stall-not-open"
    title = N_("没有开着的摊位")
    sentence = N_("这个账号没有开着的摊位：可能还没到时间，或者已经收摊。请找集市的工作人员。")
