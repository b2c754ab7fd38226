"""What of an account has expired, what will, and what its holder was told of it, always before anything goes.

Points expire on the first day of their lot, whoever looks first: a spend, or the job. A lot of which its holder was not
told in time stays until seven days after they were; lots behind it wait for it, since the first to expire goes first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.db import insert_for
from moralbank.ledger import models
from moralbank.ledger.lot_reading import read_lots
from moralbank.ledger.lots import Lot
from moralbank.ledger.rows import CHUNK, Seen
from moralbank.ledger.values import NEVER, AccountKind, Draft, Leg, Unit

#: Days before the day on which points are gone.
STEPS = (60, 30, 7)
#: How long before it goes a holder must have been able to read of it.
EXPIRY_NOTICE = timedelta(days=7)
ACTOR = "system"

_balances, _notices = models.balances, models.expiry_notices


@dataclass(frozen=True, slots=True)
class Notice:
    """That the holder of an account could read, since a day, what goes on another."""

    account: int
    expires_on: date
    step: int
    points: int
    noted_on: date


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about the lots of an account on a day."""

    account: int
    #: How much of it is gone, and since when.
    gone: int
    gone_on: date | None
    next_expiry_on: date
    notices: tuple[Notice, ...]


def is_due(seen: Seen, account: int, today: date) -> bool:
    """Tell whether somebody must look at the lots before the account gives anything."""
    held = seen.held.get((account, Unit.POINTS))
    return held is not None and held.balance > 0 and held.next_expiry_on <= today


def plan(db: Connection, book: int, accounts: Collection[int], today: date) -> list[Plan]:
    """Decide what of each account's lots is gone on a day and what its holder is to be told."""
    left = read_lots(db, book, accounts, Unit.POINTS)
    told = _told(list_notices(db, book, accounts))
    return [_plan(account, left.get(account, []), told, today) for account in sorted(accounts)]


_Told = Mapping[tuple[int, date], Mapping[int, date]]


def _told(notices: Iterable[Notice]) -> _Told:
    """Return by account and day of expiry when each step was noted."""
    found: dict[tuple[int, date], dict[int, date]] = {}
    for notice in notices:
        found.setdefault((notice.account, notice.expires_on), {})[notice.step] = notice.noted_on
    return found


def _plan(account: int, left: Sequence[Lot], told: _Told, today: date) -> Plan:
    gone, gone_on, next_on = 0, None, NEVER
    staying: dict[date, int] = {}
    for lot in left:
        if lot.expires_on is None:
            continue
        ends_on = _ends_on(lot.expires_on, told.get((account, lot.expires_on), {}))
        if not staying and ends_on is not None and ends_on <= today:
            gone, gone_on = gone + lot.rest, max(ends_on, gone_on or ends_on)
        else:
            next_on = min(next_on, lot.expires_on)
            staying[lot.expires_on] = staying.get(lot.expires_on, 0) + lot.rest
    notices = []
    for expires_on, points in staying.items():
        step = next((step for step in reversed(STEPS) if expires_on - today <= timedelta(days=step)), None)
        if step is not None and step not in told.get((account, expires_on), {}):
            notices.append(Notice(account, expires_on, step, points, today))
    return Plan(account, gone, gone_on, next_on, tuple(notices))


def _ends_on(expires_on: date, told: Mapping[int, date]) -> date | None:
    """Return the day on which a lot is really gone; None while nobody was told of it."""
    return max(expires_on, min(told.values()) + EXPIRY_NOTICE) if told else None


def drafts(db: Connection, book: int, plans: Iterable[Plan], seen: Seen) -> list[Draft]:
    """Return the entries that take away what is gone; their keys name the line before, so that none comes twice."""
    gone = [one for one in plans if one.gone]
    if not gone:
        return []
    accounts = models.accounts.c
    expired: int = db.execute(
        sa.select(sa.func.min(accounts.account_id)).where(
            accounts.book_id == book, accounts.kind == str(AccountKind.EXPIRED)
        )
    ).scalar_one()
    return [
        Draft(
            book=book,
            kind="expiry",
            legs=(Leg(one.account, Unit.POINTS, -one.gone), Leg(expired, Unit.POINTS, one.gone)),
            key=f"expiry:{one.account}:{seen.held[one.account, Unit.POINTS].n}",
            actor=ACTOR,
            occurred_on=one.gone_on,
        )
        for one in gone
    ]


_BUMP = (
    sa.update(_balances)
    .where(
        _balances.c.book_id == sa.bindparam("of_book"),
        _balances.c.account_id == sa.bindparam("of_account"),
        _balances.c.unit == int(Unit.POINTS),
    )
    .values(next_expiry_on=sa.bindparam("next_on"))
)


def keep(db: Connection, book: int, plans: Sequence[Plan], seen: Seen) -> None:
    """Write down what holders are told, and when somebody must look at the lots again."""
    moved = [
        {"of_book": book, "of_account": one.account, "next_on": one.next_expiry_on}
        for one in plans
        if seen.held[one.account, Unit.POINTS].next_expiry_on != one.next_expiry_on
    ]
    if moved:
        db.execute(_BUMP, moved)
    rows = [
        {
            "book_id": book,
            "account_id": notice.account,
            "expires_on": notice.expires_on,
            "step": notice.step,
            "points": notice.points,
            "noted_on": notice.noted_on,
            "noted_at": clock.now(),
        }
        for one in plans
        for notice in one.notices
    ]
    if rows:
        db.execute(insert_for(db, _notices).on_conflict_do_nothing(), rows)


def list_notices(db: Connection, book: int, accounts: Collection[int]) -> list[Notice]:
    """Return what was noted for the holders of these accounts, first to expire first."""
    found: list[Notice] = []
    wanted = sorted(accounts)
    for start in range(0, len(wanted), CHUNK):
        query = (
            sa.select(
                _notices.c.account_id, _notices.c.expires_on, _notices.c.step, _notices.c.points, _notices.c.noted_on
            )
            .where(_notices.c.book_id == book, _notices.c.account_id.in_(wanted[start : start + CHUNK]))
            .order_by(_notices.c.account_id, _notices.c.expires_on, _notices.c.step.desc())
        )
        found += [Notice(*row) for row in db.execute(query)]
    return found


def list_fresh_notices(
    db: Connection, book: int, noted_on: date, *, after: tuple[int, date, int] | None, limit: int
) -> list[Notice]:
    """Return a page of what was noted on a day, after the account, day of expiry and step of the page before."""
    row = _notices.c
    query = sa.select(row.account_id, row.expires_on, row.step, row.points, row.noted_on).where(
        row.book_id == book, row.noted_on == noted_on
    )
    if after is not None:
        account, expires_on, step = after
        query = query.where(
            sa.tuple_(row.account_id, row.expires_on, row.step)
            > sa.tuple_(sa.literal(account), sa.literal(expires_on, sa.Date), sa.literal(step, sa.SmallInteger))
        )
    return [Notice(*one) for one in db.execute(query.order_by(row.account_id, row.expires_on, row.step).limit(limit))]


def available(db: Connection, book: int, accounts: Collection[int]) -> dict[int, int]:
    """Return the points that each guarded account can spend now: what has expired is none of them, posted or not."""
    found: dict[int, int] = {}
    today, due, wanted = clock.today(), [], sorted(set(accounts))
    for start in range(0, len(wanted), CHUNK):
        query = sa.select(_balances.c.account_id, _balances.c.balance, _balances.c.next_expiry_on).where(
            _balances.c.book_id == book,
            _balances.c.unit == int(Unit.POINTS),
            _balances.c.account_id.in_(wanted[start : start + CHUNK]),
        )
        for account, balance, next_on in db.execute(query):
            found[account] = balance
            if balance and next_on <= today:
                due.append(account)
    for one in plan(db, book, due, today) if due else ():
        found[one.account] -= one.gone
    return found


def due_accounts(db: Connection, book: int, today: date, *, after: int, limit: int) -> list[int]:
    """Return accounts by number of whose lots one expires soon, or has, so that a word or an entry may be due."""
    query = (
        sa.select(_balances.c.account_id)
        .where(
            _balances.c.book_id == book,
            _balances.c.unit == int(Unit.POINTS),
            _balances.c.account_id > after,
            _balances.c.next_expiry_on <= today + timedelta(days=STEPS[0]),
        )
        .order_by(_balances.c.account_id)
        .limit(limit)
    )
    return list(db.execute(query).scalars())
