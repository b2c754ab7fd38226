"""Forgets a person: one asks, another agrees, and everything that tells who it was is gone in that transaction.

The lines stay under the account's number, and every hash and proof with them. What the database's own files still hold
of deleted rows is rid of by the job that follows (jobs.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from moralbank import clock, ledger, transparency
from moralbank.access import forgetting as access
from moralbank.access.deeds import Deed, Kind, record
from moralbank.activities import forgetting as activities
from moralbank.approvals import service as approvals
from moralbank.behalf import service as behalf
from moralbank.certificates import service as certificates
from moralbank.db import Raced, insert_for
from moralbank.disclosure import service as disclosure
from moralbank.forgetting import queries
from moralbank.forgetting.errors import (
    ForgettingAsked,
    ForgettingByOne,
    ForgettingDecided,
    ForgettingUnfit,
    PointsLeft,
    SessionsUnfinished,
)
from moralbank.forgetting.models import requests
from moralbank.forgetting.queries import Request
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof, Removal, State, fits
from moralbank.history import forgetting as history
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.messages import service as messages
from moralbank.objections import service as objections
from moralbank.redemptions import refunds, vouchers
from moralbank.redemptions.codes import forget_codes
from moralbank.residents import forgetting as residents
from moralbank.residents.errors import ResidentForgotten
from moralbank.residents.queries import Resident, hold_resident, list_cards
from moralbank.transparency import Log
from moralbank.web.idempotency import forget_answers

#: The leaf's kind in the book's log: whoever checks the log finds every erasure there.
ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for, as it is entered."""

    ground: Ground
    asked_for_by: AskedBy
    proven_by: Proof
    points: Points


def ask(db: Connection, resident_id: int, asked: Asked, *, actor: str) -> Request:
    """Enter a request to forget a person; it lapses if nobody else agrees in time.

    Raises (in the order checked): UnknownResident, ResidentForgotten, ForgettingUnfit, ForgettingAsked,
        SessionsUnfinished, PointsLeft.
    """
    resident = hold_resident(db, resident_id)
    if resident.is_forgotten:
        raise ResidentForgotten()
    if not fits(asked.ground, asked.asked_for_by):
        raise ForgettingUnfit()
    _lapse(db, resident_id)
    if queries.find_open(db, resident_id) is not None:
        raise ForgettingAsked()
    _refuse_unready(db, resident, asked.points)
    role, login_id = _who(actor)
    row = {
        "book_id": resident.book_id,
        "resident_id": resident_id,
        "ground": asked.ground,
        "asked_for_by": asked.asked_for_by,
        "proven_by": asked.proven_by,
        "points": Points.NONE if asked.points is Points.LEAVE else asked.points,
        "gives_up": asked.points is Points.LEAVE,
        "state": State.ASKED,
        "asked_at": clock.now(),
        "asked_role": role,
        "asked_login_id": login_id,
    }
    new = insert_for(db, requests).values(row).on_conflict_do_nothing().returning(requests.c.request_id)
    request_id = db.execute(new).scalar()
    if request_id is None:
        raise ForgettingAsked()
    return queries.get_request(db, request_id)


def refuse(db: Connection, request_id: int, *, actor: str) -> Request:
    """Turn a request down. Raises (in the order checked): UnknownForgetting, ForgettingDecided, ForgettingByOne."""
    request = _open(db, request_id, actor)
    _decide(db, request, State.REFUSED, actor)
    return queries.get_request(db, request_id)


def forget(db: Connection, request_id: int, *, actor: str) -> Removal:
    """Agree to a request and forget the person, for good.

    Writes: the erasure as a leaf of the book's log and of its access log: account, ground, both who agreed, and how
        many points were given up, if any; no name.
    Raises (in the order checked): UnknownForgetting, ForgettingDecided, ForgettingByOne, ResidentForgotten,
        SessionsUnfinished, PointsLeft, and what posting a donation raises.
    """
    request = _open(db, request_id, actor)
    resident = hold_resident(db, request.resident_id)
    if resident.is_forgotten:
        raise ResidentForgotten()
    _refuse_unready(db, resident, request.points)
    removal = _erase(db, resident, request, actor)
    _decide(db, request, State.DONE, actor)
    stated: dict[str, object] = {"a": resident.account_id, "why": str(request.ground), "by": request.maker, "ok": actor}
    if removal.given_up_points:
        stated["left"] = removal.given_up_points
    transparency.append_fact(db, resident.book_id, Log.LEDGER, ERASE, stated)
    about = f"request:{request_id}"
    place = (resident.branch_id, resident.book_id, resident.resident_id, resident.account_id)
    record(db, Deed(actor, Kind.FORGET, *place, about=about))
    return removal


def preview(db: Connection, request_id: int, *, actor: str) -> Removal:
    """Return what forgetting would take away: the same act, undone. Raises: what forget raises."""
    attempt = db.begin_nested()
    try:
        return forget(db, request_id, actor=actor)
    finally:
        attempt.rollback()


def mark(db: Connection, request_ids: Iterable[int], step: str) -> None:
    """Note that a step of what follows is done: "swept_at" or "keys_destroyed_at"."""
    theirs = requests.c.request_id.in_(list(request_ids))
    db.execute(requests.update().where(theirs, requests.c[step].is_(None)).values({step: clock.now()}))


def _refuse_unready(db: Connection, resident: Resident, points: Points) -> None:
    left = activities.unfinished(db, resident.resident_id)
    if left.sessions or left.led:
        raise SessionsUnfinished(sessions=left.sessions, led=left.led)
    held = ledger.available(db, resident.book_id, [resident.account_id])[resident.account_id]
    if held and points is Points.NONE:
        raise PointsLeft(points=held)


def _erase(db: Connection, resident: Resident, request: Request, actor: str) -> Removal:
    """Take everything away, the uppermost packages' first. The donation comes before, while there is a holder."""
    whose, book, account = resident.resident_id, resident.book_id, resident.account_id
    vouchers.cancel_all(db, whose, actor=actor)
    donated = _donate(db, resident, request, actor) if request.points is not Points.LEAVE else 0
    given_up = ledger.available(db, book, [account])[account]
    cards = [card.number for card in list_cards(db, whose)]
    answers = forget_answers(db, whose)
    codes = forget_codes(db, whose)
    attendance = activities.forget_attendance(db, whose)
    approvals.forget(db, whose)
    refunds.forget(db, whose)
    certificates.forget(db, whose)
    told = messages.forget(db, whose)
    objections.forget(db, whose)
    named = disclosure.forget(db, whose)
    behalf.forget(db, whose)
    outside = history.forget_name(db, book, account)
    known = residents.forget_resident(db, resident)
    identifiers = [resident.name, *filter(None, [resident.phone]), *cards]
    login = access.forget_login(db, whose, identifiers)
    memos = ledger.forget_private(db, book, account)
    return Removal(
        donated_points=donated,
        given_up_points=given_up,
        cards=known.cards,
        consents=known.consents,
        logins=login.logins,
        sessions=login.sessions,
        signups=attendance.signups,
        scans=attendance.scans,
        memos=memos,
        notes=known.notes + login.notes,
        roster_rows=known.roster_rows,
        answers=answers,
        payment_codes=codes,
        outside_names=outside,
        messages=told,
        notices=named,
    )


def _donate(db: Connection, resident: Resident, request: Request, actor: str) -> int:
    """Give what is left to the mutual-aid pool, as the person chose; both who agreed stand in the entry."""
    book, account = resident.book_id, resident.account_id
    points = ledger.available(db, book, [account])[account]
    if not points:
        return 0
    pool = ledger.internal_account(db, book, AccountKind.POOL)
    draft = Draft(
        book=book,
        kind="donation",
        legs=(Leg(account, Unit.POINTS, -points), Leg(pool, Unit.POINTS, points)),
        key=f"forgetting:{request.request_id}",
        actor=request.maker,
        branch=resident.branch_id,
        source=("forgetting", str(request.request_id)),
        checker=actor,
    )
    try:
        posted = ledger.post(db, draft)
    except ledger.InsufficientBalance:
        raise Raced from None  # Some of it was spent in the same moment.
    if posted.leg(account, Unit.POINTS).balance_after:
        raise Raced  # Some more came.
    return points


def _open(db: Connection, request_id: int, actor: str) -> Request:
    """Return a request that this person may decide now, held until the transaction ends."""
    request = queries.get_request(db, request_id, held=True)
    if not request.is_open:
        raise ForgettingDecided()
    if _who(actor)[1] == request.asked_login_id:
        raise ForgettingByOne()
    return request


def _decide(db: Connection, request: Request, state: State, actor: str) -> None:
    role, login_id = _who(actor)
    values = {"state": state, "decided_at": clock.now(), "decided_role": role, "decided_login_id": login_id}
    db.execute(requests.update().where(requests.c.request_id == request.request_id).values(values))


def _lapse(db: Connection, resident_id: int) -> None:
    """Close a request about the person that was not decided in time."""
    request = queries.find_open(db, resident_id)
    if request is not None and not request.is_open:
        db.execute(requests.update().where(requests.c.request_id == request.request_id).values(state=State.LAPSED))


def _who(actor: str) -> tuple[str, int]:
    role, _, login_id = actor.partition(":")
    return role, int(login_id)
