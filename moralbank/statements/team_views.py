"""What the contact of a team sees with their own login: what it has, and its statements."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, url_for
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.branches.queries import get_branch
from moralbank.ledger import Unit
from moralbank.statements import queries, wording
from moralbank.statements.issued import list_issued
from moralbank.statements.paper_views import answer_pdf, found_on_paper
from moralbank.statements.periods import read_period
from moralbank.statements.values import Owner
from moralbank.statements.views import Head, differs_from_issued, page
from moralbank.teams.queries import Team, get_team_of_contact, teams_of_contact
from moralbank.web.auth import allow, current
from moralbank.web.db import database
from moralbank.web.sheets import csv_response

blueprint = Blueprint("team_statements", __name__, url_prefix="/me/teams")


@blueprint.get("")
@allow("resident", scope="self")
def show_all() -> str:
    """List the teams about which one is asked, with what each has."""
    with database().reading() as db:
        mine = teams_of_contact(db, _me())
        # A contact saves in the book of their teams.
        held = ledger.balances(db, mine[0].book_id, [team.account_id for team in mine], Unit.POINTS) if mine else {}
    return render_template("teams/mine.html", teams=[(team, held[team.account_id]) for team in mine])


@blueprint.get("/<int:team_id>")
@allow("resident", scope="self")
def months(team_id: int) -> str:
    """List the months of a team's statements, with what was issued of quarters and years."""
    with database().reading() as db:
        team, owner = _own(db, team_id)
        found = queries.list_months(db, owner)
        issued = list_issued(db, owner.book, owner.account)
    return render_template(
        "statements/months.html",
        layout="resident",
        months=found,
        longer=[one for one in issued if one.period.kind != "month"],
        holder=team.name,
        view=lambda month: url_for(".show", team_id=team_id, month=month),
        back=url_for(".show_all"),
    )


@blueprint.get("/<int:team_id>/statements/<month>")
@allow("resident", scope="self")
def show(team_id: int, month: str) -> str:
    """Show a period of a team's account."""
    with database().reading() as db:
        team, owner = _own(db, team_id)
        found = queries.statement_of(db, owner, read_period(month))
        differs, address = differs_from_issued(db, found)
    back, file, pdf = (
        url_for(".months", team_id=team_id),
        url_for(".as_csv", team_id=team_id, month=month),
        url_for(".as_pdf", team_id=team_id, month=month),
    )
    return page(found, Head(team.name, str(team.account_id), back, file, pdf=pdf), None, differs, address)


@blueprint.get("/<int:team_id>/statements/<month>.csv")
@allow("resident", scope="self")
def as_csv(team_id: int, month: str) -> Response:
    """Give a period of a team's account as a file."""
    with database().reading() as db:
        team, owner = _own(db, team_id)
        found = queries.statement_of(db, owner, read_period(month))
    return csv_response(wording.table(found), f"statement-{team.account_id}-{month}.csv")


@blueprint.get("/<int:team_id>/statements/<month>.pdf")
@allow("resident", scope="self")
def as_pdf(team_id: int, month: str) -> Response:
    """Give a period of a team's account as paper."""
    with database().reading() as db:
        team, owner = _own(db, team_id)
        found, address = found_on_paper(db, owner, month)
        place = get_branch(db, team.branch_id)
    return answer_pdf(found, address, team.name, str(team.account_id), place)


def _own(db: Connection, team_id: int) -> tuple[Team, Owner]:
    """Return a team about which the reader is asked, with its account. Raises: UnknownTeam."""
    team = get_team_of_contact(db, team_id, _me())
    return team, queries.owner_of_account(db, team.book_id, team.account_id)


def _me() -> int:
    resident_id = current().resident_id
    assert resident_id is not None, "a resident's role is held by a resident's login only"
    return resident_id
