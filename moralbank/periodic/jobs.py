"""The list of all periodic work. Beside app.py and cli.py the only module that knows every package."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from moralbank import slots
from moralbank.access import jobs as access
from moralbank.activities import jobs as activities
from moralbank.approvals import jobs as approvals
from moralbank.backup import jobs as backup
from moralbank.behalf import jobs as behalf
from moralbank.db import Database
from moralbank.disclosure import jobs as disclosure
from moralbank.errors import N_
from moralbank.fairs import jobs as fairs
from moralbank.figures import jobs as figures
from moralbank.forgetting import jobs as forgetting
from moralbank.ledger import jobs as ledger
from moralbank.logbook import jobs as logbook
from moralbank.merchants.queries import reach_of as merchants_reach
from moralbank.messages import jobs as messages
from moralbank.messages.delivery import Recipient
from moralbank.messages.values import Reach
from moralbank.noticeboard import jobs as noticeboard
from moralbank.periodic.errors import UnknownJob
from moralbank.redemptions import jobs as redemptions
from moralbank.reports import jobs as reports
from moralbank.residents import jobs as residents
from moralbank.residents.queries import reach_of as residents_reach
from moralbank.settlements import jobs as settlements
from moralbank.statements import jobs as statements


@dataclass(frozen=True, slots=True)
class Job:
    """Periodic work. It sweeps up all that is due, and does no harm when there is nothing."""

    name: str
    #: What it does, as the page of jobs says it.
    title: str
    every: timedelta
    #: What it returns, where that is a number, is how much it found to do.
    run: Callable[[Database], object]
    #: It may take minutes and more, so the scheduler has it done by a process beside it.
    is_long: bool = False


def _directory(db: Connection, who: Collection[Recipient]) -> dict[Recipient, Reach]:
    """Say where residents and merchants can be reached."""
    people = residents_reach(db, {resident_id for resident_id, _ in who if resident_id})
    shops = merchants_reach(db, {merchant_id for _, merchant_id in who if merchant_id})
    found: dict[Recipient, Reach] = {(resident_id, None): reach for resident_id, reach in people.items()}
    return found | {(None, merchant_id): reach for merchant_id, reach in shops.items()}


def _deliver(database: Database) -> int:
    return messages.deliver(database, _directory)


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

JOBS = (
    Job("access.purge_sessions", N_("清理过期的登录"), DAY, access.purge_sessions),
    Job("activities.close_forgotten", N_("按计划结束时间补签退"), MINUTE, activities.close_forgotten),
    Job("activities.forget_helped", N_("删除上门服务过后受助人的名字"), DAY, activities.forget_helped),
    Job("activities.post_late", N_("公示期满的补录入账"), HOUR, activities.post_late),
    Job("activities.purge_receipts", N_("清理没有用上的扫码"), HOUR, activities.purge_receipts),
    Job("behalf.purge_words", N_("清理没有用的代办口令"), DAY, behalf.purge_words),
    Job("fairs.end_passes", N_("收回集市摊位的临时账号"), MINUTE, fairs.end_passes),
    Job("forgetting.follow", N_("从文件和备份里清除已遗忘的人"), MINUTE, forgetting.follow),
    Job("approvals.lapse", N_("关闭过期的申请和抵回"), HOUR, approvals.lapse),
    Job("ledger.expire_points", N_("到期提醒和到期"), HOUR, ledger.expire_points),
    Job("ledger.fold_books", N_("推进合计账户的累计数"), MINUTE, ledger.fold_books),
    Job("logbook.ask_witnesses", N_("请见证人签检查点"), timedelta(seconds=20), logbook.ask_witnesses),
    Job("messages.deliver", N_("发出消息"), MINUTE, _deliver),
    Job("messages.purge", N_("清理一年以前的消息"), DAY, messages.purge),
    Job("noticeboard.seal_days", N_("日结并封存"), HOUR, noticeboard.seal_days),
    # What follows from closed days comes after them.
    Job("disclosure.draft_due", N_("起草每月和每季的公示"), HOUR, disclosure.draft_due),
    Job("disclosure.close_over", N_("结束到期的公示"), HOUR, disclosure.close_over),
    Job("figures.freeze_months", N_("算出公开数据"), HOUR, figures.freeze_months),
    Job("redemptions.purge_codes", N_("清理过期的付款码"), HOUR, redemptions.purge_codes),
    Job("redemptions.expire_phone_orders", N_("结束没有确认的付款"), MINUTE, redemptions.expire_phone_orders),
    Job("redemptions.lapse_vouchers", N_("退回到期没取的预留"), HOUR, redemptions.lapse_vouchers),
    Job("residents.continue_imports", N_("接着做中断的名单导入"), MINUTE, residents.continue_imports),
    Job("residents.tell_of_expiry", N_("把到期提醒写给储户"), HOUR, residents.tell_of_expiry),
    Job("residents.forget_previews", N_("清理没有确认的名单预览"), DAY, residents.forget_previews),
    Job("settlements.settle_months", N_("出商家月结算单"), DAY, settlements.settle_months),
    Job("statements.issue_periods", N_("出月度、季度和年度对账单"), HOUR, statements.issue_periods),
    Job("statements.print_runs", N_("做批量打印的对账单，清理旧的"), MINUTE, statements.print_runs),
    Job("reports.verify_books", N_("每晚把账簿从头核验一遍"), HOUR, reports.verify_books, is_long=True),
    Job("backup.back_up_nightly", N_("每晚备份"), HOUR, backup.back_up_nightly),
    Job("platform.forget_runs", N_("清理旧的作业记录"), DAY, slots.forget_runs),
)


def get_job(name: str) -> Job:
    """Return the job of that name or raise UnknownJob."""
    for job in JOBS:
        if job.name == name:
            return job
    raise UnknownJob(job=name)
