"""What objecting and answering refuse."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Forbidden, NotFound, Refused


class UnknownObjection(NotFound):
    code = "unknown-objection"
    title = N_("没有这条异议")
    sentence = N_("没有找到这条异议，请回列表再选。")


class AlreadyObjected(Conflict):
    code = "already-objected"
    title = N_("已经提过了")
    sentence = N_("您已经对这一条提过异议，驿站会在{day}以前答复。")


class ObjectionAnswered(Conflict):
    code = "objection-answered"
    title = N_("这条异议已经答复")
    sentence = N_("这条异议已经答复，请刷新页面看结果。")


class AnsweringOwnAct(Forbidden):
    code = "answering-own-act"
    title = N_("要换一个人答复")
    sentence = N_("异议说的是您经办的事，请换一位同事答复。")


class ObjectionsOpen(Refused):
    code = "objections-open"
    title = N_("还有异议没有答复")
    sentence = N_("还有 {count} 条异议没有答复，答复以后才能结束公示。")


class TooManyObjections(Refused):
    code = "too-many-objections"
    title = N_("这里的异议已经很多")
    sentence = N_("这份公示还有 {count} 条异议没有答复，请直接到驿站说，工作人员会当面记下。")
