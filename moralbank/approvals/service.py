"""One person asks, another checks: verbs on requests. Both have a login of their own, and both are in the leaf."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.access.deeds import Deed, Kind, record
from moralbank.access.queries import Principal, names_of
from moralbank.approvals import errors, offsets
from moralbank.approvals.models import requests
from moralbank.approvals.offsets import follow_posted
from moralbank.approvals.queries import REVERSIBLE, Request, due_rows, find_request, find_waiting, get_request
from moralbank.branches.queries import get_branch
from moralbank.db import violated
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit
from moralbank.messages import service as messages
from moralbank.messages.values import Note
from moralbank.residents.errors import ResidentForgotten
from moralbank.residents.queries import Resident, get_resident, hold_resident, list_household, residents_by_account

__all__ = [
    "ADJUSTMENT_POINTS_MAX", "LIVES", "Hand", "Trade", "approve", "ask_adjustment", "ask_late_entry", "ask_refund",
    "ask_reversal", "askable", "drop", "facts_of", "follow_posted", "forget", "hand_of", "is_of_family",
    "is_one_person", "lapse", "refuse", "take_on", "withdraw",
]  # fmt: skip

#: How long somebody has to check what was asked.
LIVES = timedelta(hours=72)
#: What may be given by hand at most: as much as a month of service.
ADJUSTMENT_POINTS_MAX = 400
POINTS_LIVE_MONTHS = 36


@dataclass(frozen=True, slots=True)
class Hand:
    """Who acts: how the ledger cites them, their login, and what colleagues call them."""

    actor: str
    login_id: int
    name: str
    #: Paths of the branches where they hold the staff's role; "/" is the whole bank.
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trade:
    """How a package above this one does what was approved of its kind, and what it tells about a request."""

    #: Given the request and the checker as the ledger cites them.
    carry_out: Callable[[Connection, Request, str], Posted | None]
    #: Facts by what they are called, for the page where it is decided.
    tell: Callable[[Connection, Request], dict[str, str]]


_TRADES: dict[str, Trade] = {}


def take_on(kind: str, trade: Trade) -> None:
    """Have requests of a kind carried out by the package whose affair they are."""
    _TRADES[kind] = trade


def facts_of(db: Connection, request: Request) -> dict[str, str]:
    """Return what else is to be known of a request, by what it is called."""
    trade = _TRADES.get(request.kind)
    return trade.tell(db, request) if trade else {}


def hand_of(principal: Principal, role: str) -> Hand:
    return Hand(principal.actor(role), principal.login_id, principal.name, tuple(principal.paths("staff")))


def ask_reversal(db: Connection, hand: Hand, book: int, entry_id: UUID, reason: str) -> Request:
    """Ask that an award be taken back.

    Raises (in the order checked): UnknownEntry, NotAskable, AlreadyReversed, OwnAffair, AlreadyAsked.
    """
    resident = askable(db, book, entry_id)
    return _ask(db, hand, resident, reason, kind="reversal", entry_id=entry_id)


def askable(db: Connection, book: int, entry_id: UUID) -> Resident:
    """Return the resident whose award this is. Raises: UnknownEntry, NotAskable, AlreadyReversed."""
    entry = ledger.get_entry(db, book, entry_id)
    holders = [leg.account for leg in entry.legs if leg.amount > 0 and leg.n is not None]
    residents = residents_by_account(db, set(holders))
    if entry.kind not in REVERSIBLE or len(residents) != 1 or set(holders) != set(residents):
        raise errors.NotAskable()
    if entry.reversed_by is not None:
        raise ledger.AlreadyReversed()
    return residents[holders[0]]


def ask_adjustment(db: Connection, hand: Hand, resident_id: int, points: int, reason: str) -> Request:
    """Ask that points which no rule can give be given by hand; the same asked again while it waits is the same request.

    Raises (in the order checked): UnknownResident, ResidentForgotten, OwnAffair.
    """
    assert 0 < points <= ADJUSTMENT_POINTS_MAX, "the schema bounds it"
    resident = hold_resident(db, resident_id)
    if resident.is_forgotten:
        raise ResidentForgotten()
    what = {"kind": "adjustment", "points": points}
    # A form that is sent again because its answer was lost must not give twice as much.
    waiting = find_waiting(db, resident, maker_login_id=hand.login_id, reason=reason, **what)
    return waiting or _ask(db, hand, resident, reason, **what)


def ask_refund(db: Connection, hand: Hand, resident_id: int, branch_id: int, points: int, reason: str) -> Request:
    """Ask that a merchant give points back, at the merchant's branch. Raises: UnknownResident, OwnAffair."""
    return _ask(db, hand, get_resident(db, resident_id), reason, kind="refund", points=points, branch_id=branch_id)


def ask_late_entry(
    db: Connection, hand: Hand, resident: Resident, branch_id: int, reason: str, *, needs_outside: bool
) -> Request:
    """Ask that a resident be credited late for an activity at a branch; approving it posts nothing by itself.

    needs_outside: only somebody who reaches the branch from above may check it. Raises: OwnAffair.
    """
    what = {"kind": "late-entry", "branch_id": branch_id, "needs_outside": needs_outside}
    return _ask(db, hand, resident, reason, **what)


def _ask(db: Connection, hand: Hand, resident: Resident, reason: str, **what: Any) -> Request:
    _refuse_own_affair(db, hand, resident)
    now = clock.now()
    row = {
        "book_id": resident.book_id,
        "branch_id": resident.branch_id,
        "resident_id": resident.resident_id,
        "account_id": resident.account_id,
        "reason": reason,
        "maker": hand.actor,
        "maker_login_id": hand.login_id,
        "created_at": now,
        "expires_at": now + LIVES,
        "state": "waiting",
        **what,
    }
    if "entry_id" in what:
        _lapse_before(db, resident.book_id, what["entry_id"])
    try:
        request_id = db.execute(requests.insert().values(row).returning(requests.c.request_id)).scalar_one()
    except sa.exc.IntegrityError as error:
        if violated(
            error, "uq_approvals_requests_one_reversal", "approvals_requests.book_id, approvals_requests.entry"
        ):
            raise errors.AlreadyAsked() from None
        raise
    return get_request(db, request_id)


def _lapse_before(db: Connection, book: int, entry_id: UUID) -> None:
    """Note that an earlier request for the same entry lapsed, where the job has not been there yet."""
    stale = (requests.c.state == "waiting") & (requests.c.expires_at <= clock.now())
    of_it = (requests.c.book_id == book) & (requests.c.entry_id == entry_id) & stale
    db.execute(sa.update(requests).where(of_it).values(state="lapsed", decided_at=clock.now()))


def approve(db: Connection, hand: Hand, request_id: int) -> Request:
    """Check a request and do what it asks, in the same transaction. By the same checker again: the same answer.

    A late entry is only agreed to: it posts once its notice period is over. Raises (in the order checked):
        UnknownRequest, OwnRequest, AlreadyDecided, RequestLapsed, SamePerson, OwnAffair, NeedsOutside, then what the
        ledger refuses.
    """
    request = get_request(db, request_id, lock=True)
    if request.state == "approved" and request.checker_login_id == hand.login_id:
        return request
    resident = _check(db, hand, request)
    # Decided first: whoever else decides meanwhile waits here, or finds nothing left to decide.
    _decide(db, request, "approved", hand)
    posted = _carry_out(db, request, hand)
    if posted is not None:
        done = sa.update(requests).where(requests.c.request_id == request_id)
        db.execute(done.values(posted_entry_id=posted.entry_id))
    _tell(db, request, resident)
    _record(db, hand, request, resident)
    return get_request(db, request_id)


def _carry_out(db: Connection, request: Request, hand: Hand) -> Posted | None:
    if request.kind == "reversal":
        return _take_back(db, request, hand)
    if request.kind == "adjustment":
        return _adjust(db, request)
    return _TRADES[request.kind].carry_out(db, request, hand.actor)


def refuse(db: Connection, hand: Hand, request_id: int, answer: str) -> Request:
    """Say no to a request, and why.

    Raises (in the order checked): UnknownRequest, OwnRequest, AlreadyDecided, RequestLapsed, SamePerson, OwnAffair,
        NeedsOutside.
    """
    request = get_request(db, request_id, lock=True)
    resident = _check(db, hand, request)
    _decide(db, request, "refused", hand, answer)
    _record(db, hand, request, resident)
    return get_request(db, request_id)


def withdraw(db: Connection, hand: Hand, request_id: int) -> Request:
    """Take one's own request back. Raises (in the order checked): UnknownRequest, NotYours, AlreadyDecided."""
    request = get_request(db, request_id, lock=True)
    if request.maker_login_id != hand.login_id:
        raise errors.NotYours()
    if request.state != "waiting":
        raise errors.AlreadyDecided()
    _decide(db, request, "withdrawn")
    return get_request(db, request_id)


def drop(db: Connection, request_id: int) -> Request:
    """Close a request that waits and whose ground fell away, as if its maker had taken it back.

    Raises (in the order checked): UnknownRequest, AlreadyDecided.
    """
    request = get_request(db, request_id, lock=True)
    if not request.is_waiting:
        raise errors.AlreadyDecided()
    _decide(db, request, "withdrawn")
    return get_request(db, request_id)


def lapse(db: Connection, limit: int) -> int:
    """Close requests that nobody looked at in time; return how many."""
    late = (requests.c.state == "waiting") & (requests.c.expires_at <= clock.now())
    rows = due_rows(db, requests, late, limit=limit)
    for row in rows:
        found = find_request(db, row.request_id)
        assert found is not None, "it is locked"
        _decide(db, found, "lapsed")
    return len(rows)


def forget(db: Connection, resident_id: int) -> int:
    """Blank what was written about a resident; what was decided stays. Return how many requests there are.

    What nobody has decided is over: it would give points to nobody.
    """
    theirs = sa.update(requests).where(requests.c.resident_id == resident_id)
    over = {"state": "withdrawn", "decided_at": clock.now()}
    db.execute(theirs.where(requests.c.state == "waiting").values(over))
    return db.execute(theirs.values(reason="", answer=None)).rowcount


def _check(db: Connection, hand: Hand, request: Request) -> Resident:
    if request.maker_login_id == hand.login_id:
        raise errors.OwnRequest()
    if request.state != "waiting":
        raise errors.RequestLapsed() if request.state == "lapsed" else errors.AlreadyDecided()
    if not request.is_waiting:
        raise errors.RequestLapsed()
    if is_one_person(db, hand, request.maker_login_id):
        raise errors.SamePerson()
    resident = get_resident(db, request.resident_id)
    _refuse_own_affair(db, hand, resident)
    if request.needs_outside and not _is_from_above(db, hand, request.branch_id):
        raise errors.NeedsOutside()
    return resident


def _is_from_above(db: Connection, hand: Hand, branch_id: int) -> bool:
    """Tell whether somebody holds their role above a branch and not only in it."""
    place = get_branch(db, branch_id).path
    return any(place.startswith(path) and place != path for path in hand.paths)


def _refuse_own_affair(db: Connection, hand: Hand, resident: Resident) -> None:
    """Refuse what is about somebody of the name of the one who acts, or whose household has one of that name."""
    if is_of_family(db, hand.name, resident):
        raise errors.OwnAffair()


def is_of_family(db: Connection, name: str, resident: Resident) -> bool:
    """Tell whether the resident, or one of their household, bears the name: of staff no more is known."""
    home = resident.household_id
    family = list_household(db, home, [resident.branch_id]) if home else [resident]
    return _folded(name) in {_folded(one.name) for one in family}


def is_one_person(db: Connection, hand: Hand, login_id: int) -> bool:
    """Tell whether a login is that of the one who acts, or bears their name: then they are not two people."""
    name = names_of(db, [login_id]).get(login_id, "")
    return login_id == hand.login_id or _folded(name) == _folded(hand.name)


def _folded(name: str) -> str:
    """Return a name as people tell names apart: without spaces, widths and case."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def _decide(db: Connection, request: Request, state: str, hand: Hand | None = None, answer: str | None = None) -> None:
    """Bring a waiting request to its end. Raises: AlreadyDecided when somebody was faster."""
    values: dict[str, Any] = {"state": state, "decided_at": clock.now(), "answer": answer}
    if hand is not None:
        values |= {"checker": hand.actor, "checker_login_id": hand.login_id}
    still = (requests.c.request_id == request.request_id) & (requests.c.state == "waiting")
    if db.execute(sa.update(requests).where(still).values(values)).rowcount != 1:
        raise errors.AlreadyDecided()


def _take_back(db: Connection, request: Request, hand: Hand) -> Posted | None:
    """Take what is left of an award, and offset the rest from awards to come."""
    assert request.entry_id is not None, "the caller looked"
    entry = ledger.get_entry(db, request.book_id, request.entry_id)
    posted = ledger.take_back(
        db,
        request.book_id,
        request.entry_id,
        key=f"approval:{request.request_id}",
        actor=request.maker,
        checker=hand.actor,
        private=_private(entry, request.reason),
    )
    given = sum(leg.amount for leg in entry.legs if leg.n is not None and leg.unit is Unit.POINTS)
    taken = -sum(leg.amount for leg in posted.legs if leg.n and leg.unit is Unit.POINTS) if posted else 0
    if given > taken:
        at = posted.posted_at if posted else None
        offsets.open_offset(db, request.book_id, request.account_id, request.request_id, entry, given - taken, at=at)
    return posted


def _tell(db: Connection, request: Request, resident: Resident) -> None:
    """Tell the resident what became of their points, and nothing of why: the passbook has the line."""
    if request.kind in _TRADES:
        return  # Whoever carries it out tells of it.
    points = request.points
    if request.entry_id is not None:
        entry = ledger.get_entry(db, request.book_id, request.entry_id)
        points = sum(leg.amount for leg in entry.legs if leg.n is not None and leg.unit is Unit.POINTS)
    event, facts = f"approval:{request.request_id}", {"points": points or 0}
    messages.tell(db, [Note(request.kind, event, resident.branch_id, resident.resident_id, facts=facts)])


def _private(entry: ledger.Entry, reason: str) -> dict[str, str]:
    """Return what the original says it was for, with the reason of its reversal."""
    return {**{name: text for name, text in entry.private.items() if name != "reason"}, "reason": reason}


def _adjust(db: Connection, request: Request) -> Posted:
    assert request.points is not None, "the table's check"
    book, now = request.book_id, clock.today()
    issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
    draft = Draft(
        book=book,
        kind="adjustment",
        legs=(
            Leg(issuer, Unit.POINTS, -request.points),
            Leg(request.account_id, Unit.POINTS, request.points, clock.months_after(now, POINTS_LIVE_MONTHS)),
        ),
        key=f"approval:{request.request_id}",
        actor=request.maker,
        checker=get_request(db, request.request_id).checker,
        branch=request.branch_id,
        source=("approval", str(request.request_id)),
        private={"reason": request.reason},
    )
    posted = ledger.post(db, draft)
    follow_posted(db, book, [draft], [posted])
    return posted


def _record(db: Connection, hand: Hand, request: Request, resident: Resident) -> None:
    record(
        db,
        Deed(
            hand.actor,
            Kind.APPROVE,
            request.branch_id,
            request.book_id,
            resident_id=resident.resident_id,
            account_id=resident.account_id,
            about=f"approval:{request.request_id}",
        ),
    )
