"""The staff's pages of merchants and offers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.access.queries import actor_names, list_operators
from moralbank.branches.queries import Branch, get_branch, list_branches_under
from moralbank.errors import N_, Invalid, NotFound
from moralbank.merchants import queries, service
from moralbank.merchants.drafts import count_waiting
from moralbank.merchants.errors import MerchantCodeTaken, OfferCodeTaken
from moralbank.merchants.queries import Change, Merchant, StockedOffer
from moralbank.merchants.schedules import Schedule
from moralbank.merchants.schemas import (
    MerchantMove,
    MerchantText,
    NewMerchant,
    NewOfferForm,
    OfferForm,
    schedule_fields,
    time_text,
)
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.merchants.supervisors import end_supervisor, list_supervisors, name_supervisor
from moralbank.merchants.wording import opening_words, schedule_words, weekday_words
from moralbank.web import filters, problems
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.filters import weekday
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("merchants", __name__, url_prefix="/staff")

MODE_NAMES = {"donated": N_("商家捐赠"), "subsidised": N_("基金补贴"), "recirculated": N_("积分回流")}
STATUS_NAMES = {
    "applied": N_("已申请"),
    "visited": N_("已走访"),
    "active": N_("营业中"),
    "suspended": N_("已停用"),
    "left": N_("已退出"),
}
OFFER_STATUS_NAMES = {"active": N_("已上架"), "suspended": N_("已下架")}
#: What pressing the button that leads to a status says.
MOVE_NAMES = {
    "applied": N_("重新申请"),
    "visited": N_("记录已走访"),
    "active": N_("开通收积分"),
    "suspended": N_("停用"),
    "left": N_("退出合作"),
}

DETAILS = {
    "name": N_("名称"),
    "kind": N_("类别"),
    "contact": N_("联系人"),
    "phone": N_("电话"),
    "settlement_mode": N_("结算方式"),
    "status": N_("状态"),
    "title": N_("项目"),
    "points": N_("积分"),
    "monthly_quota": N_("每月总数"),
    "per_resident_per_month": N_("每人每月"),
    "settlement_fen": N_("补贴（元）"),
    "from_on": N_("开始日期"),
    "until_on": N_("结束日期"),
    "weekdays": N_("星期几"),
    "opens_minutes": N_("几点开始"),
    "closes_minutes": N_("几点结束"),
    "photo_key": N_("照片"),
    "supervisor": N_("店长"),
}

Answer = str | Response | tuple[str, int]


@blueprint.app_template_global("merchant_word")
def merchant_word(kind: str, value: str) -> str:
    """Return what a settlement mode, a status or a move is called in the reader's language."""
    return _({"mode": MODE_NAMES, "status": STATUS_NAMES, "move": MOVE_NAMES}[kind][value])


@blueprint.app_template_global("weekday_name")
def weekday_name(number: int) -> str:
    """Return what a day of the week is called; Monday is 1."""
    return weekday(number - 1)


@blueprint.get("/merchants")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List the merchants of the branches that the reader looks after."""
    status = request.args.get("status") if request.args.get("status") in queries.STATUSES else None
    q = request.args.get("q", "").strip()[:100]
    with database().reading() as db:
        branches = list_branches_under(db, scope_paths())
        found = queries.list_merchants(db, branch_ids=[b.branch_id for b in branches], status=status, q=q)
    names = {branch.branch_id: branch for branch in branches}
    return render_template(
        "merchants/list.html", merchants=found, branches=names, status=status, q=q, may_write=may_write()
    )


@blueprint.route("/merchants/new", methods=["GET", "POST"])
@allow("staff", scope="branch")
def add() -> Answer:
    """Take in a merchant that applies."""
    if request.method == "GET":
        return _merchant_form(None, request.args.to_dict())
    try:
        given = read_form(NewMerchant)
        branch = _branch_with_book(given.pop("branch_id"))
        code = given.pop("code")
        merchant = database().transact(service.add_merchant, branch, code, MerchantDetails(**given), actor=actor())
    except Invalid as refusal:
        return _merchant_form(None, request.form.to_dict(), in_words(refusal)), refusal.status
    except MerchantCodeTaken as refusal:
        return _merchant_form(None, request.form.to_dict(), {"code": [problems.sentence(refusal)]}), refusal.status
    flash(_("已登记%(name)s。走访、签约后就能开通。", name=merchant.name), "ok")
    return redirect(url_for("merchants.show", merchant_id=merchant.merchant_id), 303)


@blueprint.get("/merchants/<int:merchant_id>")
@allow("staff", "auditor", scope="branch")
def show(merchant_id: int) -> str:
    """Show a merchant with its offers and operators, and what may be done next."""
    merchant = _merchant(merchant_id)
    with database().reading() as db:
        offers = queries.list_offers(db, merchant_id=merchant_id)
        branch = get_branch(db, merchant.branch_id)
        operators = list_operators(db, merchant_id)
        deeds = queries.list_deeds(db, merchant_id)
        actors = actor_names(db, {deed.done_by for deed in deeds})
        supervisors = list_supervisors(db, merchant_id)
    return render_template(
        "merchants/show.html",
        merchant=merchant,
        branch=branch,
        offers=offers,
        operators=operators,
        moves=service.NEXT[merchant.status],
        deeds=deeds,
        actors=actors,
        supervisors=supervisors,
        may_write=may_write(),
    )


@blueprint.route("/merchants/<int:merchant_id>/edit", methods=["GET", "POST"])
@allow("staff", scope="branch")
def edit(merchant_id: int) -> Answer:
    """Write down new particulars of a merchant."""
    merchant = _merchant(merchant_id)
    if request.method == "GET":
        given = {name: getattr(merchant, name) for name in MerchantDetails.__dataclass_fields__}
        return _merchant_form(merchant, given)
    try:
        details = MerchantDetails(**read_form(MerchantText))
        merchant = database().transact(service.edit_merchant, merchant_id, details, actor=actor())
    except Invalid as refusal:
        return _merchant_form(merchant, request.form.to_dict(), in_words(refusal)), refusal.status
    flash(_("已更新%(name)s。", name=merchant.name), "ok")
    return redirect(url_for("merchants.show", merchant_id=merchant_id), 303)


@blueprint.post("/merchants/<int:merchant_id>/status")
@allow("staff", scope="branch")
def move(merchant_id: int) -> Response:
    """Move a merchant to its next status."""
    _merchant(merchant_id)
    status = read_form(MerchantMove)["status"]
    merchant = database().transact(service.move_merchant, merchant_id, status, actor=actor())
    flash(_("%(name)s：%(status)s。", name=merchant.name, status=merchant_word("status", merchant.status)), "ok")
    return redirect(url_for("merchants.show", merchant_id=merchant_id), 303)


@blueprint.post("/merchants/<int:merchant_id>/supervisors/<int:login_id>")
@allow("staff", scope="branch")
def supervise(merchant_id: int, login_id: int) -> Response:
    """Let an operator give points back on the day itself, or no longer."""
    _merchant(merchant_id)
    act = name_supervisor if request.form.get("named") == "1" else end_supervisor
    database().transact(act, merchant_id, login_id, actor=actor())
    flash(_("已更新店长。当天退分由店长办，隔天的退分由驿站复核。"), "ok")
    return redirect(url_for("merchants.show", merchant_id=merchant_id), 303)


@blueprint.get("/offers")
@allow("staff", "auditor", scope="branch")
def offers() -> str:
    """List what the merchants of the reader's branches give for points, and what is left this month."""
    with database().reading() as db:
        branch_ids = [branch.branch_id for branch in list_branches_under(db, scope_paths())]
        found = queries.list_offers(db, branch_ids=branch_ids)
        waiting = count_waiting(db, scope_paths())
    return render_template("merchants/offers.html", offers=found, waiting=waiting, may_write=may_write())


@blueprint.route("/offers/new", methods=["GET", "POST"])
@allow("staff", scope="branch")
def add_offer() -> Answer:
    """Add an offer to a merchant."""
    if request.method == "GET":
        return _offer_form(None, {"per_resident_per_month": 2, "settlement_yuan": "0"} | request.args.to_dict())
    try:
        given = read_form(NewOfferForm)
        merchant = _merchant(given.pop("merchant_id"))
        code = given.pop("code")
        details = OfferDetails(**given)
        offer = database().transact(service.add_offer, merchant.merchant_id, code, details, actor=actor())
    except Invalid as refusal:
        return _offer_form(None, typed_offer(), in_words(refusal)), refusal.status
    except OfferCodeTaken as refusal:
        return _offer_form(None, typed_offer(), {"code": [problems.sentence(refusal)]}), refusal.status
    flash(_("已上架“%(title)s”。", title=offer.title), "ok")
    return redirect(url_for("merchants.show", merchant_id=merchant.merchant_id), 303)


@blueprint.route("/offers/<int:offer_id>", methods=["GET", "POST"])
@allow("staff", scope="branch")
def edit_offer(offer_id: int) -> Answer:
    """Write down new particulars of an offer."""
    stocked = _offer(offer_id)
    if request.method == "GET":
        given = {name: getattr(stocked.offer, name) for name in OfferDetails.__dataclass_fields__}
        given["settlement_yuan"] = typed_yuan(given.pop("settlement_fen"))
        return _offer_form(stocked, given | schedule_fields(given.pop("schedule")))
    try:
        details = OfferDetails(**read_form(OfferForm))
        offer = database().transact(service.edit_offer, offer_id, details, actor=actor())
    except Invalid as refusal:
        return _offer_form(stocked, typed_offer(), in_words(refusal)), refusal.status
    flash(_("已更新“%(title)s”。", title=offer.title), "ok")
    return redirect(url_for("merchants.show", merchant_id=offer.merchant_id), 303)


@blueprint.post("/offers/<int:offer_id>/status")
@allow("staff", scope="branch")
def show_offer(offer_id: int) -> Response:
    """Take an offer off the list, or put it back."""
    _offer(offer_id)
    offer = database().transact(service.show_offer, offer_id, active=request.form.get("active") == "1", actor=actor())
    words = (
        _("“%(title)s”已上架。", title=offer.title) if offer.is_active else _("“%(title)s”已下架。", title=offer.title)
    )
    flash(words, "ok")
    return redirect(url_for("merchants.show", merchant_id=offer.merchant_id), 303)


def typed_yuan(fen: int) -> str:
    """Return hundredths as somebody types them into a form: 12.50, and 3 where there are no hundredths."""
    return f"{fen // 100}" if fen % 100 == 0 else f"{fen / 100:.2f}"


@blueprint.app_template_filter("merchant_change")
def merchant_change(change: Change, of_offer: bool) -> str:
    """Say in the reader's language which detail a deed set, and from what to what where that is anybody's business."""
    name = _(DETAILS[change.detail])
    if change.after is None:
        return name
    before, after = (_shown(change.detail, value, of_offer) for value in (change.before, change.after))
    return f"{name} {before} → {after}" if before else f"{name} {after}"


@blueprint.app_template_filter("schedule")
def schedule_filter(schedule: Schedule) -> str:
    """Say when an offer can be had; nothing where that is always."""
    return schedule_words(schedule)


@blueprint.app_template_filter("opening")
def opening_filter(opens_at: datetime | None) -> str:
    """Say from when it can be had."""
    return opening_words(opens_at)


@blueprint.app_template_global("offer_detail")
def offer_detail(name: str) -> str:
    """Return what a detail of an offer is called in the reader's language."""
    return _(N_("什么时候可以换")) if name == "schedule" else _(DETAILS[name])


@blueprint.app_template_global("offer_value")
def offer_value(name: str, value: Any) -> str:
    """Return a detail of an offer as its reader reads it."""
    if name == "schedule":
        return schedule_words(value) or _("随时")
    return _shown(name, value, of_offer=True)


def typed_offer() -> dict[str, Any]:
    """Return what was typed into an offer's form, to be shown again."""
    return request.form.to_dict() | {"weekdays": request.form.getlist("weekdays", type=row_id)}


def may_write() -> bool:
    """Tell whether the reader is staff somewhere; each act is checked again for its own branch."""
    return current().has("staff")


def _shown(detail: str, value: str | int | None, of_offer: bool) -> str:
    if value is None:
        return ""
    if detail == "settlement_fen":
        return filters.yuan(int(value))
    if detail == "weekdays":
        return weekday_words(int(value))
    if detail in ("opens_minutes", "closes_minutes"):
        return time_text(int(value))
    if detail == "settlement_mode":
        return _(MODE_NAMES[str(value)])
    if detail == "status":
        return _((OFFER_STATUS_NAMES if of_offer else STATUS_NAMES)[str(value)])
    return str(value)


def _merchant(merchant_id: int) -> Merchant:
    """Return a merchant of the reader's branches. Raises: UnknownMerchant, OutOfScope."""
    with database().reading() as db:
        merchant = queries.get_merchant(db, merchant_id)
    within(merchant.branch_id)
    return merchant


def _offer(offer_id: int) -> StockedOffer:
    """Return an offer of a merchant of the reader's branches. Raises: UnknownOffer, OutOfScope."""
    with database().reading() as db:
        stocked = queries.get_stocked_offer(db, offer_id)
    within(stocked.merchant.branch_id)
    return stocked


def _branch_with_book(branch_id: int) -> Branch:
    within(branch_id)
    with database().reading() as db:
        branch = get_branch(db, branch_id)
    if branch.book_id is None:
        raise NotFound
    return branch


def _merchant_form(merchant: Merchant | None, given: dict[str, Any], errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        branches = [branch for branch in list_branches_under(db, scope_paths()) if branch.book_id is not None]
    return render_template(
        "merchants/form.html",
        merchant=merchant,
        given=given,
        errors=errors,
        branches=branches,
        modes=queries.SETTLEMENT_MODES,
    )


def _offer_form(stocked: StockedOffer | None, given: dict[str, Any], errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        branch_ids = [branch.branch_id for branch in list_branches_under(db, scope_paths())]
        shops = queries.list_merchants(db, branch_ids=branch_ids)
    return render_template("merchants/offer_form.html", stocked=stocked, given=given, errors=errors, merchants=shops)
