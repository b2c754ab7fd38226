"""Reads of teams. Who may read is the caller's to say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.teams.errors import UnknownTeam
from moralbank.teams.models import teams

LIST_MAX = 200


@dataclass(frozen=True, slots=True)
class Team:
    """A team and who is asked about it."""

    team_id: int
    book_id: int
    branch_id: int
    account_id: int
    name: str
    contact_resident_id: int
    opened_at: datetime
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


_TEAM = [teams.c[name] for name in Team.__dataclass_fields__]


def get_team(db: Connection, team_id: int, *, lock: bool = False) -> Team:
    """Return the team; lock keeps others from changing it until the transaction ends. Raises: UnknownTeam."""
    query = sa.select(*_TEAM).where(teams.c.team_id == team_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownTeam()
    return Team(*row)


def list_teams(
    db: Connection, branch_ids: Collection[int], *, is_open: bool = True, before_id: int | None = None, limit: int = 50
) -> list[Team]:
    """List the teams of branches that are open, or those that were closed, the latest first."""
    state = teams.c.closed_at.is_(None) if is_open else teams.c.closed_at.is_not(None)
    query = sa.select(*_TEAM).where(teams.c.branch_id.in_(list(branch_ids)), state)
    if before_id is not None:
        query = query.where(teams.c.team_id < before_id)
    return [Team(*row) for row in db.execute(query.order_by(teams.c.team_id.desc()).limit(min(limit, LIST_MAX)))]


def teams_of_contact(db: Connection, resident_id: int) -> list[Team]:
    """List the open teams about which a resident is asked, by name."""
    mine = (teams.c.contact_resident_id == resident_id, teams.c.closed_at.is_(None))
    return [Team(*row) for row in db.execute(sa.select(*_TEAM).where(*mine).order_by(teams.c.name).limit(LIST_MAX))]


def get_team_of_contact(db: Connection, team_id: int, resident_id: int) -> Team:
    """Return an open team about which this resident is asked. Raises: UnknownTeam, also for any other."""
    found = get_team(db, team_id)
    if found.contact_resident_id != resident_id or not found.is_open:
        raise UnknownTeam()
    return found


def is_taken(db: Connection, book_id: int, name: str, besides: int | None = None) -> bool:
    """Tell whether another open team of the book bears this name."""
    bears = (teams.c.book_id == book_id, teams.c.name == name, teams.c.closed_at.is_(None))
    query = sa.select(teams.c.team_id).where(*bears)
    return db.execute(query.where(teams.c.team_id != besides) if besides else query).first() is not None


def names_of_accounts(db: Connection, accounts: Collection[int]) -> dict[int, str]:
    """Return what the teams are called whose accounts these are, by account."""
    rows = db.execute(sa.select(teams.c.account_id, teams.c.name).where(teams.c.account_id.in_(list(accounts))))
    return {row.account_id: row.name for row in rows}
