"""Opens logins, gives and takes roles, and keeps sessions and tokens. Who asks is always checked here too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access import queries, secrets
from moralbank.access.deeds import Kind, of_login, record
from moralbank.access.errors import (
    AlreadyGranted,
    BadGrant,
    BadLoginName,
    NameTaken,
    NotOneself,
    OutOfScope,
    RolesClash,
    WeakSecret,
)
from moralbank.access.models import access_grants, access_logins, access_sessions
from moralbank.access.queries import EVERYWHERE, Grant, Login, Principal
from moralbank.access.secrets import matching
from moralbank.access.sessions import (
    close_session,
    end_sessions,
    issue_token,
    note_refused,
    open_session,
    revoke_other_sessions,
    revoke_session,
    revoke_token,
    see_session,
    use_token,
)
from moralbank.access.tries import begin_try, count_request, end_try, forgive
from moralbank.branches.queries import get_branch
from moralbank.db import insert_for
from moralbank.errors import N_

__all__ = [
    "GrantDraft",
    "Opened",
    "begin_try",
    "change_secret",
    "close_session",
    "count_request",
    "end_try",
    "follow_resident",
    "grant_role",
    "issue_token",
    "matching",
    "note_refused",
    "open_login",
    "open_resident_login",
    "open_session",
    "reset_secret",
    "resume_login",
    "revoke_other_sessions",
    "revoke_role",
    "revoke_session",
    "revoke_token",
    "see_session",
    "suspend_login",
    "use_token",
]

SYSTEM = "system"
#: The role that may give a role; an administrator is staff too.
_GIVEN_BY = {
    "resident": "staff",
    "operator": "staff",
    "helper": "staff",
    "staff": "admin",
    "auditor": "admin",
    "admin": "admin",
}
#: Who comes in by six digits: they work a till or a phone, and see no lists of people.
_BY_PIN = frozenset({"operator", "helper"})
_WRITERS = frozenset({"operator", "staff", "admin"})
_NAME_MIN, _NAME_MAX = 2, 32


@dataclass(frozen=True, slots=True)
class GrantDraft:
    """A role to be given."""

    role: str
    #: None means the whole bank.
    branch_id: int | None
    merchant_id: int | None = None
    #: For an operator of a day, who charges and undoes and nothing else.
    only_charges: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A login with its first secret, to be shown once."""

    login_id: int
    secret: str


def open_login(
    db: Connection,
    name: str,
    display_name: str,
    grants: Sequence[GrantDraft],
    *,
    by: Principal | None,
    secret: str | None = None,
    must_change: bool = True,
    kind: str | None = None,
) -> Opened:
    """Open a named login with its roles. `by` None means the system itself; secret None means a random one.

    kind: "pin" or "password"; None: a PIN for who only works tills or only helps, else a password.

    Raises (in the order checked): BadLoginName, BadGrant, UnknownBranch, OutOfScope, AlreadyGranted,
    RolesClash, WeakSecret, NameTaken.
    """
    folded = name.strip().casefold()
    _refuse_bad_name(folded)
    kind = kind or ("pin" if grants and all(draft.role in _BY_PIN for draft in grants) else "password")
    given: list[Grant] = []
    for draft in grants:
        given.append(_checked(db, draft, given, by))
    if secret is not None:
        secrets.refuse_weak(kind, secret, not_in=(folded,))
    secret = secret or secrets.new_secret(kind)
    row = {
        "name": folded,
        "display_name": display_name.strip() or name.strip(),
        "secret_kind": kind,
        "secret_hash": secrets.hashed(secret),
        "must_change": must_change,
        "opened_at": clock.now(),
        "opened_by": _actor(by),
    }
    insert = insert_for(db, access_logins).values(row).on_conflict_do_nothing(index_elements=["name"])
    login_id = db.execute(insert.returning(access_logins.c.login_id)).scalar()
    if login_id is None:
        raise NameTaken(name=folded)
    for grant in given:
        _insert_grant(db, login_id, grant, by)
    record(db, of_login(_actor(by), Kind.ROLE, given, f"login:{login_id}"))
    return Opened(login_id, secret)


def open_resident_login(
    db: Connection,
    resident_id: int,
    branch_id: int,
    *,
    by: Principal | None,
    secret: str | None = None,
    must_change: bool = True,
) -> Opened:
    """Open a resident's login with a PIN, or give the one they have a new PIN.

    Raises (in the order checked): UnknownBranch, OutOfScope, WeakSecret.
    """
    grant = _checked(db, GrantDraft("resident", branch_id), [], by)
    if secret is not None:
        secrets.refuse_weak("pin", secret)
    secret = secret or secrets.new_secret("pin")
    known = queries.find_resident_login(db, resident_id)
    if known is not None:
        _move_grants(db, known.login_id, branch_id)
        _set_secret(db, known.login_id, secret, must_change=must_change)
        return Opened(known.login_id, secret)
    row = {
        "display_name": "",
        "resident_id": resident_id,
        "secret_kind": "pin",
        "secret_hash": secrets.hashed(secret),
        "must_change": must_change,
        "opened_at": clock.now(),
        "opened_by": _actor(by),
    }
    login_id: int = db.execute(access_logins.insert().returning(access_logins.c.login_id), row).scalar_one()
    _insert_grant(db, login_id, grant, by)
    return Opened(login_id, secret)


def follow_resident(db: Connection, resident_id: int, branch_id: int) -> None:
    """Let a resident's role, if they have a login, follow them to the branch that they belong to from now on."""
    login = queries.find_resident_login(db, resident_id)
    if login is not None:
        _move_grants(db, login.login_id, branch_id)


def grant_role(db: Connection, login_id: int, draft: GrantDraft, *, by: Principal | None) -> None:
    """Give a login one more role.

    Raises (in the order checked): UnknownLogin, BadGrant, UnknownBranch, OutOfScope, AlreadyGranted,
    RolesClash.
    """
    login = _held(db, login_id)
    if draft.role == "resident" or login.resident_id is not None:
        raise BadGrant()
    grant = _checked(db, draft, list(login.grants), by)
    _insert_grant(db, login_id, grant, by)
    record(db, of_login(_actor(by), Kind.ROLE, [grant], f"login:{login_id}"))


def revoke_role(db: Connection, login_id: int, grant_id: int, *, by: Principal) -> None:
    """Take one role back; what was done in it stays cited.

    Raises (in the order checked): UnknownLogin, NotOneself, OutOfScope.
    """
    login = _held(db, login_id)
    if login_id == by.login_id:
        raise NotOneself()
    grant = next((grant for grant in login.grants if grant.grant_id == grant_id), None)
    if grant is None or not _may_give(by, grant):
        raise OutOfScope()
    db.execute(
        access_grants.update()
        .where(access_grants.c.grant_id == grant_id)
        .values(revoked_at=clock.now(), revoked_by=_actor(by))
    )
    record(db, of_login(_actor(by), Kind.ROLE, [grant], f"login:{login_id}"))


def reset_secret(db: Connection, login_id: int, *, by: Principal | None) -> str:
    """Give a login a random secret that must be changed, end its sessions, and return it to be shown once.

    Raises (in the order checked): UnknownLogin, OutOfScope.
    """
    login = _held(db, login_id)
    _refuse_foreign(login, by)
    secret = secrets.new_secret(login.secret_kind)
    _set_secret(db, login_id, secret, must_change=True)
    if login.name is not None:
        forgive(db, login.name)
    record(db, of_login(_actor(by), Kind.SECRET, login.grants, f"login:{login_id}"))
    return secret


def change_secret(db: Connection, login_id: int, secret: str, *, not_in: tuple[str, ...] = ()) -> None:
    """Set the secret that the login's owner chose and end its sessions. Raises: UnknownLogin, WeakSecret."""
    login = _held(db, login_id)
    if secrets.matching(queries.list_secrets(db, [login_id]), secret):
        raise WeakSecret(errors={"secret": [N_("新密码要和现在的不一样。")]})
    secrets.refuse_weak(login.secret_kind, secret, not_in=(*not_in, *filter(None, [login.name])))
    _set_secret(db, login_id, secret, must_change=False)


def suspend_login(db: Connection, login_id: int, *, by: Principal | None) -> None:
    """Close a login and end its sessions, until it is resumed. by: None when its resident was suspended.

    Raises (in the order checked): UnknownLogin, NotOneself, OutOfScope.
    """
    login = _held(db, login_id)
    if by is not None and login_id == by.login_id:
        raise NotOneself()
    _refuse_foreign(login, by)
    db.execute(access_logins.update().where(access_logins.c.login_id == login_id).values(suspended_at=clock.now()))
    end_sessions(db, access_sessions.c.login_id == login_id)
    if login.name is not None:
        record(db, of_login(_actor(by), Kind.ROLE, login.grants, f"login:{login_id}"))


def resume_login(db: Connection, login_id: int, *, by: Principal | None) -> None:
    """Open a suspended login again. Raises (in the order checked): UnknownLogin, OutOfScope."""
    login = _held(db, login_id)
    _refuse_foreign(login, by)
    db.execute(access_logins.update().where(access_logins.c.login_id == login_id).values(suspended_at=None))
    if login.name is not None:
        record(db, of_login(_actor(by), Kind.ROLE, login.grants, f"login:{login_id}"))


def _held(db: Connection, login_id: int) -> Login:
    """Return the login, held until the transaction ends: two administrators can't grant past each other."""
    db.execute(sa.select(access_logins.c.login_id).where(access_logins.c.login_id == login_id).with_for_update())
    return queries.get_login(db, login_id)


def _refuse_bad_name(name: str) -> None:
    if not _NAME_MIN <= len(name) <= _NAME_MAX or any(c.isspace() or not c.isprintable() for c in name):
        raise BadLoginName()
    if not any(c.isalpha() for c in name):  # Digits alone are a phone, a card or a resident's number.
        raise BadLoginName()


def _checked(db: Connection, draft: GrantDraft, held: Sequence[Grant], by: Principal | None) -> Grant:
    """Return the grant that a draft means, if `by` may give it beside those that are held."""
    if draft.role not in queries.ROLES or (draft.role == "operator") != (draft.merchant_id is not None):
        raise BadGrant()
    if draft.only_charges and draft.role != "operator":
        raise BadGrant()
    path = EVERYWHERE if draft.branch_id is None else get_branch(db, draft.branch_id).path
    grant = Grant(draft.role, draft.branch_id, path, draft.merchant_id, only_charges=draft.only_charges)
    if by is not None and not _may_give(by, grant):
        raise OutOfScope()
    if any((g.role, g.branch_id, g.merchant_id) == (grant.role, grant.branch_id, grant.merchant_id) for g in held):
        raise AlreadyGranted()
    if any(_clash(grant, other) for other in held):
        raise RolesClash()
    return grant


def _clash(one: Grant, other: Grant) -> bool:
    """Tell whether two grants make somebody audit what they do: one's branch lies within the other's."""
    if (one.role == "auditor") == (other.role == "auditor") or not {one.role, other.role} & _WRITERS:
        return False
    return one.branch_path.startswith(other.branch_path) or other.branch_path.startswith(one.branch_path)


def _may_give(by: Principal, grant: Grant) -> bool:
    return by.covers(grant.branch_path, _GIVEN_BY[grant.role])


def _refuse_foreign(login: Login, by: Principal | None) -> None:
    """Refuse one who may not give every role that the login has; one without a role is the whole bank's."""
    reached = login.grants or (Grant("admin", None, EVERYWHERE),)
    if by is not None and not all(_may_give(by, grant) for grant in reached):
        raise OutOfScope()


def _insert_grant(db: Connection, login_id: int, grant: Grant, by: Principal | None) -> None:
    db.execute(
        access_grants.insert().values(
            login_id=login_id,
            role=grant.role,
            branch_id=grant.branch_id,
            merchant_id=grant.merchant_id,
            only_charges=grant.only_charges,
            granted_at=clock.now(),
            granted_by=_actor(by),
        )
    )


def _move_grants(db: Connection, login_id: int, branch_id: int) -> None:
    """Let a resident's role follow them to the branch they belong to now."""
    mine = sa.and_(access_grants.c.login_id == login_id, access_grants.c.role == "resident")
    db.execute(access_grants.update().where(mine).values(branch_id=branch_id))


def _set_secret(db: Connection, login_id: int, secret: str, *, must_change: bool) -> None:
    db.execute(
        access_logins.update()
        .where(access_logins.c.login_id == login_id)
        .values(secret_hash=secrets.hashed(secret), must_change=must_change)
    )
    end_sessions(db, access_sessions.c.login_id == login_id)


def _actor(by: Principal | None) -> str:
    if by is None:
        return SYSTEM
    return by.actor("admin" if any(grant.role == "admin" for grant in by.grants) else "staff")
