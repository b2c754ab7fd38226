"""The last of all means: a printed roster with boxes to tick, typed in by one person and compared by another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.deeds import Deed, Kind, record
from moralbank.activities import offline, queries
from moralbank.activities.checkin import Scan
from moralbank.activities.errors import BadPaper, PaperDecided, PaperOwn, SessionOver, UnknownPaper
from moralbank.activities.models import paper_lines, papers
from moralbank.activities.values import CheckIn, Direction, Means, Session
from moralbank.errors import N_

LINES_MAX = 300
_P, _L = papers.c, paper_lines.c


@dataclass(frozen=True, slots=True)
class Line:
    """One person ticked on the paper; left_at: None where there is no tick for having left."""

    resident_id: int
    came_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class Paper:
    """A roster as it was typed in."""

    paper_id: int
    session_id: int
    entered_by: str
    entered_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None


_PAPER = tuple(_P[name] for name in Paper.__dataclass_fields__)


def enter(db: Connection, session_id: int, lines: Sequence[Line], *, actor: str) -> Paper:
    """Keep what somebody read off the paper; nothing counts before another person has compared it.

    Raises (in the order checked): UnknownSession, SessionOver, BadPaper.
    """
    session = queries.lock_session(db, session_id)
    if not session.takes_scans:
        raise SessionOver()
    _check(session, lines)
    row = {"session_id": session_id, "entered_by": actor, "entered_at": clock.now(), "state": "waiting"}
    paper_id = db.execute(papers.insert().values(row).returning(_P.paper_id)).scalar_one()
    db.execute(
        paper_lines.insert(),
        [
            {
                "paper_id": paper_id,
                "resident_id": line.resident_id,
                "came_at": line.came_at,
                "left_at": line.left_at,
            }
            for line in lines
        ],
    )
    return get_paper(db, paper_id)


def confirm(db: Connection, paper_id: int, *, actor: str) -> list[int]:
    """Count what the paper says, marked as from paper; return whose line could not be counted.

    Raises (in the order checked): UnknownPaper, PaperDecided, PaperOwn, SessionOver.
    """
    paper = _decide(db, paper_id, "confirmed", actor)
    session = queries.lock_session(db, paper.session_id)
    if not session.takes_scans:
        raise SessionOver()
    missed = [line.resident_id for line in list_lines(db, paper_id) if not _count(db, session, paper, line, actor)]
    place = session.activity.branch_id
    record(db, Deed(actor, Kind.APPROVE, place, about=f"session:{paper.session_id}", count=_lines(db, paper_id)))
    return missed


def refuse(db: Connection, paper_id: int, *, actor: str) -> Paper:
    """Leave out what was typed: it isn't what stands on the paper. Whoever typed it may take it back this way too.

    Raises (in the order checked): UnknownPaper, PaperDecided.
    """
    return _decide(db, paper_id, "refused", actor)


def get_paper(db: Connection, paper_id: int) -> Paper:
    """Return the roster, decided or not. Raises: UnknownPaper."""
    row = db.execute(sa.select(*_PAPER).where(_P.paper_id == paper_id)).first()
    if row is None:
        raise UnknownPaper()
    return Paper(*row)


def list_papers(db: Connection, session_id: int) -> list[Paper]:
    """List what was typed in for a session, the newest first."""
    query = sa.select(*_PAPER).where(_P.session_id == session_id).order_by(_P.paper_id.desc())
    return [Paper(*row) for row in db.execute(query.limit(50))]


def list_lines(db: Connection, paper_id: int) -> list[Line]:
    """List the people ticked on a paper, by arrival."""
    query = sa.select(_L.resident_id, _L.came_at, _L.left_at).where(_L.paper_id == paper_id)
    return [Line(*row) for row in db.execute(query.order_by(_L.came_at, _L.resident_id))]


def _lines(db: Connection, paper_id: int) -> int:
    return db.execute(sa.select(sa.func.count()).where(_L.paper_id == paper_id)).scalar_one()


def _check(session: Session, lines: Sequence[Line]) -> None:
    if not lines:
        raise BadPaper({"lines": [N_("请至少勾一个人。")]})
    if len(lines) > LINES_MAX or len({line.resident_id for line in lines}) != len(lines):
        raise BadPaper({"lines": [N_("同一个人只能有一行，一次最多 300 行。")]})
    now = clock.now()
    for line in lines:
        left = line.left_at or line.came_at
        if not session.in_from <= line.came_at <= left <= session.out_until or left > now:
            raise BadPaper({"lines": [N_("时间要在这一场的签到到签退之间，先到后走，不能晚于现在。")]})


def _decide(db: Connection, paper_id: int, state: str, actor: str) -> Paper:
    db.execute(sa.select(_P.paper_id).where(_P.paper_id == paper_id).with_for_update())
    paper = get_paper(db, paper_id)
    if paper.state != "waiting":
        raise PaperDecided()
    if state == "confirmed" and _login(paper.entered_by) == _login(actor):
        raise PaperOwn()
    decided = {"state": state, "decided_by": actor, "decided_at": clock.now()}
    db.execute(papers.update().where(_P.paper_id == paper_id).values(decided))
    return get_paper(db, paper_id)


def _login(actor: str) -> str:
    return actor.partition(":")[2]


def _count(db: Connection, session: Session, paper: Paper, line: Line, actor: str) -> bool:
    """Count a line's coming and going as if they had come at their times; tell whether they are on record."""
    ways = [(Direction.IN, line.came_at)]
    if line.left_at is not None:
        ways.append((Direction.OUT, line.left_at))
    is_counted = True
    for direction, at in ways:
        nonce = f"paper:{paper.paper_id}:{line.resident_id}:{direction}"
        why = f"纸质签到表 {paper.paper_id} 号"
        scan = Scan(session.session_id, line.resident_id, Means.PAPER, nonce, actor, override=why)
        placed = offline.place(db, session, scan, direction, at)
        is_counted &= isinstance(placed, CheckIn) or (placed is not None and placed.verdict.is_good)
    return is_counted
