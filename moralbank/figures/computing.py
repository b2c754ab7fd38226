"""Computes a month for a whole tree of branches at once, so that no group comes out by difference. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.activities.queries import activities_of_entries, ratings_of_month
from moralbank.branches.queries import Branch
from moralbank.disclosure.suppression import hidden, is_small
from moralbank.figures.values import FIGURES, GRADES
from moralbank.merchants.queries import all_merchants
from moralbank.residents.queries import Holder, list_holders
from moralbank.settlements.queries import Budget, budget

_SPENT = ("redemption", "undo", "refund")


@dataclass(slots=True)
class _Sum:
    """What some people came to."""

    people: set[int] = field(default_factory=set)
    amount: int = 0

    def add(self, people: Iterable[int], amount: int) -> None:
        self.people.update(people)
        self.amount += amount


@dataclass(slots=True)
class _Measured:
    """Everything of a month by measure and branch, each branch with what is its own only."""

    sums: dict[str, dict[int, _Sum]] = field(default_factory=dict)
    activities: dict[int, set[int]] = field(default_factory=dict)
    merchants: dict[int, int] = field(default_factory=dict)
    #: Of each hub.
    budgets: dict[int, Budget] = field(default_factory=dict)

    def add(self, name: str, branch_id: int, people: Iterable[int], amount: int) -> None:
        self.sums.setdefault(name, {}).setdefault(branch_id, _Sum()).add(people, amount)


def compute(db: Connection, branches: Sequence[Branch], month: date) -> dict[int, dict[str, int | None]]:
    """Return the figures of a month by branch, for a branch without a parent and all below it."""
    measured, after = _Measured(), clock.months_after(month, 1)
    span = clock.start_of(month), clock.start_of(after)
    for book in sorted({branch.book_id for branch in branches if branch.book_id is not None}):
        _measure_book(db, measured, [one for one in branches if one.book_id == book], book, span)
    _measure_ratings(db, measured, branches, month)
    for merchant in _merchants(db, branches):
        measured.merchants[merchant] = measured.merchants.get(merchant, 0) + 1
    return _told(branches, measured)


def _measure_book(
    db: Connection, measured: _Measured, branches: Sequence[Branch], book: int, span: tuple[datetime, datetime]
) -> None:
    since, until = span
    hub = next(branch.branch_id for branch in branches if branch.kind == "hub")
    holders = list_holders(db, book)
    home = {account: holder.branch_id for account, holder in holders.items()}
    _measure_awards(db, measured, book, span, hub)
    for branch in branches:
        for one in ledger.sums_by_account(db, book, _SPENT, since, until, branch_ids=[branch.branch_id]):
            measured.add("redeemed_points", branch.branch_id, [one.account], -one.points)
    for one in ledger.sums_by_account(db, book, ("expiry",), since, until):
        measured.add("expired_points", home.get(one.account, hub), [one.account], -one.points)
    for one in ledger.outstanding_by_account(db, book, until):
        if one.points:
            measured.add("outstanding_points", home.get(one.account, hub), [one.account], one.points)
    for account, holder in holders.items():
        if _is_here(holder, until):
            measured.add("depositors", holder.branch_id, [account], 1)
    measured.budgets[hub] = budget(db, book, clock.today())


def _measure_awards(db: Connection, measured: _Measured, book: int, span: tuple[datetime, datetime], hub: int) -> None:
    awards = ledger.awards_of_span(db, book, *span)
    held = activities_of_entries(db, {one.entry_id for one in awards})
    for one in awards:
        branch_id = one.branch_id or hub
        measured.add("participants", branch_id, [one.account], 0)
        measured.add("issued_points", branch_id, [one.account], one.points)
        measured.add("service_minutes", branch_id, [one.account], one.minutes)
        if one.grade is not None:
            measured.add(f"grade_{one.grade.lower()}", branch_id, [one.account], 1)
        if one.entry_id in held:
            measured.activities.setdefault(branch_id, set()).add(held[one.entry_id][0])


def _measure_ratings(db: Connection, measured: _Measured, branches: Sequence[Branch], month: date) -> None:
    """Ratings tell of nobody, so each counts as somebody of its own."""
    rated = 0
    for branch_id, rating, times in ratings_of_month(db, [one.branch_id for one in branches], month):
        measured.add("satisfaction_percent", branch_id, range(rated, rated + times), (rating - 1) * times)
        rated += times


def _is_here(holder: Holder, until: datetime) -> bool:
    return holder.enrolled_at < until and not holder.has_left


def _merchants(db: Connection, branches: Sequence[Branch]) -> Iterable[int]:
    by_id = [branch.branch_id for branch in branches]
    return [one.branch_id for one in all_merchants(db, by_id) if one.is_active]


def _told(branches: Sequence[Branch], measured: _Measured) -> dict[int, dict[str, int | None]]:
    """Add up by branch, and leave out what is too small to be told."""
    below = {
        one.branch_id: [other.branch_id for other in branches if other.path.startswith(one.path)] for one in branches
    }
    told: dict[int, dict[str, int | None]] = {one.branch_id: {} for one in branches}
    for name in [figure.name for figure in FIGURES]:
        if name in ("merchants", "activities", "coverage_percent"):
            continue
        own = measured.sums.get(name, {})
        whole = {branch_id: _whole(own, inside) for branch_id, inside in below.items()}
        kept = _kept(branches, own, whole)
        for branch_id, one in whole.items():
            told[branch_id][name] = None if branch_id in kept else _counted(name, one)
    for branch_id, inside in below.items():
        hubs = [measured.budgets[one] for one in inside if one in measured.budgets]
        held = set[int]().union(*(measured.activities.get(one, set()) for one in inside))
        told[branch_id]["activities"] = len(held)
        told[branch_id]["merchants"] = sum(measured.merchants.get(one, 0) for one in inside)
        told[branch_id]["coverage_percent"] = _coverage(hubs)
        if any(told[branch_id][grade] is None for grade in GRADES):
            told[branch_id] |= dict.fromkeys(GRADES)
    return told


def _coverage(budgets: Sequence[Budget]) -> int | None:
    """Return how much of what hubs need together is there, in whole percent; None while one of them isn't known."""
    needed = [one.needed_fen for one in budgets]
    whole = sum(one or 0 for one in needed)
    if None in needed or not whole:
        return None
    return sum(max(0, one.available_fen) for one in budgets) * 100 // whole


def _counted(name: str, one: _Sum) -> int | None:
    if name in ("participants", "depositors"):
        return len(one.people)
    if name == "satisfaction_percent":  # Of ratings from 1 to 3, as a share of all at the top.
        return one.amount * 100 // (2 * len(one.people)) if one.people else None
    return one.amount


def _whole(own: Mapping[int, _Sum], inside: Iterable[int]) -> _Sum:
    found = _Sum()
    for branch_id in inside:
        if branch_id in own:
            found.add(own[branch_id].people, own[branch_id].amount)
    return found


def _kept(branches: Sequence[Branch], own: Mapping[int, _Sum], whole: Mapping[int, _Sum]) -> set[int]:
    """Return the branches whose figure is not told: the small, those that would betray them, and all below either."""
    kept = {one.branch_id for one in branches if one.parent_id not in whole and is_small(whole[one.branch_id].people)}
    for parent in branches:  # Parents come before what is below them.
        children = [one.branch_id for one in branches if one.parent_id == parent.branch_id]
        if parent.branch_id in kept:
            kept.update(children)
            continue
        groups: dict[int, set[int]] = {branch_id: whole[branch_id].people for branch_id in children}
        if parent.branch_id in own:  # What is the parent's own is told nowhere, so it stands with the hidden ones.
            groups[-1] = own[parent.branch_id].people
        kept.update(hidden(groups, {-1}) - {-1})
    return kept
