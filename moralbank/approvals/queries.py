"""Reads of requests and offsets. Who may read is the caller's to say, by the paths of branches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.approvals.errors import UnknownRequest
from moralbank.approvals.models import offsets, requests
from moralbank.branches.queries import lies_below
from moralbank.ledger import Unit
from moralbank.residents.queries import Resident

STATES = ("waiting", "approved", "refused", "withdrawn", "lapsed")
#: What may be asked to be reversed; what was redeemed goes back over the counter.
REVERSIBLE = frozenset({"award", "opening", "adjustment"})


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked, and what became of it."""

    request_id: int
    book_id: int
    branch_id: int
    kind: str
    resident_id: int
    account_id: int
    entry_id: UUID | None
    points: int | None
    reason: str
    maker: str
    maker_login_id: int
    created_at: datetime
    expires_at: datetime
    state: str
    checker: str | None
    checker_login_id: int | None
    decided_at: datetime | None
    answer: str | None
    posted_entry_id: UUID | None
    #: Only somebody who reaches the branch from above may check it.
    needs_outside: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether somebody can still decide; after 72 hours nobody can, noted or not."""
        return self.state == "waiting" and clock.now() < self.expires_at

    @property
    def shown_state(self) -> str:
        return "lapsed" if self.state == "waiting" and not self.is_waiting else self.state


@dataclass(frozen=True, slots=True)
class Effect:
    """What approving would do to the resident's points and minutes now."""

    points_before: int
    points: int
    #: Spent already, so offset from awards to come.
    missing_points: int
    minutes: int

    @property
    def points_after(self) -> int:
        return self.points_before + self.points


@dataclass(frozen=True, slots=True)
class Offset:
    """What is still to be offset from a resident's awards, and until when."""

    offset_id: int
    request_id: int
    account_id: int
    entry_id: UUID
    missing_points: int
    offset_points: int
    written_off_points: int
    steps: int
    opened_at: datetime
    ends_at: datetime
    closed_at: datetime | None

    @property
    def rest_points(self) -> int:
        """What later awards may still be taken for."""
        is_over = self.closed_at is not None or clock.now() >= self.ends_at
        return 0 if is_over else self.missing_points - self.offset_points


_PAGE = 1_000
_REQUEST = sa.select(*(requests.c[name] for name in Request.__dataclass_fields__))
_OFFSET = sa.select(*(offsets.c[name] for name in Offset.__dataclass_fields__))


def find_request(db: Connection, request_id: int, *, lock: bool = False) -> Request | None:
    """Return a request, or None; lock keeps others from deciding it until the transaction ends."""
    query = _REQUEST.where(requests.c.request_id == request_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    return None if row is None else Request(*row)


def get_request(db: Connection, request_id: int, *, lock: bool = False) -> Request:
    """Return a request. Raises: UnknownRequest."""
    found = find_request(db, request_id, lock=lock)
    if found is None:
        raise UnknownRequest()
    return found


def find_by_entry(db: Connection, book: int, entry_id: UUID) -> Request | None:
    """Return the request that waits to reverse an entry, or that was approved, or None."""
    query = _REQUEST.where(
        requests.c.book_id == book,
        requests.c.entry_id == entry_id,
        requests.c.state.in_(["waiting", "approved"]),
    )
    row = db.execute(query).first()
    return None if row is None else Request(*row)


def find_waiting(db: Connection, resident: Resident, **what: Any) -> Request | None:
    """Return a request about a resident that waits and of which this is so, or None."""
    query = _REQUEST.where(*_about(resident), _is("waiting"))
    row = db.execute(query.where(*(requests.c[name] == value for name, value in what.items()))).first()
    return None if row is None else Request(*row)


def list_of_resident(db: Connection, resident: Resident) -> list[Request]:
    """Return every request about a resident, the first first, for the copy of their data."""
    query = _REQUEST.where(*_about(resident)).order_by(requests.c.request_id)
    return [Request(*row) for row in db.execute(query)]


def _about(resident: Resident) -> tuple[sa.ColumnElement[bool], ...]:
    # By the account, which has an index.
    return requests.c.book_id == resident.book_id, requests.c.account_id == resident.account_id


def list_requests(
    db: Connection,
    paths: Sequence[str],
    *,
    state: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Request]:
    """Return requests of the branches below these paths, newest first."""
    query = _REQUEST.where(_below(paths))
    if state is not None:
        query = query.where(_is(state))
    if before_id is not None:
        query = query.where(requests.c.request_id < before_id)
    rows = db.execute(query.order_by(requests.c.request_id.desc()).limit(limit))
    return [Request(*row) for row in rows]


def count_waiting(db: Connection, paths: Sequence[str], login_id: int) -> int:
    """Return how many requests wait for this login to check them: not its own, and not too old."""
    query = sa.select(sa.func.count()).where(_below(paths), _is("waiting"), requests.c.maker_login_id != login_id)
    return int(db.execute(query).scalar_one())


def _below(paths: Sequence[str]) -> sa.ColumnElement[bool]:
    return lies_below(requests.c.branch_id, paths)


def _is(state: str) -> sa.ColumnElement[bool]:
    """Tell a request's state as of now: one that nobody decided in time has lapsed, noted or not."""
    waits = (requests.c.state == "waiting") & (requests.c.expires_at > clock.now())
    if state == "waiting":
        return waits
    if state == "lapsed":
        return (requests.c.state == "lapsed") | ((requests.c.state == "waiting") & ~waits)
    return requests.c.state == state


def requests_by_id(db: Connection, request_ids: Collection[int]) -> dict[int, Request]:
    """Return those of the requests that exist, by id."""
    rows = db.execute(_REQUEST.where(requests.c.request_id.in_(list(request_ids))))
    return {row.request_id: Request(*row) for row in rows}


def state_of(request_id: sa.ColumnElement[int]) -> sa.ScalarSelect[str]:
    """Return a request's state as of now as a column for a query of another package (see Request.shown_state)."""
    stale = (requests.c.state == "waiting") & (requests.c.expires_at <= clock.now())
    shown = sa.case((stale, "lapsed"), else_=requests.c.state)
    return sa.select(shown).where(requests.c.request_id == request_id).correlate_except(requests).scalar_subquery()


def decided_of(request_id: sa.ColumnElement[int]) -> sa.ScalarSelect[datetime]:
    """Return when a request was decided as a column for a query of another package."""
    decided = sa.select(requests.c.decided_at).where(requests.c.request_id == request_id)
    return decided.correlate_except(requests).scalar_subquery()


def effect_of(db: Connection, request: Request) -> Effect:
    """Return what approving a request would do now; what it really does is decided when it is done."""
    before = ledger.available(db, request.book_id, [request.account_id]).get(request.account_id, 0)
    if request.entry_id is None:
        return Effect(before, request.points or 0, 0, 0)
    entry = ledger.get_entry(db, request.book_id, request.entry_id)
    given = {unit: _given(entry, request.account_id, unit) for unit in Unit}
    minutes = ledger.balance(db, request.book_id, request.account_id, Unit.MINUTES).balance
    taken = min(given[Unit.POINTS], before)
    return Effect(before, -taken, given[Unit.POINTS] - taken, -min(given[Unit.MINUTES], minutes))


def _given(entry: ledger.Entry, account: int, unit: Unit) -> int:
    return sum(leg.amount for leg in entry.legs if leg.account == account and leg.unit is unit)


def find_offset(db: Connection, request_id: int) -> Offset | None:
    """Return what a reversal could not take back, or None."""
    row = db.execute(_OFFSET.where(offsets.c.request_id == request_id)).first()
    return None if row is None else Offset(*row)


def list_open_offsets(db: Connection, book: int, accounts: Collection[int], *, lock: bool = False) -> list[Offset]:
    """Return what is still to be offset from awards to these accounts, oldest first."""
    query = _OFFSET.where(
        offsets.c.book_id == book,
        offsets.c.account_id.in_(list(accounts)),
        offsets.c.closed_at.is_(None),
        offsets.c.ends_at > clock.now(),
    ).order_by(offsets.c.offset_id)
    return [Offset(*row) for row in db.execute(query.with_for_update() if lock else query)]


def stream_decided(db: Connection, book: int) -> Iterator[Request]:
    """Yield the requests of a book that somebody approved or refused, in the order in which they were asked."""
    last = 0
    query = _REQUEST.where(requests.c.book_id == book, requests.c.state.in_(["approved", "refused"]))
    query = query.order_by(requests.c.request_id).limit(_PAGE)
    while page := [Request(*row) for row in db.execute(query.where(requests.c.request_id > last))]:
        yield from page
        last = page[-1].request_id


def stream_offsets(db: Connection, book: int) -> Iterator[Offset]:
    """Yield what reversals of a book could not take back, settled or not, in the order in which they came."""
    last = 0
    query = _OFFSET.where(offsets.c.book_id == book).order_by(offsets.c.offset_id).limit(_PAGE)
    while page := [Offset(*row) for row in db.execute(query.where(offsets.c.offset_id > last))]:
        yield from page
        last = page[-1].offset_id


def taken_back(db: Connection, book: int, residents: Collection[int]) -> set[UUID]:
    """Return the entries of these residents whose reversal was approved, though nothing may have been left to take."""
    query = sa.select(requests.c.entry_id).where(
        requests.c.book_id == book,
        requests.c.resident_id.in_(list(residents)),
        requests.c.state == "approved",
        requests.c.entry_id.is_not(None),
    )
    return set(db.execute(query).scalars())


def is_taken_back(entry_id: sa.ColumnElement[UUID]) -> sa.ColumnElement[bool]:
    """Return as a condition for a query of another package whether an entry's reversal was approved."""
    reversal = sa.select(requests.c.request_id).where(requests.c.entry_id == entry_id, requests.c.state == "approved")
    return reversal.correlate_except(requests).exists()


def due_rows(db: Connection, table: sa.Table, condition: sa.ColumnElement[bool], *, limit: int) -> list[Any]:
    """Return rows that a job is to close, locked, oldest first."""
    key = next(iter(table.primary_key.columns))
    return list(db.execute(sa.select(table).where(condition).order_by(key).limit(limit).with_for_update()))
