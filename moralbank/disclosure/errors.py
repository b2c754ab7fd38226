"""What public notices refuse."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid, NotFound, Refused


class UnknownNotice(NotFound):
    code = "unknown-notice"
    title = N_("没有这份公示")
    sentence = N_("没有找到这份公示，或者公示期已过，已经撤下。")


class PeriodNotOver(Refused):
    code = "period-not-over"
    title = N_("这段时间还没有结束")
    sentence = N_("{until} 日结以后才能出这份公示，请那以后再来。")


class BeforeTheBooks(Refused):
    code = "before-the-books"
    title = N_("那时还没有记账")
    sentence = N_("账簿从 {day} 开始，之前没有可以公示的内容。")


class NoticeWithoutBook(Invalid):
    code = "notice-without-book"
    title = N_("这里没有账簿")
    sentence = N_("请选一个中心空间或驿站：区和街道自己没有账簿。")


class NoticeChanged(Conflict):
    code = "notice-changed"
    title = N_("内容有变，请再看一遍")
    sentence = N_("起草以后有人撤回了同意或更正了账目，草稿已经重新生成，请看过再发布。")


class NoticeNotDraft(Conflict):
    code = "notice-not-draft"
    title = N_("这份公示已经发布过")
    sentence = N_("这份公示已经发布或撤下，请刷新页面看最新的情况。")


class NoticeNotUp(Conflict):
    code = "notice-not-up"
    title = N_("这份公示不在公示期")
    sentence = N_("这份公示还没有发布，或已经撤下，请刷新页面看最新的情况。")


class NoticeStillUp(Refused):
    code = "notice-still-up"
    title = N_("公示期还没有过")
    sentence = N_("公示到 {day} 为止，那以后才能结束。")


class PublisherDrafted(Refused):
    code = "publisher-drafted"
    title = N_("要换一个人发布")
    sentence = N_("草稿是您起的，请另一位同事看过再发布。")


class NoticePublished(Conflict):
    code = "notice-published"
    title = N_("这段时间已经公示过")
    sentence = N_("这段时间的公示已经发布；要改，请先撤下并写明原因。")
