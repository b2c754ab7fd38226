"""Statements of what is no person's own, for staff and auditors: a team's, the pool's, a household's, a shop's.

Whose a household is stands in its lines, so everybody of it is looked at, for the reason that the page is of.
"""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy import Connection

from moralbank.access.deeds import Reason
from moralbank.branches.queries import get_branch
from moralbank.branches.views import branch_name
from moralbank.ledger import AccountKind, UnknownAccount, list_accounts
from moralbank.merchants.queries import get_merchant, list_merchants
from moralbank.proofs.views import public_url
from moralbank.reports import queries
from moralbank.reports.queries import Holder, Reach
from moralbank.reports.views import account_word
from moralbank.residents.queries import Resident, holders_of, residents_by_account, residents_by_id
from moralbank.statements import codes, paper, wording
from moralbank.statements import queries as statements
from moralbank.statements.issued import check, get_issued, list_issued, reproduce
from moralbank.statements.periods import Period, read_period
from moralbank.statements.values import Owner, Statement
from moralbank.statements.views import Head, page
from moralbank.web import looking
from moralbank.web.auth import allow, scope_paths
from moralbank.web.db import database
from moralbank.web.paging import row_id
from moralbank.web.pdf import pdf_response, sheet
from moralbank.web.sheets import csv_response

blueprint = Blueprint("audit_statements", __name__)

#: Whose statements are shown here; a resident's are on their own page, for a reason that is asked.
KINDS = (AccountKind.POOL, AccountKind.TEAM, AccountKind.HOUSEHOLD, AccountKind.MERCHANT)
PAGE_ROWS = 50


@blueprint.get("/audit/statements")
@allow("staff", "auditor", scope="book")
def show_all() -> str:
    """List the pool and the teams of a book, and the merchants in reach, each with its statements."""
    after = request.args.get("after", 0, type=row_id)
    with database().reading() as db:
        reaches = queries.list_reaches(db, scope_paths())
        reach = queries.choose(reaches, request.args.get("book"))
        shared: list[Holder] = []
        if reach.is_whole and not after:
            known = list_accounts(db, reach.book.book_id, [AccountKind.POOL, AccountKind.TEAM])
            holders = queries.holders(db, reach.book.book_id, {one.account for one in known})
            shared = [holders[one.account] for one in known]
        branch_ids = [branch.branch_id for branch in reach.branches]
        shops = list_merchants(db, branch_ids=branch_ids, after_id=after, limit=PAGE_ROWS + 1)
    more = len(shops) > PAGE_ROWS
    return render_template(
        "reports/statements.html",
        reaches=reaches,
        reach=reach,
        shared=shared,
        shops=shops[:PAGE_ROWS],
        next_url=url_for(".show_all", book=reach.code, after=shops[PAGE_ROWS - 1].merchant_id) if more else None,
        first_url=url_for(".show_all", book=reach.code) if after else None,
    )


@blueprint.get("/audit/accounts/<int:shared_account>/statements")
@allow("staff", "auditor", scope="book")
def months(shared_account: int) -> str:
    """List the months of an account's statements, with what was issued of quarters and years."""
    with database().reading() as db:
        reach, holder, owner, people = _reached(db, shared_account)
        found = statements.list_months(db, owner)
        issued = list_issued(db, owner.book, owner.account)
    _look(people, shared_account)

    def view(month: str) -> str:
        return url_for(".show", shared_account=shared_account, month=month)

    return render_template(
        "statements/months.html",
        layout="staff",
        months=found,
        longer=[one for one in issued if one.period.kind != "month"],
        holder=_name(holder),
        view=view,
        back=url_for(".show_all", book=reach.code),
    )


@blueprint.get("/audit/accounts/<int:shared_account>/statements/<month>")
@allow("staff", "auditor", scope="book")
def show(shared_account: int, month: str) -> str:
    """Show a period of an account."""
    period = read_period(month)
    with database().reading() as db:
        _reach, holder, owner, people = _reached(db, shared_account)
        found = statements.statement_of(db, owner, period)
        issued = found.issued
        differs = issued is not None and reproduce(db, issued)[1] != issued.content_hash
        address = None if issued is None else codes.find_address(db, issued, public_url())
    _look(people, shared_account)
    back, file = (
        url_for(".months", shared_account=shared_account),
        url_for(".as_csv", shared_account=shared_account, month=month),
    )
    pdf = url_for(".as_pdf", shared_account=shared_account, month=month)
    content_url = url_for(".content", account=shared_account, month=month) if issued else None
    return page(found, Head(_name(holder), holder.number, back, file, None, pdf, content_url), None, differs, address)


@blueprint.get("/audit/accounts/<int:shared_account>/statements/<month>.csv")
@allow("staff", "auditor", scope="book")
def as_csv(shared_account: int, month: str) -> Response:
    """Give a period of an account as a file."""
    period = read_period(month)
    with database().reading() as db:
        _reach, holder, owner, people = _reached(db, shared_account)
        found = statements.statement_of(db, owner, period)
    _look(people, shared_account)
    _note(people, period)
    return csv_response(wording.table(found), f"statement-{holder.number or shared_account}-{month}.csv")


@blueprint.get("/audit/accounts/<int:shared_account>/statements/<month>.pdf")
@allow("staff", "auditor", scope="book")
def as_pdf(shared_account: int, month: str) -> Response:
    """Give a period of an account as paper, which is what was issued wherever it was. Raises: IssuedDiffers."""
    period = read_period(month)
    with database().reading() as db:
        reach, holder, owner, people = _reached(db, shared_account)
        found = statements.statement_of(db, owner, period)
        address = None
        if found.issued is not None:
            check(db, found.issued)
            address = codes.find_address(db, found.issued, public_url())
        place = branch_name(get_branch(db, holder.branch_id)) if holder.branch_id else reach.name
    _look(people, shared_account)
    _note(people, period)
    return _paper(found, holder, place, address)


@blueprint.get("/audit/accounts/<int:account>/statements/<month>.txt")
@allow("staff", "auditor", scope="book")
def content(account: int, month: str) -> Response:
    """Give the content of an issued statement, made again from the book and held against what was issued."""
    period = read_period(month)
    with database().reading() as db:
        reach, _found, _holder = queries.find_account(db, queries.list_reaches(db, scope_paths()), account)
        people = list(residents_by_account(db, [account]).values())
        text = check(db, get_issued(db, reach.book.book_id, account, period))
    _look(people, account)
    answer = Response(text, mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'inline; filename="statement-{account}-{period.name}.txt"'
    return answer


def _reached(db: Connection, account: int) -> tuple[Reach, Holder, Owner, list[Resident]]:
    """Return an account in reach with its holder, and who is shown with it.

    Raises (in the order checked): UnknownAccount, also for one that has no page here; OutOfScope.
    """
    reach, found, holder = queries.find_account(db, queries.list_reaches(db, scope_paths()), account)
    if found.kind not in KINDS:
        raise UnknownAccount(account=account)
    if holder.merchant_id is not None:
        return reach, holder, statements.owner_of_merchant(db, get_merchant(db, holder.merchant_id)), []
    members = [resident_id for _account, resident_id, _branch in holders_of(db, [account])]
    people = list(residents_by_id(db, members).values())
    return reach, holder, statements.owner_of_account(db, reach.book.book_id, account), people


def _look(people: list[Resident], account: int) -> None:
    for person in people:
        looking.look_at(person, Reason.AUDIT, about=f"account:{account}")


def _note(people: list[Resident], period: Period) -> None:
    for person in people:
        looking.note_export(person, f"statement:{period.name}")


def _name(holder: Holder) -> str:
    return holder.name or account_word(holder.kind)


def _paper(found: Statement, holder: Holder, place: str, address: str | None) -> Response:
    number = holder.number or str(holder.account)
    document = paper.document(found, paper.Holder(_name(holder), number, place), address)
    filename = f"statement-{number}-{found.period.name}.pdf"
    return pdf_response("sheet", sheet(paper.title([found]), [document]), filename, paper.made_at(found))
