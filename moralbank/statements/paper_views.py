"""Statements as PDF: one's own, a resident's for staff to hand over, a merchant's."""

from __future__ import annotations

from flask import Blueprint, Response
from sqlalchemy import Connection

from moralbank.branches.queries import Branch, get_branch
from moralbank.branches.views import branch_name
from moralbank.proofs.views import public_url
from moralbank.statements import codes, paper, queries
from moralbank.statements.issued import check, get_issued
from moralbank.statements.paper import Holder
from moralbank.statements.periods import read_period
from moralbank.statements.values import Owner, Statement
from moralbank.statements.views import account_of, own_account, till_account
from moralbank.web import looking
from moralbank.web.auth import allow
from moralbank.web.db import database
from moralbank.web.pdf import pdf_response, sheet

blueprint = Blueprint("statement_papers", __name__)


@blueprint.get("/me/statement/<month>.pdf")
@allow("resident", scope="self", for_family=True)
def own_pdf(month: str) -> Response:
    """Give a period of one's own account, or of one's household's, as paper."""
    with database().reading() as db:
        resident, owner = own_account(db)
        found, address = found_on_paper(db, owner, month)
        place = get_branch(db, resident.branch_id)
    is_own = owner.resident_id is not None
    name, number = (resident.name, resident.number) if is_own else ("", resident.household_code or "")
    return answer_pdf(found, address, name, number, place)


@blueprint.get("/me/statement/<month>.txt")
@allow("resident", scope="self")
def own_content(month: str) -> Response:
    """Give the content of one's own issued statement, or of one's household's, to be checked without the bank."""
    with database().reading() as db:
        _resident, owner = own_account(db)
        text = check(db, get_issued(db, owner.book, owner.account, read_period(month)))
    answer = Response(text, mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'attachment; filename="statement-{month}.txt"'
    return answer


@blueprint.get("/staff/residents/<int:resident_id>/statement/<month>.pdf")
@allow("staff", "auditor", scope="branch")
def resident_pdf(resident_id: int, month: str) -> Response:
    """Give a period of a resident's account as paper, to be handed to them."""
    with database().reading() as db:
        resident, owner = account_of(db, resident_id)
        found, address = found_on_paper(db, owner, month)
        place = get_branch(db, resident.branch_id)
    looking.note_export(resident, f"statement:{found.period.name}")
    return answer_pdf(found, address, resident.name, resident.number, place)


@blueprint.get("/counter/statement/<month>.pdf")
@allow("operator", scope="merchant")
def merchant_pdf(month: str) -> Response:
    """Give a period of a merchant's points as paper."""
    with database().reading() as db:
        merchant, owner = till_account(db)
        found, address = found_on_paper(db, owner, month)
        place = get_branch(db, merchant.branch_id)
    return answer_pdf(found, address, merchant.name, merchant.code, place)


def found_on_paper(db: Connection, owner: Owner, month: str) -> tuple[Statement, str | None]:
    """Return a statement, which is what was issued wherever it was, and the address in its code.

    Raises: IssuedDiffers, and what reading raises.
    """
    found = queries.statement_of(db, owner, read_period(month))
    if found.issued is None:
        return found, None
    check(db, found.issued)
    return found, codes.find_address(db, found.issued, public_url())


def answer_pdf(found: Statement, address: str | None, name: str, number: str, place: Branch) -> Response:
    """Answer with a statement as paper."""
    document = paper.document(found, Holder(name, number, branch_name(place)), address)
    filename = f"statement-{number}-{found.period.name}.pdf"
    return pdf_response("sheet", sheet(paper.title([found]), [document]), filename, paper.made_at(found))
