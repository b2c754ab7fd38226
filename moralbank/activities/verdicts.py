"""Every answer a scan can get: one word, one sentence that says what to do next, one sign and one sound
each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from moralbank.errors import N_


@dataclass(frozen=True, slots=True)
class Verdict:
    """sign: ok, warn, bad or pending, as ui.result draws it. sound: good or bad. Fields stand in {braces}."""

    code: str
    sign: str
    sound: str
    title: str
    sentence: str
    #: HTTP status of the page or the answer that carries it.
    status: int = 200
    #: What is said instead once people may check out; empty where that makes no difference.
    once_out_is_open: str = ""

    @property
    def is_good(self) -> bool:
        """Whether a scan is on record: this one or the one it repeats."""
        return self.sound == "good"


OK = Verdict(
    "ok", "ok", "good", N_("签到成功"),
    N_("{at} 已签到。离开前请再扫一次签退，签退从 {out_from} 开始。"),
    once_out_is_open=N_("{at} 已签到。离开前请再扫一次签退。"),
)  # fmt: skip
OK_OUT = Verdict(
    "ok", "ok", "good", N_("签退成功"),
    N_("{at} 已签退，今天在场 {minutes}。组织者核对后积分就到账。"),
)  # fmt: skip
ALREADY = Verdict(
    "already", "ok", "good", N_("已经签过到了"),
    N_("您在 {at} 已签到，不用再扫。离开前请再扫一次签退，签退从 {out_from} 开始。"),
    once_out_is_open=N_("您在 {at} 已签到，不用再扫。离开前请再扫一次签退。"),
)  # fmt: skip
ALREADY_OUT = Verdict(
    "already", "ok", "good", N_("已经签退了"),
    N_("您在 {at} 已签退，不用再扫。组织者核对后积分就到账。"),
)  # fmt: skip
#: The same scan sent twice: the words are those of the first answer, only the code tells them apart.
REPLAYED = replace(OK, code="replayed")
REPLAYED_OUT = replace(OK_OUT, code="replayed")
PENDING = Verdict(
    "pending", "pending", "good", N_("记下了，等组织者确认"),
    N_("{at} 的签到已记下，请让组织者看到您本人，确认后才算数。离开前请再扫一次签退。"),
)  # fmt: skip
PENDING_OUT = replace(PENDING, sentence=N_("{at} 的签退已记下，组织者确认后积分就到账。"))
PENDING_ACTED = replace(
    PENDING, sentence=N_("{at} 的签到已记下，请让组织者看到本人，确认后才算数。离开前请再扫一次签退。")
)
PENDING_HELPED = replace(
    PENDING, title=N_("记下了，等受助人确认"),
    sentence=N_("{at} 的签到已记下，请受助人点一下“是的，来了”。用卡扫的由组织者核实。走的时候再扫一次。"),
)  # fmt: skip
PENDING_HELPED_OUT = replace(
    PENDING_HELPED, sentence=N_("{at} 的签退已记下，请受助人点一下确认。组织者核对后积分就到账。")
)
REVIEW = Verdict(
    "review", "warn", "good", N_("记下了，要当面核对"),
    N_("这台手机已为别人签过到，或您同时在另一场活动里。请现在找工作人员当面核对。"),
)  # fmt: skip
EXPIRED = Verdict(
    "expired", "warn", "bad", N_("二维码过期了"),
    N_("请对着屏幕上的新二维码重新扫一次。"), 410,
)  # fmt: skip
NOT_OPEN = Verdict(
    "not_open", "warn", "bad", N_("还没到时间"),
    N_("现在 {now}，{opens} 起可以扫码，请到时再扫。"), 409,
)  # fmt: skip
CLOSED = Verdict(
    "closed", "bad", "bad", N_("扫码时间已过"),
    N_("现在 {now}，这一场的扫码到 {closes} 为止。人在现场的，请找工作人员补签。"), 409,
)  # fmt: skip
NOT_REGISTERED = Verdict(
    "not_registered", "bad", "bad", N_("还没有报名"),
    N_("这场活动要先报名。请先报名，或找工作人员登记。"), 409,
)  # fmt: skip
NO_GUARDIAN = replace(
    NOT_REGISTERED,
    title=N_("要先有监护人同意"),
    sentence=N_("未满 18 岁，监护人同意后才能签到。请监护人到驿站登记。"),
)
FULL = Verdict(
    "full", "bad", "bad", N_("名额已满"),
    N_("这一场的 {capacity} 个名额已满。请找工作人员，或报名下一场。"), 409,
)  # fmt: skip
REVOKED_CARD = Verdict(
    "revoked_card", "bad", "bad", N_("这张卡已挂失"),
    N_("尾号 {tail} 的卡已挂失，不能再用。请用新卡，或报 8 位居民号。"), 409,
)  # fmt: skip
UNKNOWN = Verdict(
    "unknown", "bad", "bad", N_("没有找到这个人"),
    N_("名册里没有这个号码。请核对后重扫，或输入 8 位居民号。"), 404,
)  # fmt: skip
OTHER_BANK = replace(
    UNKNOWN,
    title=N_("请到所属的中心签到"),
    sentence=N_("这场活动记在另一个中心的账上，记不到您的存折里。请找工作人员。"),
    status=409,
)
UNREADABLE = replace(
    UNKNOWN,
    title=N_("照片里没有找到码"),
    sentence=N_("请把居民卡放平、拍清楚再传一次，或输入卡上的数字。"),
    status=422,
)
FORGED = Verdict(
    "forged", "bad", "bad", N_("这个码不是我们发的"),
    N_("请扫活动现场屏幕或海报上的二维码，或让工作人员帮您签到。"), 404,
)  # fmt: skip
WRONG_APP = Verdict(
    "wrong_app", "bad", "bad", N_("扫错码了"),
    N_("这是{app}，不是居民卡。请扫居民卡上的二维码，或输入 8 位居民号。"), 422,
)  # fmt: skip
LOCKED = Verdict(
    "locked", "warn", "bad", N_("扫得太快了"),
    N_("请等 {seconds} 秒再扫。"), 429,
)  # fmt: skip

#: The fixed vocabulary: every code that a page, the desk or the API can answer with.
CODES = (
    "ok", "already", "replayed", "pending", "expired", "not_open", "closed", "not_registered", "full",
    "revoked_card", "unknown", "forged", "wrong_app", "locked", "review",
)  # fmt: skip
