"""The public check of a statement: match or no match, whose it is in a masked name, and what became of it.

No balance is shown: a third party learns no one's total here. Who holds the paper may ask whether the figure on it is
the one that was issued.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.branches.queries import find_hub
from moralbank.branches.views import branch_name
from moralbank.certificates import tokens
from moralbank.certificates.public_views import take_on, unlisted
from moralbank.certificates.tokens import Token
from moralbank.ledger import AccountKind
from moralbank.merchants.queries import merchants_by_account
from moralbank.residents.queries import residents_by_account
from moralbank.residents.values import mask
from moralbank.statements import codes, queries
from moralbank.statements.issued import Issued, reproduce
from moralbank.statements.values import ACCOUNT_WORDS
from moralbank.web.auth import public
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("statement_check", __name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What anybody may know of a statement."""

    issued: Issued
    #: valid, later (some of its lines were reversed since), differs (the book no longer says this), forgotten.
    state: str
    #: Masked where it is a person.
    holder: str
    issuer: str
    #: How many of its lines were reversed after it was issued.
    reversed_lines: int
    #: Whether the closing balance that was asked about is the one that was issued; None: nothing was asked.
    is_closing: bool | None


@blueprint.get("/v/statement")
@public
def check_number() -> Response:
    """Let anybody type the number and the check of the content that are printed on a statement."""
    number, mark = request.args.get("number", ""), request.args.get("mark", "")
    if not number.strip() and not mark.strip():
        return _answer(None, asked=False)
    with database().reading() as db:
        found = codes.find_by_number(db, number[:40], mark[:40])
        verdict = None if found is None else _judge(db, found)
    return _answer(verdict, number=number, mark=mark)


def check_code(token: Token) -> Response:
    """Answer to whoever scanned the code on a statement."""
    with database().reading() as db:
        found = codes.find_by_code(db, token)
        verdict = None if found is None else _judge(db, found)
    return _answer(verdict)


take_on(tokens.STATEMENT, check_code)


def _judge(db: Connection, one: Issued) -> Verdict:
    kind, name, is_forgotten = _holder(db, one)
    hub = find_hub(db, one.book)
    asked = request.args.get("points", type=row_id)
    is_closing = None if asked is None else asked == one.points.closing
    state, later = "valid", 0
    if reproduce(db, one)[1] != one.content_hash:
        state = "differs"
    elif is_forgotten:
        state = "forgotten"
    elif kind is not AccountKind.MERCHANT:
        # A merchant's lines have no numbers of their own by which a later statement could be pointed to.
        shown = queries.statement_of(db, queries.owner_of_account(db, one.book, one.account), one.period)
        later = len(shown.points.later)
        state = "later" if later else "valid"
    return Verdict(one, state, name, branch_name(hub) if hub else "", later, is_closing)


def _holder(db: Connection, one: Issued) -> tuple[AccountKind, str, bool]:
    """Return the kind of account, whose it is as strangers may read it, and whether that person is forgotten."""
    account = ledger.find_account(db, one.book, one.account)
    assert account is not None, "an issued statement is of an account"
    resident = residents_by_account(db, [one.account]).get(one.account)
    if resident is not None:
        return account.kind, "" if resident.is_forgotten else mask(resident.name), resident.is_forgotten
    merchant = merchants_by_account(db, [one.account]).get(one.account)
    return account.kind, merchant.name if merchant else _(ACCOUNT_WORDS[account.kind]), False


def _answer(found: Verdict | None, *, asked: bool = True, number: str = "", mark: str = "") -> Response:
    page = render_template("statements/check.html", found=found, asked=asked, number=number, mark=mark)
    return unlisted(make_response(page, 404 if asked and found is None else 200))
