"""What a print run's files hold: the statements of the next people or shops, as sheets in one PDF or as a PDF each."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from moralbank import ledger, papers
from moralbank.branches.queries import Branch, get_branch, list_branches
from moralbank.certificates import service as certificates
from moralbank.certificates.service import PaperKeys
from moralbank.history.queries import outside_names
from moralbank.ledger import AccountKind
from moralbank.merchants.queries import list_merchants
from moralbank.residents.queries import Resident, list_to_print
from moralbank.statements import codes, paper, prints, queries
from moralbank.statements.issued import check
from moralbank.statements.paper import Holder
from moralbank.statements.prints import PAGE, Print
from moralbank.statements.values import ACCOUNT_WORDS, Owner, Statement
from moralbank.teams.queries import names_of_accounts
from moralbank.web.i18n import gettext as _
from moralbank.web.pdf import sheet

#: Whose statements go with a hub's merchants.
SHARED = (AccountKind.POOL, AccountKind.TEAM)


@dataclass(frozen=True, slots=True)
class Made:
    """One statement of a run: what its file is called by, and what is on it."""

    number: str
    statement: Statement
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Coding:
    """What the codes of a page's statements are signed with, read once, and where they lead to."""

    keys: PaperKeys
    public_url: str


@dataclass(frozen=True, slots=True)
class PrintPage:
    """The next holders of a run, and their statements; whoever has none in the period is passed over."""

    #: How many were looked at; 0 at the end of the run.
    count: int
    #: The position behind them.
    last: tuple[str, int]
    made: list[Made]


def read_page(db: Connection, one: Print, public_url: str) -> PrintPage:
    """Read the next statements of a run; public_url: where their codes lead to.

    Raises: IssuedDiffers, when the book no longer says what was issued.
    """
    branch = get_branch(db, one.branch_id)
    branch_ids = [below.branch_id for below in list_branches(db, one.branch_id)]
    coding = _Coding(certificates.paper_keys(db), public_url)
    if one.form == "shops":
        return _read_shops(db, one, branch, branch_ids, coding)
    after = (one.after_building, one.after_resident)
    people = list_to_print(db, branch_ids, after=after, phoneless=one.phoneless, limit=PAGE)
    made = []
    for resident in people:
        owner = queries.owner_of_resident(db, resident)
        holder = Holder(resident.name, resident.number, _address(branch.name_zh, resident))
        made += _made(db, one, owner, holder, coding)
    last = (people[-1].building or "", people[-1].resident_id) if people else after
    return PrintPage(len(people), last, made)


def _read_shops(db: Connection, one: Print, branch: Branch, branch_ids: list[int], coding: _Coding) -> PrintPage:
    """Read the next merchants' statements; before the first of them, at a hub, those of the teams and the pool."""
    made: list[Made] = []
    shops = list_merchants(db, branch_ids=branch_ids, after_id=one.after_resident, limit=PAGE)
    if branch.kind == "hub" and not one.parts and not one.after_resident:
        accounts = ledger.list_accounts(db, one.book_id, SHARED)
        shared_accounts = [shared.account for shared in accounts]
        names = outside_names(db, shared_accounts) | names_of_accounts(db, shared_accounts)
        for shared in accounts:
            name = names.get(shared.account) or _(ACCOUNT_WORDS[shared.kind])
            holder = Holder(name, str(shared.account), branch.name_zh)
            owner = queries.owner_of_account(db, one.book_id, shared.account)
            made += _made(db, one, owner, holder, coding)
    for shop in shops:
        holder = Holder(shop.name, shop.code, branch.name_zh)
        made += _made(db, one, queries.owner_of_merchant(db, shop), holder, coding)
    return PrintPage(len(shops), ("", shops[-1].merchant_id if shops else one.after_resident), made)


def _made(db: Connection, one: Print, owner: Owner, holder: Holder, coding: _Coding) -> Iterator[Made]:
    """Yield the statement of an account, if it has one in the period."""
    if owner.first_month >= one.period.following:
        return
    found = queries.statement_of(db, owner, one.period)
    if found.issued is not None:
        check(db, found.issued)
        address = codes.address_of(coding.keys, found.issued, coding.public_url)
        yield Made(holder.number, found, paper.document(found, holder, address))


def write_part(root: Path, one: Print, page: PrintPage) -> None:
    """Write a page's file, whole or not at all. Raises: OSError, PaperUnavailable."""
    path = prints.part_path(root, one, one.parts + 1)
    if one.form == "run":
        octets = _pdf([one.document for one in page.made], page.made[0].statement)
        with prints.whole_file(path) as stream:
            stream.write(octets)
        return
    with prints.whole_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as files:
        for made in page.made:
            files.writestr(f"{made.number}-{one.period_name}.pdf", _pdf([made.document], made.statement))


def _pdf(documents: list[dict[str, Any]], first: Statement) -> bytes:
    return papers.pdf("sheet", sheet(paper.title([first]), documents), paper.made_at(first))


def _address(place: str, resident: Resident) -> str:
    """Return where the sheet goes: the bearer reads the building first."""
    return " ".join(filter(None, (resident.building, resident.grid, place)))
