"""What a reversal could not take back: later awards are offset against it for a year, then the rest is let go.

It is never a balance below zero and shown to nobody but the resident and staff. In the book it is entries of kind
`offset`, each right behind the award that it takes from and by the two people who decided the reversal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ledger
from moralbank.approvals.models import offsets, requests
from moralbank.approvals.queries import Offset, due_rows, list_open_offsets
from moralbank.errors import MoralBankError
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Credit:
    """An award that was just posted to an account."""

    account: int
    points: int
    branch: int | None


def ends_at(opened_at: datetime) -> datetime:
    """Return the instant a year later from which on nothing is offset any more."""
    day = clock.local(opened_at).date()
    try:
        return clock.start_of(date(day.year + 1, day.month, day.day))
    except ValueError:  # 29 February.
        return clock.start_of(date(day.year + 1, 3, 1))


def open_offset(
    db: Connection,
    book: int,
    account: int,
    request_id: int,
    entry: ledger.Entry,
    missing: int,
    *,
    at: datetime | None = None,
) -> None:
    """Begin to offset what is missing from the account's later awards.

    at: the instant of the reversal, from which on the year is counted; None where nothing was left to reverse.
    """
    now = at or clock.now()
    db.execute(
        offsets.insert().values(
            book_id=book,
            account_id=account,
            request_id=request_id,
            entry_id=entry.entry_id,
            missing_points=missing,
            offset_points=0,
            written_off_points=0,
            steps=0,
            opened_at=now,
            ends_at=ends_at(now),
        )
    )


def follow(db: Connection, book: int, credits: Sequence[Credit]) -> int:
    """Take from awards that were just posted what earlier reversals could not; return how many entries that made.

    The awards' own locks are held, so that nobody spends them in between.
    """
    points: dict[int, int] = {}
    branches: dict[int, int | None] = {}
    for credit in credits:
        points[credit.account] = points.get(credit.account, 0) + credit.points
        branches[credit.account] = credit.branch
    standing = list_open_offsets(db, book, points, lock=True) if points else []
    if not standing:
        return 0
    issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
    people = _people(db, [one.request_id for one in standing])
    drafts: list[Draft] = []
    moved: list[tuple[Offset, int]] = []
    for one in standing:
        amount = min(points[one.account_id], one.missing_points - one.offset_points)
        if amount:
            points[one.account_id] -= amount
            moved.append((one, amount))
            drafts.append(_draft(book, issuer, one, amount, branches[one.account_id], people[one.request_id]))
    for verdict in ledger.post_many(db, drafts):
        if isinstance(verdict, MoralBankError):
            raise verdict
    for one, amount in moved:
        is_settled = one.offset_points + amount == one.missing_points
        db.execute(
            sa.update(offsets)
            .where(offsets.c.offset_id == one.offset_id)
            .values(
                offset_points=one.offset_points + amount,
                steps=one.steps + 1,
                closed_at=clock.now() if is_settled else None,
            )
        )
    return len(drafts)


def follow_posted(db: Connection, book: int, drafts: Sequence[Draft], verdicts: Sequence[object]) -> int:
    """Do as follow for the awards that a batch of drafts came to."""
    return follow(
        db,
        book,
        [
            Credit(leg.account, leg.amount, draft.branch)
            for draft, verdict in zip(drafts, verdicts, strict=True)
            if isinstance(verdict, Posted) and not verdict.replayed
            for leg in draft.legs
            if leg.unit is Unit.POINTS and leg.amount > 0
        ],
    )


def _people(db: Connection, request_ids: Collection[int]) -> dict[int, tuple[str, str, str]]:
    """Return maker, checker and reason of each request."""
    query = sa.select(requests.c.request_id, requests.c.maker, requests.c.checker, requests.c.reason).where(
        requests.c.request_id.in_(list(request_ids))
    )
    return {row.request_id: (row.maker, row.checker, row.reason) for row in db.execute(query)}


def _draft(book: int, issuer: int, one: Offset, amount: int, branch: int | None, people: tuple[str, str, str]) -> Draft:
    maker, checker, reason = people
    step = one.steps + 1
    return Draft(
        book=book,
        kind="offset",
        legs=(Leg(one.account_id, Unit.POINTS, -amount), Leg(issuer, Unit.POINTS, amount)),
        key=f"offset:{one.offset_id}:{step}",
        actor=maker,
        checker=checker,
        branch=branch,
        source=("offset", f"{one.entry_id.hex}:{step}"),
        private={"reason": reason} if reason else {},
    )


def write_off(db: Connection, limit: int) -> int:
    """Let go of what a year of awards did not offset; return of how many residents."""
    late = offsets.c.closed_at.is_(None) & (offsets.c.ends_at <= clock.now())
    rows = due_rows(db, offsets, late, limit=limit)
    for row in rows:
        db.execute(
            sa.update(offsets)
            .where(offsets.c.offset_id == row.offset_id)
            .values(written_off_points=row.missing_points - row.offset_points, closed_at=clock.now())
        )
    return len(rows)
