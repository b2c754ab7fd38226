"""What activities refuse, in the words the reader sees. Answers to scans are not here but in verdicts.py."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Forbidden, Invalid, NotFound, Refused


class UnknownActivity(NotFound):
    code = "activity-unknown"
    title = N_("没有这项活动")
    sentence = N_("没有找到这项活动，请从活动列表里选。")


class UnknownSession(NotFound):
    code = "activity-session-unknown"
    title = N_("没有这一场")
    sentence = N_("没有找到这一场活动，请从活动列表里选。")


class UnknownScan(NotFound):
    code = "checkin-unknown"
    title = N_("没有这次签到")
    sentence = N_("没有找到这次签到，可能已经撤销。")


class OtherBank(Refused):
    code = "activity-other-bank"
    title = N_("请到所属的中心报名")
    sentence = N_("这场活动记在另一个中心的账上，记不到您的存折里。请看本中心的活动。")


class UnknownPoster(NotFound):
    code = "poster-unknown"
    title = N_("没有这张海报")
    sentence = N_("没有找到这张海报，请从这一场的页面重新打印。")


class BadPlan(Invalid):
    code = "activity-bad-plan"
    title = N_("活动没有填好")
    sentence = N_("请改正标出的内容再保存。")


class CodeTaken(Conflict):
    code = "activity-code-taken"
    title = N_("编号已被使用")
    sentence = N_("编号 {activity} 已经有活动在用，请换一个或留空。")


class BadTimes(Invalid):
    code = "session-bad-times"
    title = N_("时间不对")
    sentence = N_("结束要晚于开始，一场最长 12 小时，请核对日期和时间。")


class SessionTaken(Conflict):
    code = "session-taken"
    title = N_("这一场已经有了")
    sentence = N_("这项活动在同一时间已经有一场，请换个时间。")


class NoSession(Refused):
    code = "activity-without-session"
    title = N_("还没有场次")
    sentence = N_("请先添加至少一场，再发布活动。")


class NotADraft(Refused):
    code = "activity-not-a-draft"
    title = N_("活动已经发布")
    sentence = N_("发布后不能改积分规则和网点，请取消后另立一项。")


class ActivityOver(Refused):
    code = "activity-over"
    title = N_("活动已经结束")
    sentence = N_("这项活动已取消或结束，不能再改。")


class SessionOver(Refused):
    code = "session-over"
    title = N_("这一场已经结束")
    sentence = N_("这一场已签字或取消，不能再改。")


class SessionsOpen(Refused):
    code = "activity-has-open-sessions"
    title = N_("还有场次没有签字")
    sentence = N_("请先给每一场签字或取消，再结束活动。")


class SessionHasScans(Refused):
    code = "session-has-scans"
    title = N_("已经有人签到")
    sentence = N_("这一场已有 {people} 人签到，请签字结束，不能取消。")


class SignupClosed(Refused):
    code = "signup-closed"
    title = N_("报名已截止")
    sentence = N_("这一场已经开始或取消，不能再报名或退出。")


class NotSignedUp(Refused):
    code = "not-signed-up"
    title = N_("还没有报名")
    sentence = N_("您没有报名这一场，不用取消。")


class StillInside(Refused):
    code = "sign-off-too-early"
    title = N_("现在还不能签字")
    sentence = N_("还有 {people} 人没有签退。请等他们签退，或在 {ends} 活动结束后再签字。")


class NotStarted(Refused):
    code = "sign-off-not-started"
    title = N_("现在还不能签字")
    sentence = N_("这一场还没到签退时间，请在 {opens} 以后再签字。")


class CheckOutOpen(Refused):
    """Who signs now cuts off those who may still check out themselves, so they must say that they mean it."""

    code = "sign-off-check-out-open"
    title = N_("签退还没有截止")
    sentence = N_(
        "还有 {people} 人没有签退，签退到 {closes} 截止。请在截止后再签字；不等他们，请勾选“现在就截止签退”。"
    )


class HeadCountDiffers(Invalid):
    """The count at the door is what stops sold and invented hours, so it must fit exactly."""

    code = "head-count-differs"
    title = N_("人数对不上")
    sentence = N_("您点的人数是 {head_count}，名单上确认了 {confirmed} 人。请再点一次人，或核对名单后再签字。")


class OwnAttendance(Refused):
    code = "sign-off-own-attendance"
    title = N_("要由另一位工作人员签字")
    sentence = N_("名单里有您本人或您的家人，请另一位工作人员来签字。")


class SecondNeeded(Refused):
    """Told to nobody where the pages and the API hold the sign-off for the second person instead."""

    code = "sign-off-needs-second"
    title = N_("要第二位工作人员复核")
    sentence = N_("确认的 {confirmed} 人里有 {people} 人的时长或签到是人工认定的，要由另一位工作人员复核。")


class SignOffHeld(Refused):
    code = "sign-off-held"
    title = N_("正在等复核")
    sentence = N_("这一场已经签过字，在等另一位工作人员复核。要改名单，请签字的人先撤回。")


class SecondOwn(Forbidden):
    """The login that signed, or one of the same name."""

    code = "sign-off-second-own"
    title = N_("不能复核自己签的")
    sentence = N_("这一场是您签的字，要由另一位工作人员复核；想改可以撤回。")


class UnknownHeldSignOff(NotFound):
    code = "unknown-held-sign-off"
    title = N_("没有等复核的签字")
    sentence = N_("这一场没有等复核的签字，请回到签字页看现在的情况。")


class SignOffDecided(Refused):
    code = "sign-off-decided"
    title = N_("这次签字已经处理")
    sentence = N_("这次签字已经复核、退回或撤回，请回到签字页看现在的情况。")


class BadDecision(Invalid):
    code = "sign-off-bad-minutes"
    title = N_("时长不对")
    sentence = N_("请把标出的时长改成 0 到上限之间的整数。")


class NotOnRoster(Invalid):
    code = "sign-off-not-on-roster"
    title = N_("名单里没有这个人")
    sentence = N_("确认的人里有名单上没有的，请刷新名单后再签字。")


class BadPicture(Invalid):
    code = "picture-unreadable"
    title = N_("照片读不了")
    sentence = N_("请上传 2 MB 以内、边长不超过 4096 的 JPEG、PNG 或 WebP 照片。")


class BadFrame(Invalid):
    code = "frame-unreadable"
    title = N_("画面读不了")
    sentence = N_("摄像头的画面要在 200 KB 以内、边长不超过 1280。请刷新页面再试，或改用照片或输号码。")


class ReasonMissing(Invalid):
    code = "override-reason-missing"
    title = N_("请写明原因")
    sentence = N_("不按时间签到要写明原因，组织者签字时会看到。")


class BadDeviceKey(Invalid):
    code = "device-bad-key"
    title = N_("这台手机登记不了")
    sentence = N_("这台手机给的公钥不对。请刷新页面再试，或换一台手机。")


class UnknownDevice(NotFound):
    code = "device-unknown"
    title = N_("没有这台手机")
    sentence = N_("没有登记过这台手机。请在手机上刷新签到台，它会重新登记。")


class BadSignature(Invalid):
    code = "device-bad-signature"
    title = N_("签名不对")
    sentence = N_("这一批签到不是这台手机签的名，没有收下。请在扫码的那台手机上重新上传。")


class SnapshotOver(Refused):
    code = "roster-snapshot-over"
    title = N_("这一场早已结束")
    sentence = N_("这一场结束已超过一天，手机上不再保存名单。补签请用补录。")


class UnknownReview(NotFound):
    code = "offline-scan-unknown"
    title = N_("没有这次扫码")
    sentence = N_("没有找到这次离线扫码，请从待核对的列表里选。")


class ReviewDecided(Conflict):
    code = "offline-scan-decided"
    title = N_("已经有人处理过")
    sentence = N_("这次离线扫码已经处理过了，请刷新列表。")


class ReviewUnfit(Invalid):
    code = "offline-scan-unfit"
    title = N_("还不能这样处理")
    sentence = N_("请改正标出的内容再处理。")


class ReviewTooLate(Refused):
    code = "offline-scan-too-late"
    title = N_("不能再算进这一场")
    sentence = N_("这一场已签字、取消，或结束已超过 72 小时。人确实来过的，请用补录，再在这里不采用。")


class UnknownLateEntry(NotFound):
    code = "late-entry-unknown"
    title = N_("没有这笔补录")
    sentence = N_("没有找到这笔补录，请回到补录列表。")


class SessionNotSigned(Refused):
    code = "late-entry-session-open"
    title = N_("这一场还没有签字")
    sentence = N_("这一场还没有签字，请直接在签到台补签，不用走补录。")


class ScansOnRecord(Refused):
    """What was scanned, and what the leader said of it, is not entered a second time."""

    code = "late-entry-scans-on-record"
    title = N_("这一场有这个人的记录")
    sentence = N_("这个人在这一场有扫码或积分记录，不能补录。有错请申请冲正。")


class LateElsewhere(Refused):
    code = "late-entry-elsewhere"
    title = N_("同一时间在另一场")
    sentence = N_("这个人同一时间在另一场活动有记录，一个人不能同时在两处，不能补录。")


class AlreadyEntered(Conflict):
    code = "late-entry-already-entered"
    title = N_("已经补录过")
    sentence = N_("这个人在这一场已经有一笔补录，请到补录列表里看。")


class BadInterval(Invalid):
    code = "late-entry-bad-interval"
    title = N_("时段不对")
    sentence = N_("请填这个人在场的时段，要在这一场的时间以内。")


class QuotaUsedUp(Refused):
    """A tenth of what a branch awarded in a month, so that late entries stay what they are: the exception."""

    code = "late-entry-quota-used-up"
    title = N_("这个月的补录名额用完了")
    sentence = N_(
        "{branch}在{month}入账 {awards} 人次，补录最多 {most} 笔（一成），已有 {used} 笔。"
        "请让大家到场扫码，或由上级核查。"
    )


class LateEntryOver(Refused):
    code = "late-entry-over"
    title = N_("这笔补录已经办结")
    sentence = N_("这笔补录已入账或已取消，不能再改。入账后有错请申请冲正。")


class UnknownSpotCheck(NotFound):
    code = "spot-check-unknown"
    title = N_("没有这次抽点")
    sentence = N_("没有找到这次抽点，请刷新后再看。")


class SpotCheckOver(Refused):
    code = "spot-check-over"
    title = N_("现在不能抽点")
    sentence = N_("抽点只在活动进行中开，开了以后 2 分钟内在手机上回答，10 分钟内由工作人员打勾。")


class SpotCheckOpen(Conflict):
    code = "spot-check-open"
    title = N_("正在抽点")
    sentence = N_("这一场正在抽点，请等它结束再开下一次。")


class SpotChecksUsedUp(Refused):
    code = "spot-checks-used-up"
    title = N_("抽点次数用完了")
    sentence = N_("一场最多抽点 {most} 次，这一场已经抽完。")


class NotInside(Refused):
    code = "spot-check-not-inside"
    title = N_("抽点时您不在场内")
    sentence = N_("抽点开始时没有您的签到，或您已经签退。人在现场的，请找工作人员。")


class UnknownHelped(NotFound):
    code = "helped-unknown"
    title = N_("这个页面已经失效")
    sentence = N_("没有找到这位受助人，或页面已过期、作废。请让工作人员换一个新的。")


class HelpedRevoked(Refused):
    code = "helped-revoked"
    title = N_("已经作废")
    sentence = N_("作废以后不能再换新地址，不然丢了的卡片又能用。请重新写下这位受助人。")


class NotHelpedHere(Refused):
    code = "helped-wrong-mode"
    title = N_("这项活动不是上门服务")
    sentence = N_("只有“受助人拿着码”的活动才写受助人，请先改活动的签到方式。")


class TooManyHelped(Refused):
    code = "helped-too-many"
    title = N_("受助人太多")
    sentence = N_("一场最多 {most} 位受助人，请分成几场。")


class HelpedThemselves(Refused):
    code = "helped-themselves"
    title = N_("不能确认自己")
    sentence = N_("受助人不能给自己记服务，请找工作人员。")


class UnknownPaper(NotFound):
    code = "paper-roster-unknown"
    title = N_("没有这张签到表")
    sentence = N_("没有找到这张纸质签到表，请从这一场的页面里选。")


class BadPaper(Invalid):
    code = "paper-roster-unfit"
    title = N_("签到表还不能交")
    sentence = N_("请改正标出的内容，再交给另一个人核对。")


class PaperDecided(Conflict):
    code = "paper-roster-decided"
    title = N_("已经处理过")
    sentence = N_("这张签到表已经登记或退回，请刷新页面。")


class PaperOwn(Refused):
    code = "paper-roster-own"
    title = N_("要由另一个人核对")
    sentence = N_("录入的人不能自己核对，请另一位工作人员拿着纸来核对。")


class ReceiptOver(Refused):
    code = "receipt-over"
    title = N_("请重新扫码")
    sentence = N_("要先扫活动现场的码才能登记，扫过 10 分钟内有效、只能用一次。请重新扫一次。")


class AlreadyDepositor(Conflict):
    code = "newcomer-already-depositor"
    title = N_("已经登记过")
    sentence = N_("这个姓名和手机号已经登记过，请直接登录。忘了密码，请找工作人员重设。")


class TeamTooLarge(Invalid):
    code = "team-too-large"
    title = N_("人数不对")
    sentence = N_("一次代 1 到 20 人报名，每人填一个 8 位居民号，用空格或换行分开。")
