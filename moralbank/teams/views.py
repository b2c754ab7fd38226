"""Staff's pages of teams: open one, change its name or contact, close it, and open it again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import ledger
from moralbank.access.deeds import Kind
from moralbank.branches.queries import list_branches_under
from moralbank.errors import Invalid, MoralBankError
from moralbank.ledger import Unit
from moralbank.residents.queries import get_resident, residents_by_id
from moralbank.teams import queries, service
from moralbank.teams.queries import Team
from moralbank.teams.schemas import NewTeamForm, TeamForm
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("teams", __name__, url_prefix="/staff/teams")

PAGE_ROWS = 50
Answer = str | Response | tuple[str, int]


@blueprint.get("")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """List the teams of the reader's branches: those that are open, or those of before."""
    is_over = request.args.get("state") == "closed"
    before_id = request.args.get("before", type=row_id)
    with database().reading() as db:
        places = {place.branch_id: place for place in list_branches_under(db, scope_paths())}
        found = queries.list_teams(db, list(places), is_open=not is_over, before_id=before_id, limit=PAGE_ROWS + 1)
        page = found[:PAGE_ROWS]
        people = residents_by_id(db, {team.contact_resident_id for team in page})
    if page:
        looking.note_many(Kind.LIST, len(people), "teams", branch_id=page[0].branch_id)
    state = "closed" if is_over else None
    return render_template(
        "teams/list.html",
        teams=page,
        people=people,
        places=places,
        is_over=is_over,
        may_write=current().has("staff"),
        next_url=url_for(".show_all", state=state, before=page[-1].team_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".show_all", state=state) if before_id else None,
    )


@blueprint.get("/new")
@allow("staff", scope="branch")
def new() -> str:
    """Show the form for a team."""
    return _form()


@blueprint.post("/new")
@allow("staff", scope="branch")
def open_team() -> Answer:
    """Open a team."""
    try:
        given = read_form(NewTeamForm)
        within(given["branch_id"])
        team = database().transact(service.open_team, given["branch_id"], given["name"], given["number"], actor=actor())
    except Invalid as refusal:
        return _form(in_words(refusal)), refusal.status
    flash(_("“%(name)s”已经开户。联系人用自己的账号就能看到它的账。", name=team.name), "ok")
    return redirect(url_for(".show", team_id=team.team_id), 303)


@blueprint.get("/<int:team_id>")
@allow("staff", "auditor", scope="branch")
def show(team_id: int) -> str:
    """Show a team with what it has, and its form."""
    return _page(_in_scope(team_id))


@blueprint.post("/<int:team_id>")
@allow("staff", scope="branch")
def change(team_id: int) -> Answer:
    """Give a team another name or contact."""
    team = _in_scope(team_id)
    try:
        given = read_form(TeamForm)
        database().transact(service.change_team, team_id, given["name"], given["number"], actor=actor())
    except Invalid as refusal:
        return _page(team, in_words(refusal)), refusal.status
    except MoralBankError as refusal:
        flash(problems.sentence(refusal), "warn")
        return redirect(url_for(".show", team_id=team_id), 303)
    flash(_("已保存。"), "ok")
    return redirect(url_for(".show", team_id=team_id), 303)


@blueprint.post("/<int:team_id>/close")
@allow("staff", scope="branch")
def close(team_id: int) -> Response:
    """Close a team."""
    team = _in_scope(team_id)
    database().transact(service.close_team, team_id, actor=actor())
    flash(_("“%(name)s”已经结束。账户和对账单都还在。", name=team.name), "ok")
    return redirect(url_for(".show", team_id=team_id), 303)


@blueprint.post("/<int:team_id>/reopen")
@allow("staff", scope="branch")
def reopen(team_id: int) -> Answer:
    """Open a closed team again."""
    team = _in_scope(team_id)
    try:
        given = read_form(TeamForm)
        team = database().transact(service.reopen_team, team_id, given["name"], given["number"], actor=actor())
    except Invalid as refusal:
        return _page(team, in_words(refusal)), refusal.status
    flash(_("“%(name)s”重新开放了。联系人又能看到它。", name=team.name), "ok")
    return redirect(url_for(".show", team_id=team_id), 303)


def _in_scope(team_id: int) -> Team:
    """Return a team of the reader's branches. Raises: UnknownTeam, OutOfScope."""
    with database().reading() as db:
        team = queries.get_team(db, team_id)
    within(team.branch_id)
    return team


def _form(errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        places = [place for place in list_branches_under(db, scope_paths()) if place.book_id is not None]
    return render_template("teams/new.html", places=places, errors=errors, given=request.form)


def _page(team: Team, errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        contact = get_resident(db, team.contact_resident_id)
        held = ledger.balance(db, team.book_id, team.account_id, Unit.POINTS)
    looking.note_many(Kind.VIEW, 1, f"team:{team.team_id}", branch_id=team.branch_id)
    given: dict[str, Any] = {"name": team.name, "number": contact.number}
    return render_template(
        "teams/show.html",
        team=team,
        contact=contact,
        points=held.balance,
        errors=errors,
        given=request.form if errors else given,
        may_write=current().has("staff"),
    )
