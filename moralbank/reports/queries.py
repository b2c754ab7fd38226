"""Reads of the books within what an auditor reaches: which books, whose accounts, which entries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access.deed_queries import DeedFilter
from moralbank.access.deeds import Kind
from moralbank.access.errors import OutOfScope
from moralbank.branches.queries import Branch, hub_path_of, list_branches_under, path_of
from moralbank.history.queries import outside_names
from moralbank.ledger import Account, AccountKind, Book, Entry, EntryFilter, PostedLeg, TrialRow, Unit
from moralbank.merchants import queries as merchants
from moralbank.merchants.queries import find_merchant_by_code, merchants_by_account
from moralbank.prepared import Prepared, Question, ask
from moralbank.reports.errors import UnknownBookCode, UnknownHolder, WholeBookOnly
from moralbank.residents import queries as residents
from moralbank.residents.queries import find_by_card, find_by_number, residents_by_account
from moralbank.teams.queries import names_of_accounts

PAGE = 50
_STEP = 500
_RESIDENT_DIGITS = 8
_CARD_DIGITS = 24
_INTERNAL = [
    AccountKind.ISSUER,
    AccountKind.REGISTRY,
    AccountKind.OPENING,
    AccountKind.EXPIRED,
    AccountKind.SETTLED,
    AccountKind.CLEARING,
    AccountKind.POOL,
]


@dataclass(frozen=True, slots=True)
class Reach:
    """A book, and what of it somebody reaches: all of it, or the entries of some branches."""

    book: Book
    branches: tuple[Branch, ...]
    is_whole: bool

    @property
    def code(self) -> str:
        return self.book.code

    @property
    def name(self) -> str:
        return self.book.name

    def covers(self, branch_id: int | None) -> bool:
        return self.is_whole or branch_id in {branch.branch_id for branch in self.branches}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose account it is, as staff may read it: a masked name, a merchant's name, or nothing but the kind."""

    account: int
    kind: AccountKind
    #: Empty for the book's own accounts, whose kind says all.
    name: str
    number: str
    resident_id: int | None = None
    merchant_id: int | None = None
    branch_id: int | None = None


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """What every kind of account got and gave until an instant."""

    as_of: datetime
    rows: tuple[TrialRow, ...]

    def total(self, unit: Unit) -> int:
        return sum(row.balance for row in self.rows if row.unit is unit)

    @property
    def closes(self) -> bool:
        return not any(self.total(unit) for unit in Unit)


def list_reaches(db: Connection, paths: list[str]) -> list[Reach]:
    """Return the books that somebody with roles at these paths reaches, wholly or in part.

    Who covers a hub, which keeps the book, or the whole bank, reads all of the book; who covers stations only reads
    their entries.
    """
    branches = list_branches_under(db, paths)
    reaches = []
    for book in ledger.list_books(db):
        inside = tuple(branch for branch in branches if branch.book_id == book.book_id)
        is_whole = "/" in paths or any(branch.kind == "hub" for branch in inside)
        if is_whole or inside:
            reaches.append(Reach(book, inside, is_whole))
    return reaches


def choose(reaches: Sequence[Reach], code: str | None) -> Reach:
    """Return the reach of the book of this code, or of the first book. Raises: UnknownBookCode."""
    for reach in reaches:
        if code in (None, reach.book.code):
            return reach
    raise UnknownBookCode(book=code or "—")


def whole(reach: Reach) -> Reach:
    """Return the reach if it is of the whole book. Raises: WholeBookOnly."""
    if not reach.is_whole:
        raise WholeBookOnly()
    return reach


def entry_filter(db: Connection, reach: Reach, asked: Mapping[str, Any]) -> EntryFilter:
    """Return what was asked (schemas.EntryFilters) as the ledger's filter, within the reach.

    Raises (in the order checked): OutOfScope for a branch that is not in reach, UnknownHolder.
    """
    branches = None if reach.is_whole else [branch.branch_id for branch in reach.branches]
    if asked["branch"]:
        chosen = next((branch for branch in reach.branches if branch.code == asked["branch"]), None)
        if chosen is None:
            raise OutOfScope()
        branches = [branch.branch_id for branch in reach.branches if branch.path.startswith(chosen.path)]
    holder = asked["holder"]
    return EntryFilter(
        branches=branches,
        account=find_holder(db, reach.book.book_id, holder) if holder else None,
        kind=asked["kind"],
        rule=asked["rule"],
        actor=asked["actor"],
        grade=asked["grade"],
        since=clock.start_of(asked["since"]) if asked["since"] else None,
        until=clock.end_of(asked["until"]) if asked["until"] else None,
    )


def deed_filter(db: Connection, reach: Reach, asked: Mapping[str, Any]) -> DeedFilter:
    """Return what was asked (schemas.DeedFilters) as a filter of deeds, within the reach. Raises: UnknownHolder."""
    resident_id = None
    if asked["holder"]:
        account = find_holder(db, reach.book.book_id, asked["holder"])
        resident = residents_by_account(db, [account]).get(account)
        if resident is None or not reach.covers(resident.branch_id):
            raise UnknownHolder(text=asked["holder"])
        resident_id = resident.resident_id
    return DeedFilter(
        kind=Kind(asked["kind"]) if asked["kind"] else None,
        login_id=asked["login"],
        resident_id=resident_id,
        branch_ids=None if reach.is_whole else [branch.branch_id for branch in reach.branches],
        since_on=asked["since"],
        until_on=asked["until"],
    )


def find_holder(db: Connection, book: int, text: str) -> int:
    """Return the account that a text names: a resident's number or card, a merchant's code, or the account's own.

    Raises: UnknownHolder.
    """
    digits = text.replace(" ", "")
    is_number = digits.isascii() and digits.isdigit()
    resident = merchant = account = None
    if is_number and len(digits) == _RESIDENT_DIGITS:
        resident = find_by_number(db, book, digits)
    elif is_number and len(digits) == _CARD_DIGITS:
        found = find_by_card(db, digits)
        resident = found[0] if found and found[0].book_id == book else None
    else:
        merchant = find_merchant_by_code(db, book, text.upper())
    if is_number and int(digits) <= ledger.MAX_AMOUNT:
        account = ledger.find_account(db, book, int(digits))
    if resident is not None:
        return resident.account_id
    if merchant is not None:
        return merchant.account_id
    if account is None:
        raise UnknownHolder(text=text)
    return account.account


_book: sa.BindParameter[int] = sa.bindparam("book", type_=sa.BigInteger)
_account: sa.BindParameter[int] = sa.bindparam("account", type_=sa.BigInteger)
_PLACES = Prepared(
    sa.select(
        hub_path_of(_book),
        path_of(residents.branch_of_account(_account)),
        path_of(merchants.branch_of_account(_book, _account)),
    )
)


def asking_places(account: int) -> Question[list[str]]:
    """Ask from which places (paths) an account is seen: the hub that keeps its book, its owner's branch."""
    given = {"book": ledger.book_of(account), "account": account}
    return Question(_PLACES, [given], lambda found: [place for [row] in found for place in row if place is not None])


def is_seen(paths: Sequence[str], places: Sequence[str]) -> bool:
    """Tell whether somebody with roles at these paths sees an account of these places."""
    return "/" in paths or any(place.startswith(path) for place in places for path in paths)


def book_in_reach(db: Connection, paths: Sequence[str], account: int) -> int:
    """Return the book of an account that somebody with roles at these paths may see, as find_account judges it.

    Whether there is such an account is left to who reads it where the whole book is reached.
    Raises (in the order checked): UnknownAccount, OutOfScope for somebody of another branch.
    """
    [places] = ask(db, asking_places(account))
    if is_seen(paths, places):
        return ledger.book_of(account)
    return find_account(db, list_reaches(db, list(paths)), account)[0].book.book_id


def find_account(db: Connection, reaches: Iterable[Reach], account: int) -> tuple[Reach, Account, Holder]:
    """Return an account with its holder and the reach that shows it.

    Raises (in the order checked): UnknownAccount, OutOfScope for somebody of another branch.
    """
    for reach in reaches:
        found = ledger.find_account(db, reach.book.book_id, account)
        if found is not None:
            holder = holders(db, reach.book.book_id, {account})[account]
            if not reach.covers(holder.branch_id):
                raise OutOfScope()
            return reach, found, holder
    raise ledger.UnknownAccount(account=account)


def holders(db: Connection, book: int, accounts: Collection[int]) -> dict[int, Holder]:
    """Return whose the accounts are."""
    found: dict[int, Holder] = {}
    for internal in ledger.list_accounts(db, book, _INTERNAL):
        if internal.account in accounts:
            found[internal.account] = Holder(internal.account, internal.kind, "", "")
    people = residents_by_account(db, [account for account in accounts if account not in found])
    for account, resident in people.items():
        found[account] = Holder(
            account,
            AccountKind.RESIDENT,
            resident.masked_name,
            resident.number,
            resident_id=resident.resident_id,
            branch_id=resident.branch_id,
        )
    for account, merchant in merchants_by_account(db, [one for one in accounts if one not in found]).items():
        found[account] = Holder(
            account,
            AccountKind.MERCHANT,
            merchant.name,
            merchant.code,
            merchant_id=merchant.merchant_id,
            branch_id=merchant.branch_id,
        )
    return found | _others(db, book, [account for account in accounts if account not in found])


def _others(db: Connection, book: int, accounts: Collection[int]) -> dict[int, Holder]:
    """Return accounts of households, teams and imported histories, which are few."""
    names = outside_names(db, accounts) | names_of_accounts(db, accounts)
    found = {}
    for account in accounts:
        kind = ledger.find_account(db, book, account)
        if kind is not None:
            found[account] = Holder(account, kind.kind, names.get(account, ""), str(account))
    return found


def holders_of(db: Connection, book: int, entries: Iterable[Entry]) -> dict[int, Holder]:
    """Return whose the accounts in the entries are."""
    return holders(db, book, {leg.account for entry in entries for leg in entry.legs})


def moved(legs: Iterable[PostedLeg], unit: Unit) -> int:
    """Return how much of a unit an entry moves."""
    return sum(leg.amount for leg in legs if leg.unit is unit and leg.amount > 0)


def trial_balance(db: Connection, book: int, at: datetime | None = None) -> TrialBalance:
    """Return the trial balance of a book, now or at a past instant. Raises: BadDraft for an instant to come."""
    now = clock.now()
    if at is not None and at > now:
        raise ledger.BadDraft(field="at")
    return TrialBalance(at or now, tuple(ledger.trial_balance(db, book, at)))


def walk_entries(db: Connection, book: int, which: EntryFilter) -> Iterator[tuple[Entry, dict[int, Holder]]]:
    """Yield every matching entry, newest first, with the holders of its accounts; a page is in memory at a time."""
    before: int | None = None
    while True:
        page = ledger.list_entries(db, book, which, before_seq=before, limit=_STEP)
        known = holders_of(db, book, page)
        for entry in page:
            yield entry, known
        if len(page) < _STEP:
            return
        before = page[-1].seq
