"""Staff's pages of fairs: announce one, hand stalls over for the day, print each one's slip, show the totals."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.deeds import Kind
from moralbank.access.queries import actor_names
from moralbank.activities import queries as activities
from moralbank.activities.service import session_rules
from moralbank.branches.queries import get_branch, list_branches_under
from moralbank.errors import Invalid, MoralBankError
from moralbank.fairs import queries, service
from moralbank.fairs.errors import BadFair
from moralbank.fairs.queries import Fair, Stall
from moralbank.fairs.schemas import FairForm
from moralbank.fairs.service import NOT_OURS, FairPlan, Handed
from moralbank.merchants.queries import all_merchants, list_merchants_by_id
from moralbank.redemptions import queries as redemptions
from moralbank.residents.queries import residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("fairs", __name__)

#: How many stalls stand on the big screen at once, and for how many seconds.
STALLS_SHOWN, TURN_SECONDS = 8, 10

Answer = str | Response | tuple[str, int]


@blueprint.get("/staff/fairs")
@allow("staff", scope="branch")
def show_all() -> str:
    """List the fairs."""
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        branches = {branch.branch_id: branch for branch in list_branches_under(db, scope_paths())}
        found = queries.list_fairs(db, list(branches), before_id=before)
    page = found[: queries.LIST_MAX]
    more = url_for(".show_all", before=page[-1].fair_id) if len(found) > queries.LIST_MAX else None
    first = url_for(".show_all") if before else None
    return render_template("fairs/list.html", fairs=page, branches=branches, next_url=more, first_url=first)


@blueprint.route("/staff/fairs/new", methods=["GET", "POST"])
@allow("staff", scope="branch")
def new() -> Answer:
    """Announce a fair with all its stalls."""
    if request.method == "GET":
        return _form()
    try:
        given = read_form(FairForm)
        within(given["branch_id"])
        _refuse_foreign(given["merchant_ids"])
        plan = _plan(given)
        fair = database().transact(service.open_fair, plan, actor=actor(), login_id=current().login_id)
    except Invalid as refusal:
        return _form(in_words(refusal) or {"title": [problems.sentence(refusal)]}), refusal.status
    flash(_("集市已发布，每个摊位都可以签到了。"), "ok")
    return redirect(url_for("fairs.show", fair_id=fair.fair_id), 303)


@blueprint.get("/staff/fairs/<int:fair_id>")
@allow("staff", scope="branch")
def show(fair_id: int) -> str:
    """Show a fair with its stalls, who works them today, and what they have come to."""
    return _page(_fair_in_scope(fair_id))


@blueprint.post("/staff/stalls/<int:stall_id>/hand-over")
@allow("staff", scope="branch")
def hand_over(stall_id: int) -> Answer:
    """Open a login for a stall and a day; its PIN is shown once, on the answer itself."""
    fair, _stall = _stall_in_scope(stall_id)
    try:
        handed = database().transact(service.hand_over, stall_id, by=current(), actor=actor())
    except MoralBankError as refusal:
        return _page(fair, refusal=problems.sentence(refusal)), refusal.status
    return _page(fair, handed=handed)


@blueprint.post("/staff/stalls/<int:stall_id>/take-back")
@allow("staff", scope="branch")
def take_back(stall_id: int) -> Response:
    """Take a stall's logins back at once."""
    fair, _stall = _stall_in_scope(stall_id)
    ended = database().transact(service.take_back, stall_id)
    flash(_("已收回 %(n)s 个临时账号。", n=ended), "ok")
    return redirect(url_for("fairs.show", fair_id=fair.fair_id), 303)


@blueprint.post("/staff/fairs/<int:fair_id>/close")
@allow("staff", scope="branch")
def close(fair_id: int) -> Response:
    """End a fair and take all logins of the day back."""
    _fair_in_scope(fair_id)
    ended = database().transact(service.close_fair, fair_id, actor=actor())
    flash(_("集市已结束，收回了 %(n)s 个临时账号。", n=ended), "ok")
    return redirect(url_for("fairs.show", fair_id=fair_id), 303)


@blueprint.get("/staff/stalls/<int:stall_id>/slip")
@allow("staff", scope="branch")
def slip(stall_id: int) -> str:
    """Show the same day's slip of a stall: who was credited what, or what was taken at a merchant's table."""
    fair, stall = _stall_in_scope(stall_id)
    facts = _taken(fair, stall) if stall.session_id is None else _credited(stall.session_id)
    return render_template("fairs/slip.html", fair=fair, stall=stall, now=clock.now(), **facts)


@blueprint.get("/display/fairs/<int:fair_id>")
@allow("staff", scope="branch")
def display(fair_id: int) -> str:
    """Show the day's totals on a big screen, with nobody's name."""
    return render_template("fairs/display.html", **_screen(_fair_in_scope(fair_id)))


@blueprint.get("/display/fairs/<int:fair_id>/totals")
@allow("staff", scope="branch")
def display_totals(fair_id: int) -> str:
    """Give the big screen its figures, and the stalls whose turn it is."""
    return render_template("fairs/_totals.html", **_screen(_fair_in_scope(fair_id)))


def _fair_in_scope(fair_id: int) -> Fair:
    with database().reading() as db:
        fair = queries.get_fair(db, fair_id)
    within(fair.branch_id)
    return fair


def _stall_in_scope(stall_id: int) -> tuple[Fair, Stall]:
    with database().reading() as db:
        stall = queries.get_stall(db, stall_id)
    return _fair_in_scope(stall.fair_id), stall


def _form(errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        branches = [branch for branch in list_branches_under(db, scope_paths()) if branch.book_id is not None]
        rules = session_rules(db)
        shops = all_merchants(db, [branch.branch_id for branch in branches])
    given = request.form if errors else {}
    chosen = set(request.form.getlist("merchant_ids"))
    return render_template(
        "fairs/form.html", errors=errors, given=given, branches=branches, rules=rules, chosen=chosen,
        shops=[shop for shop in shops if shop.is_active],
    )  # fmt: skip


def _refuse_foreign(merchant_ids: list[int]) -> None:
    """Refuse a table of a merchant that isn't the reader's to look after: its hands get a login at that till.

    Raises: BadFair.
    """
    with database().reading() as db:
        shops = list_merchants_by_id(db, merchant_ids)
        reach = {branch.branch_id for branch in list_branches_under(db, scope_paths())}
    if any(shop.branch_id not in reach for shop in shops.values()):
        raise BadFair({"merchant_ids": [NOT_OURS]})


def _plan(given: dict[str, Any]) -> FairPlan:
    starts_at, ends_at = (datetime.combine(given["on"], given[name], clock.TIMEZONE) for name in ("starts", "ends"))
    names = [line.strip() for line in given["names"].splitlines() if line.strip()]
    told = {name: given[name] for name in ("branch_id", "title", "place", "rule_code", "merchant_ids")}
    return FairPlan(**told, starts_at=starts_at, ends_at=ends_at, names=names)


def _page(fair: Fair, *, handed: Handed | None = None, refusal: str = "") -> str:
    with database().reading() as db:
        totals = queries.totals(db, fair)
        passes = queries.passes_by_stall(db, fair.fair_id)
        branch = get_branch(db, fair.branch_id)
    return render_template(
        "fairs/show.html", fair=fair, totals=totals, passes=passes, branch=branch, handed=handed, refusal=refusal,
        now=clock.now(),
    )  # fmt: skip


def _credited(session_id: int) -> dict[str, Any]:
    """Return who was credited what at a stall; before the signature nobody was."""
    with database().reading() as db:
        session = activities.get_session(db, session_id)
        awards = [award for award in activities.list_awards(db, session_id) if award.entry_id is not None]
        people = residents_by_id(db, {award.resident_id for award in awards})
        signer = actor_names(db, [session.signed_off_by]) if session.signed_off_by else {}
    if people:
        looking.note_many(Kind.LIST, len(people), f"session:{session_id}", branch_id=session.activity.branch_id)
    return {
        "session": session, "awards": awards, "people": people, "signer": next(iter(signer.values()), ""),
        "points": sum(award.points for award in awards), "minutes": sum(award.service_minutes for award in awards),
    }  # fmt: skip


def _taken(fair: Fair, stall: Stall) -> dict[str, Any]:
    """Return what the hands of a merchant's table took: by what was given, and in all."""
    goods: Counter[tuple[str, int]] = Counter()
    with database().reading() as db:
        table = queries.tables_of(db, fair)[stall.stall_id]
        totals = redemptions.table_totals(db, table)
        before: int | None = None
        while page := redemptions.list_receipts_of_table(db, table, before_id=before):
            goods.update((one.title, one.points) for one in page if one.undone_at is None)
            before = page[-1].charge_id
    return {"session": None, "totals": totals, "goods": sorted(goods.items())}


def _screen(fair: Fair) -> dict[str, Any]:
    """Return the totals with the stalls whose turn it is: the screen turns by itself."""
    with database().reading() as db:
        totals = queries.totals(db, fair)
        branch = get_branch(db, fair.branch_id)
    pages = max(1, -(-len(totals.stalls) // STALLS_SHOWN))
    turn = int(clock.now().timestamp()) // TURN_SECONDS % pages
    return {
        "fair": fair, "branch": branch, "totals": totals, "pages": pages, "turn": turn, "now": clock.now(),
        "shown": totals.stalls[turn * STALLS_SHOWN : (turn + 1) * STALLS_SHOWN], "seconds": TURN_SECONDS,
    }  # fmt: skip
