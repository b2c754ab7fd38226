"""The budget behind a bank's points: what was promised, what was pledged for it, and what is left."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for

from moralbank import clock
from moralbank.access.queries import actor_names
from moralbank.branches.queries import Branch, get_branch, list_branches_under
from moralbank.errors import Invalid, NotFound
from moralbank.settlements import queries, service
from moralbank.settlements.errors import BudgetAtHub
from moralbank.settlements.schemas import CostForm, PledgeForm
from moralbank.settlements.views import Answer
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("budget", __name__, url_prefix="/staff/budget")


@blueprint.get("")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """Show the budget of each bank that the reader looks after."""
    with database().reading() as db:
        # Parents come first, so each book is shown where it is kept, or at the station from which it is seen.
        seen_from: dict[int, Branch] = {}
        for branch in list_branches_under(db, scope_paths()):
            if branch.book_id is not None:
                seen_from.setdefault(branch.book_id, branch)
        found = [(branch, queries.budget(db, book_id, clock.today())) for book_id, branch in seen_from.items()]
    return render_template("settlements/budgets.html", budgets=found)


@blueprint.get("/<int:branch_id>")
@allow("staff", "auditor", scope="branch")
def show(branch_id: int) -> str:
    """Show a bank's budget with what was pledged for it."""
    return _page(*_kept_at(branch_id))


@blueprint.post("/<int:branch_id>/pledges")
@allow("staff", scope="branch")
def pledge(branch_id: int) -> Answer:
    """Note what somebody gave or promised, or take a wrong note back."""
    hub, book_id = _hub(branch_id)
    try:
        given = read_form(PledgeForm)
    except Invalid as refusal:
        return _page(hub, book_id, errors=in_words(refusal), given=request.form), refusal.status
    fen = -given["fen"] if given["is_taken_back"] else given["fen"]
    database().transact(service.note_pledge, book_id, given["donor"], fen, given["pledged_on"], actor=actor())
    flash(_("已记下 %(donor)s。", donor=given["donor"]), "ok")
    return redirect(url_for(".show", branch_id=branch_id), 303)


@blueprint.post("/<int:branch_id>/cost")
@allow("staff", scope="branch")
def cost(branch_id: int) -> Answer:
    """Say what a hundred points are reckoned to cost."""
    hub, book_id = _hub(branch_id)
    try:
        given = read_form(CostForm)
    except Invalid as refusal:
        return _page(hub, book_id, errors=in_words(refusal), given=request.form), refusal.status
    database().transact(service.set_reference_cost, book_id, given["fen_per_hundred"], actor=actor())
    flash(_("参考成本从今天起按新的算。"), "ok")
    return redirect(url_for(".show", branch_id=branch_id), 303)


def _page(branch: Branch, book_id: int, **more: object) -> str:
    with database().reading() as db:
        budget = queries.budget(db, book_id, clock.today())
        pledges = queries.list_pledges(db, book_id)
        actors = actor_names(db, {one.noted_by for one in pledges})
    return render_template(
        "settlements/budget.html",
        hub=branch,
        budget=budget,
        pledges=pledges,
        actors=actors,
        today=clock.today(),
        may_write=branch.kind == "hub" and current().has("staff"),
        **more,
    )


def _kept_at(branch_id: int) -> tuple[Branch, int]:
    """Return a branch of the reader's and the book it belongs to. Raises: UnknownBranch, OutOfScope, NotFound."""
    within(branch_id)
    with database().reading() as db:
        branch = get_branch(db, branch_id)
    if branch.book_id is None:
        raise NotFound
    return branch, branch.book_id


def _hub(branch_id: int) -> tuple[Branch, int]:
    """Return the hub whose budget is to be changed. Raises: as _kept_at does, and BudgetAtHub for a station."""
    branch, book_id = _kept_at(branch_id)
    if branch.kind != "hub":
        raise BudgetAtHub
    return branch, book_id
