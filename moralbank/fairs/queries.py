"""Reads of fairs: their stalls, whose hands work there, and what the day has come to so far."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.activities import queries as activities
from moralbank.activities.presence import minutes_of
from moralbank.activities.values import CheckIn, Direction, Session
from moralbank.fairs.errors import UnknownFair, UnknownStall
from moralbank.fairs.models import fairs, passes, stalls
from moralbank.redemptions import queries as redemptions
from moralbank.redemptions.queries import Table

LIST_MAX = 50
#: A table's hands may charge so long before the fair and after it, while the tables are set up and cleared.
TO_SET_UP = TO_CLEAR = timedelta(hours=1)
_F, _S, _P = fairs.c, stalls.c, passes.c


@dataclass(frozen=True, slots=True)
class Fair:
    fair_id: int
    branch_id: int
    title: str
    place: str
    starts_at: datetime
    ends_at: datetime
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def opens_at(self) -> datetime:
        """From when on a merchant's table may charge."""
        return self.starts_at - TO_SET_UP

    @property
    def cleared_at(self) -> datetime:
        """When the logins of the day end."""
        return self.ends_at + TO_CLEAR


@dataclass(frozen=True, slots=True)
class Stall:
    """A table of a fair: a session, or a merchant's."""

    stall_id: int
    fair_id: int
    number: int
    name: str
    session_id: int | None
    merchant_id: int | None


@dataclass(frozen=True, slots=True)
class Pass:
    """A login for one stall and one day."""

    pass_id: int
    stall_id: int
    login_id: int
    login_name: str
    until: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class StallTotals:
    """What a stall has come to; of a merchant's table people is how often points were spent there."""

    stall: Stall
    people: int = 0
    minutes: int = 0
    points: int = 0
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """What a fair has come to. people: everybody once, at however many stalls; no name is in it."""

    people: int
    minutes: int
    points: int
    spent_points: int
    stalls: tuple[StallTotals, ...]


_FAIR = tuple(_F[name] for name in Fair.__dataclass_fields__)
_STALL = tuple(_S[name] for name in Stall.__dataclass_fields__)
_PASS = tuple(_P[name] for name in Pass.__dataclass_fields__)


def get_fair(db: Connection, fair_id: int, *, lock: bool = False) -> Fair:
    """Return the fair; lock keeps others from closing it until the transaction ends. Raises: UnknownFair."""
    query = sa.select(*_FAIR).where(_F.fair_id == fair_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownFair()
    return Fair(*row)


def list_fairs(db: Connection, branch_ids: Collection[int], *, before_id: int | None = None) -> list[Fair]:
    """List the fairs of branches, the newest first."""
    query = sa.select(*_FAIR).where(_F.branch_id.in_(branch_ids))
    if before_id is not None:
        query = query.where(_F.fair_id < before_id)
    return [Fair(*row) for row in db.execute(query.order_by(_F.fair_id.desc()).limit(LIST_MAX + 1))]


def list_stalls(db: Connection, fair_id: int) -> list[Stall]:
    """List the stalls of a fair by their number."""
    return [Stall(*row) for row in db.execute(sa.select(*_STALL).where(_S.fair_id == fair_id).order_by(_S.number))]


def get_stall(db: Connection, stall_id: int) -> Stall:
    """Return the stall. Raises: UnknownStall."""
    row = db.execute(sa.select(*_STALL).where(_S.stall_id == stall_id)).first()
    if row is None:
        raise UnknownStall()
    return Stall(*row)


def passes_by_stall(db: Connection, fair_id: int) -> dict[int, list[Pass]]:
    """Return the logins of a fair that hold, by stall."""
    query = sa.select(*_PASS).join(stalls).where(_S.fair_id == fair_id, _P.ended_at.is_(None), _P.until > clock.now())
    found: dict[int, list[Pass]] = {}
    for row in db.execute(query.order_by(_P.pass_id)):
        found.setdefault(row.stall_id, []).append(Pass(*row))
    return found


def count_passes(db: Connection, stall_id: int) -> int:
    """Count the logins that a stall ever had."""
    return db.execute(sa.select(sa.func.count()).where(_P.stall_id == stall_id)).scalar_one()


def find_stall_of(db: Connection, login_id: int) -> Stall | None:
    """Return the stall that a login opens at this moment, or None."""
    query = sa.select(*_STALL).join(passes, _P.stall_id == _S.stall_id).join(fairs, _F.fair_id == _S.fair_id)
    holds = (_P.login_id == login_id, _P.ended_at.is_(None), _P.until > clock.now(), _F.closed_at.is_(None))
    row = db.execute(query.where(*holds)).first()
    return None if row is None else Stall(*row)


def find_table_of(db: Connection, login_id: int) -> Stall | None:
    """Return the merchant's table at which a login may charge at this moment, or None."""
    stall = find_stall_of(db, login_id)
    if stall is None or stall.merchant_id is None:
        return None
    return stall if get_fair(db, stall.fair_id).opens_at <= clock.now() else None


def tables_of(db: Connection, fair: Fair) -> dict[int, Table]:
    """Return the merchants' tables of a fair by their stall, with every login that ever charged there."""
    held: dict[int, list[int]] = {}
    query = sa.select(_P.stall_id, _P.login_id).join(stalls, _S.stall_id == _P.stall_id)
    for stall_id, login_id in db.execute(query.where(_S.fair_id == fair.fair_id)):
        held.setdefault(stall_id, []).append(login_id)
    return {
        stall.stall_id: Table(stall.merchant_id, tuple(held.get(stall.stall_id, ())), fair.opens_at, fair.cleared_at)
        for stall in list_stalls(db, fair.fair_id)
        if stall.merchant_id is not None
    }


def list_ended(db: Connection, now: datetime) -> list[Pass]:
    """List the logins whose day is over and that were not taken back yet."""
    query = sa.select(*_PASS).where(_P.ended_at.is_(None), _P.until <= now)
    return [Pass(*row) for row in db.execute(query.order_by(_P.pass_id))]


def totals(db: Connection, fair: Fair) -> Totals:
    """Return what a fair has come to so far."""
    found = list_stalls(db, fair.fair_id)
    sessions = activities.sessions_by_id(db, [stall.session_id for stall in found if stall.session_id is not None])
    tables = tables_of(db, fair)
    everybody: set[int] = set()
    made, spent = [], 0
    for stall in found:
        if stall.session_id is None:
            taken = redemptions.table_totals(db, tables[stall.stall_id])
            spent += taken.points
            made.append(StallTotals(stall, people=taken.charges, points=taken.points))
            continue
        session = sessions[stall.session_id]
        scans = activities.scans_by_resident(db, stall.session_id)
        awards = [award for award in activities.list_awards(db, stall.session_id) if award.entry_id is not None]
        everybody |= scans.keys()
        is_signed = session.signed_off_at is not None
        minutes = sum(award.service_minutes for award in awards) if is_signed else _so_far(session, scans.values())
        points = sum(award.points for award in awards)
        made.append(StallTotals(stall, len(scans), minutes, points, is_signed))
    served = [one for one in made if one.stall.session_id is not None]
    return Totals(
        len(everybody), sum(one.minutes for one in served), sum(one.points for one in served), spent, tuple(made)
    )


def _so_far(session: Session, people: Collection[Sequence[CheckIn]]) -> int:
    """Return the minutes that people have been there until now."""
    until = min(clock.now(), session.ends_at)
    minutes = 0
    for scans in people:
        left = {scan.visit_no: scan.at for scan in scans if scan.direction is Direction.OUT}
        came = [(scan.at, left.get(scan.visit_no, until)) for scan in scans if scan.direction is Direction.IN]
        minutes += minutes_of(came, session.starts_at, until)
    return minutes
