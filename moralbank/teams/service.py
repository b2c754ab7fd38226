"""Opens, changes, closes and reopens teams. The points on a team's account are the ledger's to move."""

from __future__ import annotations

import unicodedata

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from moralbank import clock, ledger
from moralbank.access import deeds
from moralbank.access.deeds import Deed, Kind
from moralbank.branches.queries import get_branch
from moralbank.errors import N_
from moralbank.ledger import AccountKind
from moralbank.residents.queries import Resident, find_by_number
from moralbank.teams import queries
from moralbank.teams.errors import TeamClosed, TeamUnfit
from moralbank.teams.models import NAME_MAX, teams
from moralbank.teams.queries import Team

BAD_NAME = N_("请填 1 到 40 个字的名称。")
TAKEN = N_("这本账里已经有叫这个名字的团队。")
NO_CONTACT = N_("没有这个编号的储户，或者已经离开。联系人要是本中心在册的储户。")
NO_BOOK = N_("请选一个驿站或中心，上级没有账本。")


def open_team(db: Connection, branch_id: int, name: str, contact_number: str, *, actor: str) -> Team:
    """Open a team with an account of its own.

    Writes: a deed in the book's access log.
    Raises (in the order checked): UnknownBranch, TeamUnfit.
    """
    branch = get_branch(db, branch_id)
    if branch.book_id is None:
        raise TeamUnfit({"branch_id": [NO_BOOK]})
    name, contact = _checked(db, branch.book_id, name, contact_number)
    row = {
        "book_id": branch.book_id,
        "branch_id": branch_id,
        "account_id": ledger.open_accounts(db, branch.book_id, [AccountKind.TEAM])[0],
        "name": name,
        "contact_resident_id": contact.resident_id,
        "opened_at": clock.now(),
        "opened_by": actor,
    }
    team_id = _unless_taken(db, teams.insert().values(row).returning(teams.c.team_id))
    deeds.record(db, Deed(actor, Kind.SETTING, branch_id, about=f"team-open:{team_id}"))
    return queries.get_team(db, team_id)


def change_team(db: Connection, team_id: int, name: str, contact_number: str, *, actor: str) -> Team:
    """Give a team another name or contact; what it is already is no change and no deed.

    Raises (in the order checked): UnknownTeam, TeamClosed, TeamUnfit.
    """
    team = queries.get_team(db, team_id, lock=True)
    if not team.is_open:
        raise TeamClosed()
    name, contact = _checked(db, team.book_id, name, contact_number, team_id)
    if (name, contact.resident_id) == (team.name, team.contact_resident_id):
        return team
    change = teams.update().where(teams.c.team_id == team_id)
    anew = change.values(name=name, contact_resident_id=contact.resident_id).returning(teams.c.team_id)
    _unless_taken(db, anew)
    deeds.record(db, Deed(actor, Kind.SETTING, team.branch_id, about=f"team-change:{team_id}"))
    return queries.get_team(db, team_id)


def close_team(db: Connection, team_id: int, *, actor: str) -> Team:
    """Close a team; its account stays with all that is on it. Twice is once. Raises: UnknownTeam."""
    team = queries.get_team(db, team_id, lock=True)
    if not team.is_open:
        return team
    db.execute(teams.update().where(teams.c.team_id == team_id).values(closed_at=clock.now(), closed_by=actor))
    deeds.record(db, Deed(actor, Kind.SETTING, team.branch_id, about=f"team-close:{team_id}"))
    return queries.get_team(db, team_id)


def reopen_team(db: Connection, team_id: int, name: str, contact_number: str, *, actor: str) -> Team:
    """Open a closed team again on the account it has; its name may have been taken since, or its contact have left.

    Twice is once. Raises (in the order checked): UnknownTeam, TeamUnfit.
    """
    team = queries.get_team(db, team_id, lock=True)
    if team.is_open:
        return team
    name, contact = _checked(db, team.book_id, name, contact_number, team_id)
    anew = teams.update().where(teams.c.team_id == team_id).returning(teams.c.team_id)
    row = {"name": name, "contact_resident_id": contact.resident_id, "closed_at": None, "closed_by": None}
    _unless_taken(db, anew.values(row))
    deeds.record(db, Deed(actor, Kind.SETTING, team.branch_id, about=f"team-reopen:{team_id}"))
    return queries.get_team(db, team_id)


def _checked(
    db: Connection, book_id: int, name: str, contact_number: str, team_id: int | None = None
) -> tuple[str, Resident]:
    """Return the name as it is kept, and who is the contact. Raises: TeamUnfit."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    contact = find_by_number(db, book_id, contact_number)
    errors: dict[str, list[str]] = {}
    if not 0 < len(name) <= NAME_MAX:
        errors["name"] = [BAD_NAME]
    elif queries.is_taken(db, book_id, name, team_id):
        errors["name"] = [TAKEN]
    if contact is None or not contact.is_active:
        errors["number"] = [NO_CONTACT]
    if errors or contact is None:
        raise TeamUnfit(errors)
    return name, contact


def _unless_taken(db: Connection, write: object) -> int:
    """Write a team's row, and refuse a name that somebody else took in this very moment. Raises: TeamUnfit."""
    try:
        with db.begin_nested():
            team_id: int = db.execute(write).scalar_one()  # type: ignore[call-overload]
    except IntegrityError:
        raise TeamUnfit({"name": [TAKEN]}) from None
    return team_id
