"""Generates a notice from the book as it stood at an instant. The same instant gives the same content again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.engine import Connection

from moralbank import clock, ids, ledger
from moralbank.activities.queries import activities_of_entries, helped_by
from moralbank.branches.queries import Branch, list_branches
from moralbank.disclosure.suppression import LEAST, hidden, hidden_below, is_small
from moralbank.disclosure.values import FORMAT, Kind, Period, Row, band_of, spell
from moralbank.residents.queries import Resident, consenting_at, names_within, residents_by_account
from moralbank.residents.values import Consent, is_minor, mask

#: A title that can't be told without telling of somebody.
UNTITLED = "一项活动"
_NO_SALTS: Mapping[int, bytes] = {}
_SPENT = ("redemption", "undo", "refund")


@dataclass(frozen=True, slots=True)
class Generated:
    """A notice and who is named in it."""

    content: dict[str, Any]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """What some people came to."""

    people: frozenset[int]
    points: int
    minutes: int


_Name = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class _Family:
    """A branch's awards beside those of its hub and the hub's other stations, from which they must not come out."""

    branch: Branch
    #: Of everybody below the hub; of a hub its own awards are all that is asked for.
    awards: Sequence[ledger.AwardInSpan]
    here: Sequence[ledger.AwardInSpan]
    stations: Collection[int]
    #: Stations that tell nothing this time, since they are too small.
    untold: Collection[int]


@dataclass(frozen=True, slots=True)
class _Named:
    resident: Resident
    shown: str
    salt: bytes


def generate(
    db: Connection, branch: Branch, kind: Kind, period: Period, at: datetime, salts: Mapping[int, bytes] = _NO_SALTS
) -> Generated:
    """Return what a branch's notice of a period says, by the book and the consents at an instant.

    salts: those of an earlier time, by resident, with which the same content comes out; new ones are drawn.
    """
    assert branch.book_id is not None, "the caller looked"
    since, until = clock.start_of(period.since_on), clock.end_of(period.until_on)
    below = {one.branch_id for one in list_branches(db, branch.branch_id)}
    awards = ledger.awards_of_span(db, branch.book_id, since, until)
    here = [one for one in awards if one.branch_id in below]
    head = {
        "format": FORMAT,
        "kind": str(kind),
        "branch": {"code": branch.code, "name": branch.name_zh},
        "since": period.since_on.isoformat(),
        "until": period.until_on.isoformat(),
        "least": LEAST,
    }
    residents = residents_by_account(db, {one.account for one in here})
    small = _small_stations(db, branch, awards) if branch.kind == "station" else set()
    if branch.branch_id in small or is_small(frozenset(one.account for one in here)):
        return Generated(head | {"is_small": True}, ())
    if kind is Kind.TOTALS:
        family = _family(db, branch, awards, here, small)
        return Generated(head | _totals(db, family, below, (since, until)), ())
    rows, others = _named(db, here, residents, at, salts)
    return Generated(head | {"others": others}, tuple(rows))


def _small_stations(db: Connection, branch: Branch, awards: Sequence[ledger.AwardInSpan]) -> set[int]:
    """Return the stations of a hub that are told only in the hub's notice, so that none comes out by difference.

    What was done at the hub itself is told nowhere else, so it stands with them.
    """
    assert branch.parent_id is not None, "a station lies below a hub"
    people = {
        one.branch_id: frozenset(award.account for award in awards if award.branch_id == one.branch_id)
        for one in list_branches(db, branch.parent_id)
    }
    return hidden(people, {branch.parent_id})


def _family(
    db: Connection,
    branch: Branch,
    awards: Sequence[ledger.AwardInSpan],
    here: Sequence[ledger.AwardInSpan],
    small: Collection[int],
) -> _Family:
    """Return what is to be seen beside a branch's figures; beside a hub's there is nothing."""
    if branch.kind != "station" or branch.parent_id is None:
        return _Family(branch, here, here, (), ())
    beside = [one.branch_id for one in list_branches(db, branch.parent_id)]
    stations = [one for one in beside if one != branch.parent_id]
    return _Family(branch, [one for one in awards if one.branch_id in beside], here, stations, small)


def _redeemed(db: Connection, branch: Branch, below: Collection[int], span: tuple[datetime, datetime]) -> int | None:
    """Return the points that were spent at a branch, None where so few spent them that it would tell of them.

    A station's are not told either where the hub's figure less the other stations' would leave a few.
    """
    assert branch.book_id is not None, "the caller looked"
    book = branch.book_id

    def spent_at(branch_ids: Collection[int]) -> list[ledger.AccountSum]:
        return ledger.sums_by_account(db, book, _SPENT, *span, branch_ids=sorted(branch_ids))

    spent = spent_at(below)
    if is_small(frozenset(one.account for one in spent)):
        return None
    if branch.kind == "station" and branch.parent_id is not None:
        beside = [one.branch_id for one in list_branches(db, branch.parent_id)]
        spenders = {one: frozenset(account.account for account in spent_at([one])) for one in beside}
        if branch.branch_id in hidden(spenders, {branch.parent_id}):
            return None
    return -sum(one.points for one in spent)


def _totals(
    db: Connection,
    family: _Family,
    below: Collection[int],
    span: tuple[datetime, datetime],
) -> dict[str, Any]:
    branch, here = family.branch, family.here
    assert branch.book_id is not None, "the caller looked"
    residents = residents_by_account(db, {one.account for one in family.awards})
    return {
        "people": len({one.account for one in here}),
        "issued_points": sum(one.points for one in here),
        "minutes": sum(one.minutes for one in here),
        "redeemed_points": _redeemed(db, branch, below, span),
        "activities": _activities(db, branch.book_id, family),
        "grids": _told("grid", family, lambda one: _grid(residents, one.account)),
        "grades": _told("grade", family, lambda one: (one.grade or "", one.grade)),
    }


def _grid(residents: Mapping[int, Resident], account: int) -> tuple[str, str]:
    grid = (residents[account].grid or "") if account in residents else ""
    return grid, grid


def _activities(db: Connection, book: int, family: _Family) -> list[dict[str, Any]]:
    """Return what was done and by how many. A title in which somebody's name stands is not told."""
    held = activities_of_entries(db, {one.entry_id for one in family.awards})
    telling = names_within(db, book, {title for _, title in held.values()})

    def name(one: ledger.AwardInSpan) -> tuple[str, int]:
        activity_id, title = held.get(one.entry_id, (0, ""))
        return UNTITLED if title in telling else title, activity_id

    return _told("title", family, name)


def _by(here: Sequence[ledger.AwardInSpan], name: Callable[[ledger.AwardInSpan], _Name]) -> dict[_Name, _Group]:
    """Return the awards in groups by what they have in common."""
    found: dict[_Name, list[ledger.AwardInSpan]] = {}
    for one in here:
        found.setdefault(name(one), []).append(one)
    return {
        key: _Group(
            frozenset(one.account for one in group),
            sum(one.points for one in group),
            sum(one.minutes for one in group),
        )
        for key, group in found.items()
    }


def _told(called: str, family: _Family, name_of: Callable[[ledger.AwardInSpan], _Name]) -> list[dict[str, Any]]:
    """Return the groups that may have a figure, by name, and at the end all others as one without a name."""
    groups = _by(family.here, name_of)
    kept = _kept(groups, family, name_of)
    told = [_line(called, name[0], [groups[name]]) for name in sorted(groups, key=str) if name not in kept]
    return told + ([_line(called, None, [groups[name] for name in kept])] if kept else [])


def _kept(
    groups: Mapping[_Name, _Group], family: _Family, name_of: Callable[[ledger.AwardInSpan], _Name]
) -> set[_Name]:
    """Return the groups that are told only together: of a station also those that its hub's figures would betray."""
    unnamed = {name for name in groups if not name[0]}
    if not family.stations:
        return hidden(_people(groups), unnamed)
    by_station = {
        station: _people(_by([one for one in family.awards if one.branch_id == station], name_of))
        for station in family.stations
    }
    whole = _people(_by(family.awards, name_of))
    own = _people(_by([one for one in family.awards if one.branch_id == family.branch.parent_id], name_of))
    unnamed |= {name for name in whole if not name[0]}
    return hidden_below(whole, by_station, own, unnamed, set(family.untold))[family.branch.branch_id]


def _people(groups: Mapping[_Name, _Group]) -> dict[_Name, frozenset[int]]:
    return {name: group.people for name, group in groups.items()}


def _line(called: str, name: str | None, groups: Sequence[_Group]) -> dict[str, Any]:
    people: frozenset[int] = frozenset().union(*(group.people for group in groups))
    points, minutes = sum(group.points for group in groups), sum(group.minutes for group in groups)
    return {called: name, "people": len(people), "points": points, "minutes": minutes}


def _named(
    db: Connection,
    here: Sequence[ledger.AwardInSpan],
    residents: Mapping[int, Resident],
    at: datetime,
    salts: Mapping[int, bytes],
) -> tuple[list[Row], dict[str, Any]]:
    """Return who agreed to be named, in an order that ranks nobody, and how many others there are."""
    points: dict[int, int] = {}
    for one in here:
        if one.account in residents:
            points[one.account] = points.get(one.account, 0) + one.points
    agreed = consenting_at(db, Consent.NOTICE, [residents[account].resident_id for account in points], at)
    agreed -= helped_by(db, agreed, at)
    today = clock.local(at).date()
    named = [
        _Named(resident, spell(_shown(resident, points[account])), salts.get(resident.resident_id) or ids.secret(16))
        for account, resident in residents.items()
        if points.get(account, 0) > 0 and resident.resident_id in agreed and may_be_named(resident, today)
    ]
    # By grid and masked name, and among the same by what was drawn by lot.
    named.sort(key=lambda one: (one.resident.grid or "", mask(one.resident.name), one.salt))
    rows = [Row(number, one.resident.resident_id, one.shown, one.salt) for number, one in enumerate(named, 1)]
    others = len({one.account for one in here}) - len(rows)
    return rows, {"people": None if 0 < others < LEAST else others}


def _shown(resident: Resident, points: int) -> dict[str, Any]:
    least, most = band_of(points)
    return {"name": mask(resident.name), "grid": resident.grid or "", "least": least, "most": most}


def may_be_named(resident: Resident, today: date) -> bool:
    """Tell whether somebody who agreed may stand in a list: no minor, and nobody who has left or is forgotten."""
    return resident.is_active and not resident.is_forgotten and not is_minor(resident.born_on, today)
