"""The station's pages of settlements, and what a merchant's own pages show of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.queries import actor_names
from moralbank.branches.queries import get_branch, list_branches_under
from moralbank.branches.views import branch_name
from moralbank.errors import Invalid, Refused
from moralbank.merchants.queries import all_merchants, get_merchant, list_merchants_by_id
from moralbank.settlements import paper, queries, service
from moralbank.settlements.errors import DisputeAnswered, MonthNotClosed
from moralbank.settlements.queries import Dispute, Settlement, SettlementLine
from moralbank.settlements.schemas import AnswerForm, PaymentForm
from moralbank.settlements.wording import exact, settlement_word
from moralbank.web import problems
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id
from moralbank.web.pdf import pdf_response, sheet
from moralbank.web.sheets import Cell, csv_response, xlsx_response

blueprint = Blueprint("settlements", __name__)

PAGE = 50
#: Lines of a settlement on a page; its sums are over all of them.
LINES = 100

Answer = str | Response | tuple[str, int]


blueprint.add_app_template_global(settlement_word, "settlement_word")


@blueprint.get("/staff/settlements")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List the settlements of the reader's branches, with what they come to."""
    month = _month(request.args.get("month", ""))
    state = request.args.get("state") if request.args.get("state") in queries.STATES else None
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        branch_ids = [branch.branch_id for branch in list_branches_under(db, scope_paths())]
        found = queries.list_settlements(
            db, branch_ids=branch_ids, month_on=month, state=state, before_id=before, limit=PAGE + 1
        )
        totals = queries.sum_settlements(db, branch_ids=branch_ids, month_on=month, state=state)
        months = queries.list_months(db, branch_ids)
        shops = list_merchants_by_id(db, {one.merchant_id for one in found})
    following = found[PAGE - 1].settlement_id if len(found) > PAGE else None
    return render_template(
        "settlements/list.html",
        settlements=found[:PAGE],
        shops=shops,
        totals=totals,
        months=months,
        month=month,
        state=state,
        following=following,
        last_month=_last_month(),
        may_write=current().has("staff"),
    )


@blueprint.post("/staff/settlements")
@allow("staff", scope="branch")
def settle() -> Response:
    """Settle last month for every merchant of the reader's branches that isn't settled yet."""
    month = _last_month()
    with database().reading() as db:
        branch_ids = [branch.branch_id for branch in list_branches_under(db, scope_paths())]
        merchants = all_merchants(db, branch_ids)
    issued, waiting = 0, 0
    for merchant in merchants:
        try:
            issued += len(database().transact(service.settle, merchant, month, actor=actor()))
        except MonthNotClosed:
            waiting += 1
    if waiting:
        flash(_("%(month)s 还没有日结完，%(n)s 家商家过后再结算。", month=f"{month:%Y-%m}", n=waiting), "warn")
    flash(_("%(month)s 共有 %(n)s 张结算单。", month=f"{month:%Y-%m}", n=issued), "ok")
    return redirect(url_for(".show_all", month=f"{month:%Y-%m}"), 303)


@blueprint.get("/staff/settlements/<int:settlement_id>")
@allow("staff", "auditor", scope="branch")
def show(settlement_id: int) -> str:
    """Show a settlement with its lines, what was asked about them, and what to do next."""
    return page(_of_branch(settlement_id), is_till=False)


@blueprint.get("/staff/settlements/<int:settlement_id>.csv")
@allow("staff", "auditor", scope="branch")
def csv(settlement_id: int) -> Response:
    """Give a settlement as a file."""
    settlement = _of_branch(settlement_id)
    return csv_response(rows(settlement), f"{settlement.number}.csv")


@blueprint.get("/staff/settlements/<int:settlement_id>.xlsx")
@allow("staff", "auditor", scope="branch")
def xlsx(settlement_id: int) -> Response:
    """Give a settlement as a workbook."""
    settlement = _of_branch(settlement_id)
    return xlsx_response(rows(settlement), f"{settlement.number}.xlsx", settlement.number)


@blueprint.get("/staff/settlements/<int:settlement_id>.pdf")
@allow("staff", "auditor", scope="branch")
def pdf(settlement_id: int) -> Response:
    """Give a settlement as paper."""
    return paper_of(_of_branch(settlement_id))


@blueprint.post("/staff/disputes/<int:dispute_id>")
@allow("staff", scope="branch")
def answer(dispute_id: int) -> Answer:
    """Answer what a merchant asked about a line."""
    with database().reading() as db:
        dispute = queries.get_dispute(db, dispute_id)
    settlement = _of_branch(dispute.settlement_id)
    try:
        given = read_form(AnswerForm)
        owed_fen = given["owed_fen"] if given["answer"] == "corrected" else None
        database().transact(service.answer_dispute, dispute_id, note=given["note"], owed_fen=owed_fen, actor=actor())
    except Invalid as refusal:
        wrong = in_words(refusal) or said(refusal, "owed_yuan")
        shown = page(settlement, is_till=False, answering=dispute_id, errors=wrong, given=request.form)
        return shown, refusal.status
    except DisputeAnswered:
        flash(_("别人已经答复了这条疑问。"), "warn")
        return redirect(url_for(".show", settlement_id=settlement.settlement_id), 303)
    flash(_("已答复第 %(n)s 行。", n=dispute.number), "ok")
    return redirect(url_for(".show", settlement_id=settlement.settlement_id), 303)


@blueprint.post("/staff/settlements/<int:settlement_id>/payment")
@allow("staff", scope="branch")
def pay(settlement_id: int) -> Answer:
    """Note that a settlement was paid."""
    settlement = _of_branch(settlement_id)
    try:
        given = read_form(PaymentForm)
        paid = database().transact(service.pay, settlement_id, given["reference"], given["paid_on"], actor=actor())
    except (Invalid, Refused) as refusal:
        wrong = in_words(refusal) or said(refusal, "reference")
        return page(settlement, is_till=False, errors=wrong, given=request.form), refusal.status
    flash(_("已登记付款，凭证号 %(reference)s。", reference=paid.payment_reference), "ok")
    return redirect(url_for(".show", settlement_id=settlement_id), 303)


def page(settlement: Settlement, *, is_till: bool, about: int = 0, **more: Any) -> str:
    """Show a settlement with a page of its lines, as its station or its merchant sees it.

    about: the line with which something is wrong, whose page is shown whatever the address says.
    """
    after = before_line(about) if about else request.args.get("after", 0, type=row_id)
    with database().reading() as db:
        merchant = get_merchant(db, settlement.merchant_id)
        lines = queries.list_lines(db, settlement.settlement_id, after=after, limit=LINES + 1)
        disputes = queries.list_disputes(db, settlement.settlement_id)
        actors = _actors(db, settlement, disputes)
    return render_template(
        "settlements/show.html",
        settlement=settlement,
        merchant=merchant,
        lines=lines[:LINES],
        next_after=lines[LINES - 1].number if len(lines) > LINES else None,
        prev_after=max(after - LINES, 0) if after else None,
        before_line=before_line,
        disputes=disputes,
        by_number={one.number: one for one in disputes},
        actors=actors,
        is_till=is_till,
        may_write=not is_till and current().has("staff"),
        may_dispute=is_till and settlement.confirmed_at is None and clock.today() <= settlement.dispute_by,
        today=clock.today(),
        **more,
    )


def before_line(number: int) -> int:
    """Return behind which line the page begins on which a line stands."""
    return (number - 1) // LINES * LINES


def _actors(db: Connection, settlement: Settlement, disputes: Sequence[Dispute]) -> dict[str, str]:
    """Return what those are called who had to do with a settlement, by actor."""
    asked = {name for one in disputes for name in (one.raised_by, one.answered_by)}
    acted = {settlement.issued_by, settlement.confirmed_by, settlement.paid_by}
    return actor_names(db, {name for name in asked | acted if name})


def paper_of(settlement: Settlement) -> Response:
    """Answer with a settlement as PDF, as its station or its merchant puts it with the accounts."""
    with database().reading() as db:
        merchant = get_merchant(db, settlement.merchant_id)
        place = branch_name(get_branch(db, settlement.branch_id))
        disputes = queries.list_disputes(db, settlement.settlement_id)
        whole = paper.Whole(
            settlement=queries.get_settlement(db, settlement.settlement_id),
            merchant=merchant,
            place=place,
            lines=queries.list_lines(db, settlement.settlement_id),
            disputes=disputes,
            actors=_actors(db, settlement, disputes),
        )
    document = paper.document(whole)
    return pdf_response("sheet", sheet(document["title"], [document]), f"{settlement.number}.pdf", paper.made_at(whole))


def rows(settlement: Settlement) -> Iterator[list[Cell]]:
    """Yield a settlement as a table: its lines and what they come to."""
    yield [_("行号"), _("时间"), _("种类"), _("项目"), _("单号"), _("积分"), _("补贴（元）"), _("分录号")]
    after = 0
    while True:
        with database().reading() as db:
            found = queries.list_lines(db, settlement.settlement_id, after=after, limit=1_000)
        for line in found:
            yield _row(line)
        if len(found) < 1_000:
            break
        after = found[-1].number
    yield [None, None, _("合计"), None, None, settlement.points, exact(settlement.due_fen), None]


def _row(line: SettlementLine) -> list[Cell]:
    entry = str(line.entry_id) if line.entry_id else None
    kind = settlement_word("line", line.kind)
    title = line.title or _("积分兑换")
    return [line.number, line.at, kind, title, line.charge_id, line.points, exact(line.owed_fen), entry]


def said(refusal: Refused | Invalid, field: str) -> dict[str, list[str]]:
    """Return a refusal's sentence as what is wrong with a field."""
    return {field: [problems.sentence(refusal)]}


def _last_month() -> date:
    return (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return None


def _of_branch(settlement_id: int) -> Settlement:
    """Return a settlement of the reader's branches. Raises: UnknownSettlement, OutOfScope."""
    with database().reading() as db:
        settlement = queries.get_settlement(db, settlement_id)
    within(settlement.branch_id)
    return settlement
