"""What a set of scans is judged by, each thing read for all of them at once, and the one INSERT that counts them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.activities.models import activities, checkins, sessions, signups
from moralbank.activities.queries import CHECKIN, checkin_of, session_of, session_query
from moralbank.activities.values import CheckIn, Session, State, Status
from moralbank.branches.queries import book_of, path_of
from moralbank.prepared import Prepared, Question, Row, ask

#: A session and a resident.
Pair = tuple[int, int]

_C, _S, _U = checkins.c, sessions.c, signups.c
_in_session: sa.BindParameter[int] = sa.bindparam("session_id")
_of_resident: sa.BindParameter[int] = sa.bindparam("resident_id")
_stands = _C.undone_at.is_(None)


@dataclass(frozen=True, slots=True)
class Door:
    """A session that nobody signs off meanwhile, and the path and the book of its branch."""

    session: Session
    path: str
    book_id: int | None


_LOCK = Prepared(
    session_query()
    .add_columns(path_of(activities.c.branch_id), book_of(activities.c.branch_id))
    .where(_S.session_id == _in_session)
    .with_for_update(read=True, of=sessions)
)
_BY_NONCE = Prepared(sa.select(*CHECKIN, _stands).where(_C.nonce == sa.bindparam("nonce")))
_GOING = Prepared(
    sa.select(_U.signup_id).where(_U.session_id == _in_session, _U.resident_id == _of_resident, _U.state == "going")
)
_FIRST_USER = Prepared(
    sa.select(_C.resident_id)
    .where(_C.session_id == _in_session, _C.device == sa.bindparam("device"), _stands)
    .order_by(_C.checkin_id)
    .limit(1)
)
_here, _there = sessions.alias("here"), sessions.alias("there")
_ELSEWHERE = Prepared(
    sa.select(_C.checkin_id)
    .join(_there, _there.c.session_id == _C.session_id)
    .join(_here, (_here.c.starts_at < _there.c.ends_at) & (_here.c.ends_at > _there.c.starts_at))
    .join(activities, activities.c.activity_id == _there.c.activity_id)
    .where(
        _C.resident_id == _of_resident,
        _stands,
        _here.c.session_id == _in_session,
        _there.c.session_id != _here.c.session_id,
        _there.c.state != State.CANCELLED.value,
        activities.c.status != Status.CANCELLED.value,
    )
)
_NOT_WRITTEN = ("checkin_id", "undone_at", "undone_by")
_WRITE = Prepared(
    lambda insert: (
        insert(checkins)
        .values({column.name: sa.bindparam(column.name) for column in _C if column.name not in _NOT_WRITTEN})
        .on_conflict_do_nothing()
        .returning(_C.nonce, _C.checkin_id)
    )
)


def lock_doors(db: Connection, session_ids: Collection[int]) -> dict[int, Door]:
    """Return those of the sessions that exist, and let nobody sign one off until the commit."""
    # In one order everywhere, so that two sets wait for each other and never in a ring.
    found = _LOCK.each(db, [{"session_id": session_id} for session_id in sorted(session_ids)])
    doors = [Door(session_of(row), *row[-2:]) for rows in found for row in rows]
    return {door.session.session_id: door for door in doors}


def asking_nonces(nonces: Sequence[str]) -> Question[list[tuple[CheckIn, bool] | None]]:
    """Ask for each nonce for the scan recorded under it and whether it still stands, or None."""

    def read(found: list[list[Row]]) -> list[tuple[CheckIn, bool] | None]:
        return [(checkin_of(rows[0]), bool(rows[0][-1])) if rows else None for rows in found]

    return Question(_BY_NONCE, [{"nonce": nonce} for nonce in nonces], read)


def asking_going(pairs: Sequence[Pair]) -> Question[set[Pair]]:
    """Ask which residents are on the list of the session."""
    return Question(_GOING, _given(pairs), lambda found: _where_any(pairs, found))


def asking_first_users(devices: Sequence[tuple[int, str]]) -> Question[dict[tuple[int, str], int]]:
    """Ask who used the phone first, by (session, phone): it stays theirs for the session."""
    given = [{"session_id": session_id, "device": device} for session_id, device in devices]

    def read(found: list[list[Row]]) -> dict[tuple[int, str], int]:
        return {device: rows[0][0] for device, rows in zip(devices, found, strict=True) if rows}

    return Question(_FIRST_USER, given, read)


def asking_elsewhere(pairs: Sequence[Pair]) -> Question[set[Pair]]:
    """Ask which residents checked in to another session of the same hours."""
    return Question(_ELSEWHERE, _given(pairs), lambda found: _where_any(pairs, found))


def lock_places(db: Connection, session_ids: Collection[int]) -> dict[int, int]:
    """Return how many places of each session are taken, and let nobody else take one until the commit."""
    wanted = [{"session_id": session_id} for session_id in sorted(session_ids)]
    places = Question(_PLACES, wanted, list)
    if db.dialect.name == "postgresql":
        _, found = ask(db, Question(_ONE_AT_A_TIME, wanted, list), places)
    else:
        [found] = ask(db, places)
    return {one["session_id"]: taken for one, [(taken,)] in zip(wanted, found, strict=True)}


_ONE_AT_A_TIME = Prepared(
    sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("moralbank places"), sa.cast(_in_session, sa.Integer)))
)
_going = sa.select(_U.resident_id).where(_U.session_id == _in_session, _U.state == "going")
_came = sa.select(_C.resident_id).where(_C.session_id == _in_session, _stands)
#: Everybody who signed up, and everybody who came without.
_PLACES = Prepared(sa.select(sa.func.count()).select_from(_going.union(_came).subquery()))


def write(db: Connection, rows: Sequence[dict[str, Any]]) -> list[int | None]:
    """Write scans down; return their ids, None for one whose gate or nonce another phone took first."""
    written = {row[0]: row[1] for row in _WRITE.insert_all(db, rows)}
    return [written.get(row["nonce"]) for row in rows]


def _given(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    return [{"session_id": session_id, "resident_id": resident_id} for session_id, resident_id in pairs]


def _where_any(pairs: Sequence[Pair], found: list[list[Row]]) -> set[Pair]:
    return {pair for pair, rows in zip(pairs, found, strict=True) if rows}
