"""Pages of the passbook and of statements: one's own, a resident's for staff, and a merchant's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import marshmallow as ma
from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy import Connection

from moralbank import clock
from moralbank.errors import Invalid
from moralbank.ledger import Unit
from moralbank.merchants.queries import Merchant, get_merchant
from moralbank.proofs import wording
from moralbank.proofs.views import public_url
from moralbank.residents.queries import Resident, get_resident
from moralbank.statements import queries, values
from moralbank.statements.checking import Checked, checked
from moralbank.statements.errors import NoAccount, NoTill
from moralbank.statements.schemas import UNITS, PassbookQuery
from moralbank.statements.values import Owner, Section, Statement, StatementLine, read_month
from moralbank.web import looking
from moralbank.web.auth import allow, current, within, within_merchant
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.sheets import Cell, csv_response

blueprint = Blueprint("statements", __name__)

#: Between details that may stand on two lines: the dot ends the first.
DOT = "\N{NO-BREAK SPACE}· "


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as the passbook widget takes it."""

    n: int
    day: datetime
    what: str
    where: str
    points: int
    balance_after: int
    reverses_n: int | None
    reversed_by_n: int | None
    #: A charge and what undid it at the till; any other mirror is a reversal.
    taken_back: bool
    reason: str
    #: Where the line's proof is, for its owner.
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Whose statement it is, as its page says it."""

    name: str
    number: str
    back: str
    csv: str
    #: Where the month's proof is, for its owner.
    proof: str | None = None


@blueprint.app_template_global("kind_word")
def kind_word(kind: str) -> str:
    """Return what a kind of entry is called in the reader's language."""
    return _(values.KIND_WORDS[kind])


@blueprint.app_template_global("role_word")
def role_word(role: str) -> str:
    """Return what a role is called in the reader's language."""
    return _(values.ROLE_WORDS[role]) if role in values.ROLE_WORDS else role


@blueprint.get("/me/passbook")
@allow("resident", scope="self")
def passbook() -> str:
    """Show one's own lines, newest first."""
    try:
        asked = PassbookQuery(unknown=ma.EXCLUDE).load(request.args.to_dict())
    except ma.ValidationError:
        raise Invalid() from None
    unit = UNITS[asked["unit"]]
    with database().reading() as db:
        page = queries.passbook(db, _own(db)[1], unit, asked["before"])
    older = url_for(".passbook", unit=asked["unit"], before=page.older_before) if page.older_before else None
    newest = url_for(".passbook", unit=asked["unit"]) if asked["before"] else None
    return render_template(
        "statements/passbook.html",
        page=page,
        unit=asked["unit"],
        lines=[shown_line(line, url=own_line_url(line, asked["unit"])) for line in page.lines],
        older=older,
        newest=newest,
    )


@blueprint.get("/me/statement")
@allow("resident", scope="self")
def own_months() -> str:
    """List the months of one's own statements."""
    with database().reading() as db:
        months = queries.list_months(db, _own(db)[1])
    return render_template("statements/months.html", layout="resident", months=months, holder=None, view=_own_view)


@blueprint.get("/me/statement/<month>")
@allow("resident", scope="self")
def own_statement(month: str) -> str:
    """Show a month of one's own account."""
    with database().reading() as db:
        resident, owner = _own(db)
        found = queries.statement(db, owner, read_month(month))
        proof = checked(db, owner, found.month)
    url = url_for("statement_proofs.own_proof", month=month)
    head = Head(resident.name, resident.number, url_for(".own_months"), url_for(".own_csv", month=month), url)
    return _page(found, head, proof)


@blueprint.get("/me/statement/<month>.csv")
@allow("resident", scope="self")
def own_csv(month: str) -> Response:
    """Give a month of one's own account as a file."""
    with database().reading() as db:
        resident, owner = _own(db)
        found = queries.statement(db, owner, read_month(month))
    return csv_response(_rows(found), f"statement-{resident.number}-{month}.csv")


@blueprint.get("/staff/residents/<int:resident_id>/statement")
@allow("staff", "auditor", scope="branch")
def resident_months(resident_id: int) -> str:
    """List the months of a resident's statements."""
    with database().reading() as db:
        resident, owner = _of(db, resident_id)
        months = queries.list_months(db, owner)

    def view(month: str) -> str:
        return url_for(".resident_statement", resident_id=resident_id, month=month)

    return render_template(
        "statements/months.html",
        layout="staff",
        months=months,
        holder=resident.masked_name,
        view=view,
        back=url_for("residents.show", resident_id=resident_id),
    )


@blueprint.get("/staff/residents/<int:resident_id>/statement/<month>")
@allow("staff", "auditor", scope="branch")
def resident_statement(resident_id: int, month: str) -> str:
    """Show a month of a resident's account."""
    with database().reading() as db:
        resident, owner = _of(db, resident_id)
        found = queries.statement(db, owner, read_month(month))
        proof = checked(db, owner, found.month)
    back = url_for(".resident_months", resident_id=resident_id)
    file = url_for(".resident_csv", resident_id=resident_id, month=month)
    return _page(found, Head(resident.masked_name, resident.number, back, file), proof)


@blueprint.get("/staff/residents/<int:resident_id>/statement/<month>.csv")
@allow("staff", "auditor", scope="branch")
def resident_csv(resident_id: int, month: str) -> Response:
    """Give a month of a resident's account as a file."""
    with database().reading() as db:
        resident, owner = _of(db, resident_id)
        found = queries.statement(db, owner, read_month(month))
    looking.note_export(resident, f"statement:{found.month:%Y-%m}")
    return csv_response(_rows(found), f"statement-{resident.number}-{month}.csv")


@blueprint.get("/counter/statement")
@allow("operator", scope="merchant")
def merchant_months() -> str:
    """List the months of a merchant's statements."""
    with database().reading() as db:
        merchant, owner = _till(db)
        months = queries.list_months(db, owner)

    def view(month: str) -> str:
        return url_for(".merchant_statement", month=month, merchant=request.args.get("merchant"))

    back = url_for("counter.day", merchant=merchant.merchant_id)
    return render_template(
        "statements/months.html", layout="plain", months=months, holder=merchant.name, view=view, back=back
    )


@blueprint.get("/counter/statement/<month>")
@allow("operator", scope="merchant")
def merchant_statement(month: str) -> str:
    """Show a month of a merchant's points."""
    with database().reading() as db:
        merchant, owner = _till(db)
        found = queries.statement(db, owner, read_month(month))
    chosen = request.args.get("merchant")
    back = url_for(".merchant_months", merchant=chosen)
    file = url_for(".merchant_csv", month=month, merchant=chosen)
    return _page(found, Head(merchant.name, merchant.code, back, file))


@blueprint.get("/counter/statement/<month>.csv")
@allow("operator", scope="merchant")
def merchant_csv(month: str) -> Response:
    """Give a month of a merchant's points as a file."""
    with database().reading() as db:
        merchant, owner = _till(db)
        found = queries.statement(db, owner, read_month(month))
    return csv_response(_rows(found), f"statement-{merchant.code}-{month}.csv")


def _own_view(month: str) -> str:
    return url_for(".own_statement", month=month)


def _own(db: Connection) -> tuple[Resident, Owner]:
    resident_id = current().resident_id
    if resident_id is None:
        raise NoAccount()
    resident = get_resident(db, resident_id)
    return resident, queries.owner_of_resident(db, resident)


def _of(db: Connection, resident_id: int) -> tuple[Resident, Owner]:
    resident = get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_at(resident)
    return resident, queries.owner_of_resident(db, resident)


def _till(db: Connection) -> tuple[Merchant, Owner]:
    """Return the merchant that the URL names, or the first one at whose till the operator works."""
    mine = current().merchant_ids()
    chosen = request.args.get("merchant", type=int)
    if chosen is None:
        if not mine:
            raise NoTill()
        chosen = mine[0]
    within_merchant(chosen)
    merchant = get_merchant(db, chosen)
    return merchant, queries.owner_of_merchant(db, merchant)


def _page(statement: Statement, head: Head, proof: Checked | None = None) -> str:
    sections = [
        (section, [shown_line(line, details=_details(statement, line)) for line in section.lines])
        for section in _sections(statement)
    ]
    return render_template(
        "statements/statement.html",
        statement=statement,
        sections=sections,
        head=head,
        proof=proof,
        # The balance on the page is that of the lines that were just held against the log, or it isn't shown.
        fails=proof is not None and (proof.proven is None or proof.proven.balance != statement.points.closing),
        wording=wording,
        check_url=public_url() + url_for("noticeboard.check"),
        last_day=clock.local(statement.as_of).date(),
        printed_at=clock.now(),
        Unit=Unit,
    )


def _sections(statement: Statement) -> Iterable[Section]:
    return [section for section in (statement.points, statement.minutes) if section is not None]


def own_line_url(line: StatementLine, unit: str) -> str:
    """Return where the owner of a line sees its proof."""
    return url_for("statement_proofs.own_line", unit=unit, n=line.number)


def shown_line(line: StatementLine, *, details: Iterable[str] | None = None, url: str | None = None) -> ShownLine:
    """Return a line as the passbook widget takes it; a statement gives more details than the place."""
    return ShownLine(
        n=line.number,
        day=line.posted_at,
        what=_what(line),
        where=line.place if details is None else DOT.join(details),
        points=line.amount,
        balance_after=line.balance_after,
        reverses_n=line.reverses_number,
        reversed_by_n=line.reversed_by_number,
        taken_back=line.kind in ("redemption", "undo"),
        reason=line.reason,
        url=url,
    )


def _what(line: StatementLine) -> str:
    """Say what a line is: what it is about, and the kind in front where that would not be clear."""
    kind = kind_word(line.kind)
    if not line.about:
        return kind
    return line.about if line.kind in ("award", "redemption") else _("%(kind)s：%(about)s", kind=kind, about=line.about)


def _details(statement: Statement, line: StatementLine) -> Iterator[str]:
    if line.happened_earlier:
        yield _("%(day)s 的服务", day=f"{line.occurred_on:%Y-%m-%d}")
    if line.place and not statement.is_merchants:
        yield line.place
    if line.rule_code:
        yield _rule(line).replace(" ", "\N{NO-BREAK SPACE}")
    yield role_word(line.role)


def _rule(line: StatementLine) -> str:
    return _("规则 %(code)s 第 %(version)s 版", code=line.rule_code, version=line.rule_version)


def _rows(statement: Statement) -> Iterator[list[Cell]]:
    """Yield the statement as a table: per unit an opening, the lines and a closing."""
    yield [
        _("单位"), _("行号"), _("记账时间"), _("发生日期"), _("种类"), _("事由"), _("地点"), _("规则"), _("经办"),
        _("证据等级"), _("变动"), _("余额"), _("冲正行"), _("原因"), _("分录号"),
    ]  # fmt: skip
    first, last = statement.month, clock.local(statement.as_of).date()
    for section in _sections(statement):
        unit = _(values.UNIT_WORDS[section.unit])
        yield [unit, None, None, first, _("期初余额"), *[None] * 6, section.opening, None, None, None]
        for line in section.lines:
            yield [
                unit, line.number, line.posted_at, line.occurred_on, kind_word(line.kind), line.about, line.place,
                _rule(line) if line.rule_code else None, role_word(line.role), line.grade, line.amount,
                line.balance_after, line.reverses_number or line.reversed_by_number, line.reason, str(line.entry_id),
            ]  # fmt: skip
        yield [unit, None, None, last, _("期末余额"), *[None] * 6, section.closing, None, None, None]
