"""What kinds of messages there are, on which ways they go, and when people sleep. Knows no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum

from moralbank import clock
from moralbank.errors import N_


class Channel(StrEnum):
    """A way out of the house."""

    EMAIL = "email"
    SMS = "sms"
    WECHAT = "wechat"


CHANNELS = tuple(Channel)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message: its sentence, and how it may travel.

    The sentences' fields are those of Note.facts: `points` and `minutes` numbers, `day` and `month` dates, others as
    they are.
    """

    title: str
    text: str
    #: What it is called where people choose what they want.
    name: str
    #: The page on which its reader finds more.
    path: str
    channels: tuple[Channel, ...] = CHANNELS
    #: It tells of a possible misuse, or somebody sits and waits for it: it goes out at night too.
    is_urgent: bool = False
    #: It is of no use in the inbox and never shown there.
    is_hidden: bool = False
    #: Told to a merchant's operators and not to residents.
    is_of_merchants: bool = False
    #: Told to who works for the bank.
    is_of_staff: bool = False


_PASSBOOK, _SETTLEMENTS = "/me/passbook", "/counter/settlements"

KINDS: Mapping[str, Kind] = {
    "award": Kind(
        N_("收到 {points} 分"),
        N_("您参加的活动已经核对签字，{points} 分存入了您的账户。"),
        N_("积分存入"),
        _PASSBOOK,
        (Channel.EMAIL, Channel.WECHAT),
    ),
    "service": Kind(
        N_("记下 {minutes} 服务时间"),
        N_("您参加的活动已经核对签字，{minutes} 记入了您的服务记录。"),
        N_("服务时间"),
        "/me/passbook?unit=minutes",
        (Channel.EMAIL, Channel.WECHAT),
    ),
    "redemption": Kind(
        N_("兑换了 {points} 分"),
        N_("您在{shop}兑换了 {points} 分。如果不是您本人，请马上联系驿站。"),
        N_("积分兑换"),
        _PASSBOOK,
        is_urgent=True,
    ),
    "undo": Kind(
        N_("退回 {points} 分"),
        N_("{shop}撤销了一笔兑换，{points} 分已经退回您的账户。"),
        N_("兑换撤销"),
        _PASSBOOK,
    ),
    "refund": Kind(
        N_("退回 {points} 分"),
        N_("{shop}给您退了 {points} 分，已经回到您的账户。"),
        N_("退分"),
        _PASSBOOK,
    ),
    "expiry": Kind(
        N_("{points} 分快到期了"),
        N_("您有 {points} 分到{day}就不能再用了，在那之前随时可以兑换。"),
        N_("到期提醒"),
        "/me",
    ),
    "reversal": Kind(
        N_("一笔积分已冲正"),
        N_("有一笔 {points} 分记错了，经两位工作人员核对已经冲正。两行都留在存折里；不清楚可以问驿站，也可以提异议。"),
        N_("冲正"),
        _PASSBOOK,
    ),
    "adjustment": Kind(
        N_("补记 {points} 分"),
        N_("经两位工作人员核对，为您补记了 {points} 分，已经存入您的账户。"),
        N_("补记积分"),
        _PASSBOOK,
    ),
    "late_entry": Kind(
        N_("补录了一次服务"),
        N_("工作人员为您补录了{day}的一次服务，正在公示，到期没有异议就会入账。"),
        N_("补录公示"),
        "/me",
    ),
    "late_entry_ended": Kind(
        N_("补录有了结果"),
        N_("您{day}那次服务的补录没有入账。原因可以问驿站。"),
        N_("补录结果"),
        "/me",
    ),
    "family_linked": Kind(
        N_("{who}可以替您办事了"),
        N_(
            "从现在起，{who}可以在自己的手机上替您签到、出示付款码、看存折。不是您的意思，请在“家人和代办人”里结束，或告诉驿站。"
        ),
        N_("家人可以替我办事"),
        "/me/family",
        is_urgent=True,
    ),
    "helper_appointed": Kind(
        N_("{who}是您的代办人了"),
        N_("按您签的同意书，{who}可以替您办约定的事。随时可以在“家人和代办人”里结束，或告诉驿站。"),
        N_("登记代办人"),
        "/me/family",
        is_urgent=True,
    ),
    "link_ended": Kind(
        N_("{who}不再替您办事"),
        N_("{who}替您办事的约定已经结束。"),
        N_("结束代办"),
        "/me/family",
    ),
    "acted_check_in": Kind(
        N_("{who}替您签到"),
        N_("{who}刚才替您扫码签到或签退。您本人不在场的话，请告诉驿站。"),
        N_("别人替我签到"),
        "/me/family",
    ),
    "acted_redemption": Kind(
        N_("{who}替您兑换了 {points} 分"),
        N_("{who}在{shop}用您的付款码兑换了 {points} 分。如果您不知道这件事，请马上联系驿站。"),
        N_("别人替我兑换"),
        _PASSBOOK,
        is_urgent=True,
    ),
    "objection": Kind(
        N_("您的异议有了答复"),
        N_("驿站答复了您提的异议，请点开看。"),
        N_("异议答复"),
        "/me/objections",
    ),
    "mailbox": Kind(
        N_("邮箱验证码 {code}"),
        N_("您的验证码是 {code}，30 分钟内有效。如果不是您本人在填写邮箱，请不要理会这封邮件。"),
        N_("邮箱验证码"),
        "/me/messages/settings",
        (Channel.EMAIL,),
        is_urgent=True,
        is_hidden=True,
    ),
    "settlement": Kind(
        N_("{month}的结算单出来了"),
        N_("{month}的结算单已经出好，共 {points} 分。哪一笔不对，请在{day}以前提出。"),
        N_("结算"),
        _SETTLEMENTS,
        (Channel.SMS, Channel.WECHAT),
        is_of_merchants=True,
    ),
    "dispute_answered": Kind(
        N_("结算疑问有了答复"),
        N_("驿站答复了结算单 {number} 第 {line} 行的疑问，请点开看。"),
        N_("结算"),
        _SETTLEMENTS,
        (Channel.SMS, Channel.WECHAT),
        is_of_merchants=True,
    ),
    "offer_approved": Kind(
        N_("“{offer}”已通过审核"),
        N_("驿站审核通过了“{offer}”，居民现在看到的就是这一版。"),
        N_("项目审核"),
        "/counter/offers",
        (Channel.SMS, Channel.WECHAT),
        is_of_merchants=True,
    ),
    "offer_returned": Kind(
        N_("“{offer}”被退回"),
        N_("驿站退回了“{offer}”，请点开看原因，改好再提交。居民看到的还是原来的。"),
        N_("项目审核"),
        "/counter/offers",
        (Channel.SMS, Channel.WECHAT),
        is_of_merchants=True,
    ),
    "book_broken": Kind(
        N_("{book}有一处对不上"),
        N_("夜里核验{book}，有一处对不上：{fault}。请先不要记账，保留现场，点开看是哪一处，并告诉管理服务器的人。"),
        N_("账簿核验"),
        "/audit/verify",
        (Channel.EMAIL,),
        is_of_staff=True,
    ),
    "book_whole": Kind(
        N_("{book}又对上了"),
        N_("夜里核验{book}，没有一处不对。之前对不上的地方已经好了。"),
        N_("账簿核验"),
        "/audit/verify",
        (Channel.EMAIL,),
        is_of_staff=True,
    ),
    "payment": Kind(
        N_("结算单已付款"),
        N_("结算单 {number} 已付款，凭证号 {reference}。"),
        N_("结算"),
        _SETTLEMENTS,
        (Channel.SMS, Channel.WECHAT),
        is_of_merchants=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be told to one resident, merchant or login. `event` names what happened: it is told them once."""

    kind: str
    event: str
    branch_id: int
    resident_id: int | None = None
    merchant_id: int | None = None
    login_id: int | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a recipient can be reached; a way that is None does not lead to them."""

    phone: str | None = None
    #: By which number the gateway knows who has bound their WeChat to the bank.
    number: str | None = None
    mailbox: str | None = None

    def by(self, channel: Channel) -> str | None:
        return {Channel.EMAIL: self.mailbox, Channel.SMS: self.phone, Channel.WECHAT: self.number}[channel]


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nothing but what is urgent leaves the house, on the bank's clock."""

    since: time = time(21)
    until: time = time(8)

    def hold(self, instant: datetime) -> bool:
        at = clock.local(instant).time()
        if self.since <= self.until:
            return self.since <= at < self.until
        return at >= self.since or at < self.until

    @classmethod
    def parse(cls, text: str) -> QuietHours:
        """Read "21:00-08:00". Raises: ValueError."""
        since, _, until = text.partition("-")
        return cls(time.fromisoformat(since.strip()), time.fromisoformat(until.strip()))
