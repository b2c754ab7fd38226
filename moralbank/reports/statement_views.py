"""What was issued to an account, for whoever watches over the book: of a household, a team or the pool too."""

from __future__ import annotations

from flask import Blueprint, Response

from moralbank.access.deeds import Reason
from moralbank.reports import queries
from moralbank.residents.queries import residents_by_account
from moralbank.statements.issued import check, get_issued
from moralbank.statements.periods import read_period
from moralbank.web import looking
from moralbank.web.auth import allow, scope_paths
from moralbank.web.db import database

blueprint = Blueprint("audit_statements", __name__)


@blueprint.get("/audit/accounts/<int:account>/statements/<month>.txt")
@allow("staff", "auditor", scope="book")
def content(account: int, month: str) -> Response:
    """Give the content of an issued statement, made again from the book and held against what was issued."""
    period = read_period(month)
    with database().reading() as db:
        reach, _found, _holder = queries.find_account(db, queries.list_reaches(db, scope_paths()), account)
        people = residents_by_account(db, [account])
        text = check(db, get_issued(db, reach.book.book_id, account, period))
    for person in people.values():
        looking.look_at(person, Reason.AUDIT, about=f"account:{account}")
    answer = Response(text, mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'inline; filename="statement-{account}-{period.name}.txt"'
    return answer
