"""The paper passbook: print new lines at their place, and compare a booklet with the book by its last line and code."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy import Connection

from moralbank import clock
from moralbank.errors import MoralBankError
from moralbank.ledger import MAX_AMOUNT, Line, Unit
from moralbank.residents.queries import Resident
from moralbank.statements import booklet, wording
from moralbank.statements.booklet import Comparison, Page
from moralbank.statements.errors import CodeMistyped, UnknownLine
from moralbank.statements.schemas import UNITS
from moralbank.statements.values import Owner, about
from moralbank.statements.views import account_of, own_account
from moralbank.web import looking, problems
from moralbank.web.auth import allow
from moralbank.web.db import database
from moralbank.web.filters import MINUS, figure
from moralbank.web.i18n import gettext as _
from moralbank.web.pdf import pdf_response

blueprint = Blueprint("booklets", __name__)


@blueprint.get("/me/passbook/compare")
@allow("resident", scope="self")
def compare_own() -> str | tuple[str, int]:
    """Let a resident hold their own paper passbook against the book."""
    with database().reading() as db:
        resident, owner = own_account(db)
        return _page(db, resident, owner, layout="resident", back=url_for("statements.passbook"))


@blueprint.get("/me/passbook/print.pdf")
@allow("resident", scope="self")
def print_own() -> Response:
    """Print one's own passbook from a line on."""
    with database().reading() as db:
        resident, owner = own_account(db)
        return _print(db, resident, owner)


@blueprint.get("/staff/residents/<int:resident_id>/passbook")
@allow("staff", "auditor", scope="branch")
def compare_for(resident_id: int) -> str | tuple[str, int]:
    """Let staff hold a resident's paper passbook against the book, and print it on."""
    with database().reading() as db:
        resident, owner = account_of(db, resident_id)
        back = url_for("residents.show", resident_id=resident_id)
        return _page(db, resident, owner, layout="staff", back=back)


@blueprint.get("/staff/residents/<int:resident_id>/passbook.pdf")
@allow("staff", scope="branch")
def print_for(resident_id: int) -> Response:
    """Print a resident's passbook from a line on, at the desk."""
    with database().reading() as db:
        resident, owner = account_of(db, resident_id)
        answer = _print(db, resident, owner)
    looking.note_export(resident, "passbook")
    return answer


def _page(db: Connection, resident: Resident, owner: Owner, *, layout: str, back: str) -> str | tuple[str, int]:
    name, unit = _unit()
    found: Comparison | None = None
    refusal: MoralBankError | None = None
    typed, n = request.args.get("code", ""), _line(request.args.get("n", ""))
    if typed or request.args.get("n"):
        try:
            if n is None:
                raise UnknownLine(n=request.args["n"])
            found = booklet.compare(db, owner, unit, n, typed)
        except (CodeMistyped, UnknownLine) as no:
            refusal = no
    own = layout == "resident"
    page = render_template(
        "statements/booklet.html",
        layout=layout,
        back=back,
        holder=resident.masked_name,
        unit=name,
        found=found,
        last=booklet.last_line(db, owner, unit),
        rows=booklet.ROWS,
        given=request.args,
        errors={"code" if isinstance(refusal, CodeMistyped) else "n": [problems.sentence(refusal)]}
        if refusal
        else None,
        here=url_for(".compare_own") if own else url_for(".compare_for", resident_id=resident.resident_id),
        paper=url_for(".print_own") if own else url_for(".print_for", resident_id=resident.resident_id),
    )
    return (page, refusal.status) if refusal else page


def _print(db: Connection, resident: Resident, owner: Owner) -> Response:
    """Return the pages from a line on. Raises: UnknownLine, PaperUnavailable."""
    _name, unit = _unit()
    asked = request.args.get("first", "1")
    first = _line(asked)
    if first is None:
        raise UnknownLine(n=asked)
    made = booklet.pages(db, owner, unit, first)
    data = {
        "title": _("存折"),
        "lang": "zh",
        "columns": [_("行"), _("日期"), _("事由"), _("变动"), _("余额"), _("校验")],
        "sheets": [_sheet(page, resident, unit) for page in made],
    }
    return pdf_response("booklet", data, f"passbook-{resident.number}-{first}.pdf", clock.now())


def _sheet(page: Page, resident: Resident, unit: Unit) -> dict[str, Any]:
    name = _("服务时间存折") if unit is Unit.MINUTES else _("积分存折")
    last = page.lines[-1].n
    return {
        "head": f"{name} {resident.name}",
        "page": _("%(number)s 第 %(n)s 页", number=resident.number, n=page.number),
        # A page is ruled when its first line is printed; later lines find their places ruled.
        "is_new": booklet.slot_of(page.lines[0].n or 1) == 0,
        "rows": [
            {
                "slot": booklet.slot_of(line.n or 1),
                "cells": _cells(line, unit),
                "code": booklet.in_fours(page.code) if line.n == last else "",
            }
            for line in page.lines
        ],
    }


def _cells(line: Line, unit: Unit) -> list[str]:
    words = about(line.private) or wording.kind_word(line.kind)
    if line.reverses:
        words = f"{wording.kind_word(line.kind)} {words}"
    sign = "+" if line.amount > 0 else MINUS
    return [
        f"{line.n}",
        f"{clock.local(line.posted_at):%Y-%m-%d}",
        words,
        sign + _spelled(abs(line.amount), unit),
        _spelled(line.balance_after or 0, unit),
    ]


def _spelled(value: int, unit: Unit) -> str:
    """Return a figure that fits the booklet's column: points, or hours and minutes as 12:05."""
    return f"{value // 60:,}:{value % 60:02}" if unit is Unit.MINUTES else figure(value)


def _unit() -> tuple[str, Unit]:
    name = request.args.get("unit", "points")
    name = name if name in UNITS else "points"
    return name, UNITS[name]


def _line(text: str) -> int | None:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(MAX_AMOUNT))):
        return None
    return int(digits)
