"""Pages of the passbook and of statements: one's own, a resident's for staff, and a merchant's."""

from __future__ import annotations

from dataclasses import dataclass

import marshmallow as ma
from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy import Connection

from moralbank import clock
from moralbank.behalf import acting
from moralbank.errors import Invalid
from moralbank.ledger import Unit
from moralbank.merchants.queries import Merchant, get_merchant
from moralbank.proofs import wording as proof_wording
from moralbank.proofs.views import public_url
from moralbank.residents.queries import Resident, find_household_account, get_resident
from moralbank.statements import codes, queries, wording
from moralbank.statements.checking import Checked, checked
from moralbank.statements.errors import NoAccount, NoHouseholdAccount, NoTill
from moralbank.statements.issued import list_issued, reproduce
from moralbank.statements.periods import read_period
from moralbank.statements.schemas import UNITS, PassbookQuery
from moralbank.statements.values import Owner, Statement, StatementLine
from moralbank.web import looking
from moralbank.web.auth import allow, current, within, within_merchant
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id
from moralbank.web.pictures import link_svg
from moralbank.web.sheets import csv_response

blueprint = Blueprint("statements", __name__)


@dataclass(frozen=True, slots=True)
class Head:
    """Whose statement it is, as its page says it."""

    name: str
    number: str
    back: str
    csv: str
    #: Where the month's proof is, for its owner.
    proof: str | None = None
    pdf: str | None = None
    #: Where its holder gets the content that the code is about, once it is issued.
    content: str | None = None


blueprint.app_template_global("kind_word")(wording.kind_word)
blueprint.app_template_global("role_word")(wording.role_word)
blueprint.app_template_global("period_word")(wording.period_word)


@blueprint.get("/me/passbook")
@allow("resident", scope="self", for_family=True)
def passbook() -> str:
    """Show one's own lines, newest first."""
    try:
        asked = PassbookQuery(unknown=ma.EXCLUDE).load(request.args.to_dict())
    except ma.ValidationError:
        raise Invalid() from None
    unit = UNITS[asked["unit"]]
    with database().reading() as db:
        page = queries.passbook(db, own_account(db)[1], unit, asked["before"])
    older = url_for(".passbook", unit=asked["unit"], before=page.older_before) if page.older_before else None
    newest = url_for(".passbook", unit=asked["unit"]) if asked["before"] else None
    return render_template(
        "statements/passbook.html",
        page=page,
        unit=asked["unit"],
        lines=[wording.shown_line(line, url=own_line_url(line, asked["unit"])) for line in page.lines],
        older=older,
        newest=newest,
    )


@blueprint.get("/me/statement")
@allow("resident", scope="self", for_family=True)
def own_months() -> str:
    """List the months of one's own statements, or of one's household's, with what was issued."""
    with database().reading() as db:
        resident, owner = own_account(db)
        months = queries.list_months(db, owner)
        issued = list_issued(db, owner.book, owner.account)
        has_household = find_household_account(db, resident.household_id) is not None
    of = _whose()
    return render_template(
        "statements/months.html",
        layout="resident",
        months=months,
        longer=[one for one in issued if one.period.kind != "month"],
        holder=None,
        view=_own_view,
        household=url_for(".own_months", of="household") if has_household and not of else None,
        back=url_for(".own_months") if of else None,
        is_household=bool(of),
    )


@blueprint.get("/me/statement/<month>")
@allow("resident", scope="self", for_family=True)
def own_statement(month: str) -> str:
    """Show a period of one's own account, or of one's household's."""
    with database().reading() as db:
        resident, owner = own_account(db)
        found = queries.statement_of(db, owner, read_period(month))
        is_provable = not _whose() and found.period.kind == "month"
        proof = checked(db, owner, found.month) if is_provable else None
        differs, address = _differs(db, found), _address(db, found)
    url = url_for("statement_proofs.own_proof", month=month) if is_provable else None
    of = _whose()
    head = Head(
        _("户号 %(code)s", code=resident.household_code) if of else resident.name,
        "" if of else resident.number,
        url_for(".own_months", **of),
        url_for(".own_csv", month=month, **of),
        url,
        url_for("statement_papers.own_pdf", month=month, **of),
        url_for("statement_papers.own_content", month=month, **of) if found.issued else None,
    )
    return page(found, head, proof, differs, address)


@blueprint.get("/me/statement/<month>.csv")
@allow("resident", scope="self", for_family=True)
def own_csv(month: str) -> Response:
    """Give a period of one's own account, or of one's household's, as a file."""
    with database().reading() as db:
        resident, owner = own_account(db)
        found = queries.statement_of(db, owner, read_period(month))
    return csv_response(wording.table(found), f"statement-{resident.number}-{month}.csv")


@blueprint.get("/staff/residents/<int:resident_id>/statement")
@allow("staff", "auditor", scope="branch")
def resident_months(resident_id: int) -> str:
    """List the months of a resident's statements."""
    with database().reading() as db:
        resident, owner = account_of(db, resident_id)
        months = queries.list_months(db, owner)
        issued = list_issued(db, owner.book, owner.account)

    def view(month: str) -> str:
        return url_for(".resident_statement", resident_id=resident_id, month=month)

    return render_template(
        "statements/months.html",
        layout="staff",
        months=months,
        longer=[one for one in issued if one.period.kind != "month"],
        holder=resident.masked_name,
        view=view,
        back=url_for("residents.show", resident_id=resident_id),
    )


@blueprint.get("/staff/residents/<int:resident_id>/statement/<month>")
@allow("staff", "auditor", scope="branch")
def resident_statement(resident_id: int, month: str) -> str:
    """Show a month of a resident's account."""
    with database().reading() as db:
        resident, owner = account_of(db, resident_id)
        found = queries.statement_of(db, owner, read_period(month))
        proof = checked(db, owner, found.month) if found.period.kind == "month" else None
        differs, address = _differs(db, found), _address(db, found)
    back = url_for(".resident_months", resident_id=resident_id)
    file = url_for(".resident_csv", resident_id=resident_id, month=month)
    pdf = url_for("statement_papers.resident_pdf", resident_id=resident_id, month=month)
    return page(found, Head(resident.masked_name, resident.number, back, file, pdf=pdf), proof, differs, address)


@blueprint.get("/staff/residents/<int:resident_id>/statement/<month>.csv")
@allow("staff", "auditor", scope="branch")
def resident_csv(resident_id: int, month: str) -> Response:
    """Give a month of a resident's account as a file."""
    with database().reading() as db:
        resident, owner = account_of(db, resident_id)
        found = queries.statement_of(db, owner, read_period(month))
    looking.note_export(resident, f"statement:{found.period.name}")
    return csv_response(wording.table(found), f"statement-{resident.number}-{month}.csv")


@blueprint.get("/counter/statement")
@allow("operator", scope="merchant")
def merchant_months() -> str:
    """List the months of a merchant's statements."""
    with database().reading() as db:
        merchant, owner = till_account(db)
        months = queries.list_months(db, owner)
        issued = list_issued(db, owner.book, owner.account)

    def view(month: str) -> str:
        return url_for(".merchant_statement", month=month, merchant=request.args.get("merchant"))

    back = url_for("counter.day", merchant=merchant.merchant_id)
    return render_template(
        "statements/months.html",
        layout="plain",
        months=months,
        longer=[one for one in issued if one.period.kind != "month"],
        holder=merchant.name,
        view=view,
        back=back,
    )


@blueprint.get("/counter/statement/<month>")
@allow("operator", scope="merchant")
def merchant_statement(month: str) -> str:
    """Show a month of a merchant's points."""
    with database().reading() as db:
        merchant, owner = till_account(db)
        found = queries.statement_of(db, owner, read_period(month))
        differs, address = _differs(db, found), _address(db, found)
    chosen = request.args.get("merchant")
    back = url_for(".merchant_months", merchant=chosen)
    file = url_for(".merchant_csv", month=month, merchant=chosen)
    pdf = url_for("statement_papers.merchant_pdf", month=month, merchant=chosen)
    return page(found, Head(merchant.name, merchant.code, back, file, pdf=pdf), None, differs, address)


@blueprint.get("/counter/statement/<month>.csv")
@allow("operator", scope="merchant")
def merchant_csv(month: str) -> Response:
    """Give a month of a merchant's points as a file."""
    with database().reading() as db:
        merchant, owner = till_account(db)
        found = queries.statement_of(db, owner, read_period(month))
    return csv_response(wording.table(found), f"statement-{merchant.code}-{month}.csv")


def _own_view(month: str) -> str:
    return url_for(".own_statement", month=month, **_whose())


def _whose() -> dict[str, str]:
    """Return what an address carries on where it is about the household's account and not one's own."""
    return {"of": "household"} if request.args.get("of") == "household" else {}


def differs_from_issued(db: Connection, found: Statement) -> tuple[bool, str | None]:
    """Return whether an issued statement isn't what the books say any more, and the address in its code."""
    return _differs(db, found), _address(db, found)


def _differs(db: Connection, found: Statement) -> bool:
    """Tell whether an issued statement isn't what the books say any more."""
    return found.issued is not None and reproduce(db, found.issued)[1] != found.issued.content_hash


def _address(db: Connection, found: Statement) -> str | None:
    """Return the address in the code of an issued statement."""
    return None if found.issued is None else codes.find_address(db, found.issued, public_url())


def own_account(db: Connection) -> tuple[Resident, Owner]:
    """Return the one who asks with their own account, or their household's where the address says so.

    Raises: NoAccount, NoHouseholdAccount.
    """
    if current().resident_id is None:
        raise NoAccount()
    resident = get_resident(db, acting.person_id())
    acting.look()
    if _whose():
        account = find_household_account(db, resident.household_id)
        if account is None:
            raise NoHouseholdAccount()
        return resident, queries.owner_of_account(db, resident.book_id, account)
    return resident, queries.owner_of_resident(db, resident)


def account_of(db: Connection, resident_id: int) -> tuple[Resident, Owner]:
    """Return a resident of the reader's branches with their account. Raises: ReasonMissing, OutOfScope."""
    resident = get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_at(resident)
    return resident, queries.owner_of_resident(db, resident)


def till_account(db: Connection) -> tuple[Merchant, Owner]:
    """Return the merchant that the URL names, or the first one at whose till the operator works."""
    mine = current().merchant_ids()
    chosen = request.args.get("merchant", type=row_id)
    if chosen is None:
        if not mine:
            raise NoTill()
        chosen = mine[0]
    within_merchant(chosen)
    merchant = get_merchant(db, chosen)
    return merchant, queries.owner_of_merchant(db, merchant)


def page(
    statement: Statement, head: Head, proof: Checked | None = None, differs: bool = False, address: str | None = None
) -> str:
    """Return the page of a statement; differs: from what was issued; address: in its code."""
    sections = [
        (
            section,
            [wording.shown_line(line, details=wording.details_on_page(statement, line)) for line in section.lines],
        )
        for section in wording.sections(statement)
    ]
    return render_template(
        "statements/statement.html",
        statement=statement,
        sections=sections,
        head=head,
        proof=proof,
        # The balance on the page is that of the lines that were just held against the log, or it isn't shown.
        fails=differs or _fails(statement, proof),
        wording=proof_wording,
        check_url=public_url() + url_for("noticeboard.check"),
        last_day=clock.local(statement.as_of).date(),
        printed_at=clock.now(),
        Unit=Unit,
        code=None if address is None or differs else link_svg(address),
        code_url=public_url() + url_for("statement_check.check_number"),
    )


def _fails(statement: Statement, proof: Checked | None) -> bool:
    if proof is None:
        return False
    return proof.proven is None or proof.proven.balance != statement.points.closing


def own_line_url(line: StatementLine, unit: str) -> str:
    """Return where the owner of a line sees its proof."""
    return url_for("statement_proofs.own_line", unit=unit, n=line.number)
