"""Reads of access: who a session or a token stands for, and what a login may do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.errors import UnknownLogin
from moralbank.access.models import access_grants, access_logins, access_sessions, access_tokens
from moralbank.branches import queries as branches
from moralbank.branches.queries import Branch
from moralbank.prepared import Prepared, Question, Row, ask

ROLES = ("resident", "operator", "helper", "staff", "auditor", "admin")
#: The path of the whole bank, of which every branch's path begins.
EVERYWHERE = "/"
#: Roles that a grant stands for besides its own: an administrator does everything staff does.
_STANDS_FOR = {"admin": frozenset({"admin", "staff"})}

#: What an API token may be given, and the roles of which its issuer must hold one.
SCOPES: dict[str, frozenset[str]] = {
    "activities:read": frozenset({"staff", "auditor", "resident"}),
    "activities:write": frozenset({"staff"}),
    "approvals:read": frozenset({"staff", "auditor"}),
    "approvals:write": frozenset({"staff"}),
    "audit:read": frozenset({"staff", "auditor"}),
    "awards:write": frozenset({"staff"}),
    "branches:read": frozenset(ROLES),
    "charges:read": frozenset({"operator", "staff", "auditor"}),
    "charges:write": frozenset({"operator"}),
    "checkins:write": frozenset({"staff"}),
    "codes:write": frozenset({"resident"}),
    "merchants:read": frozenset({"staff", "auditor", "operator", "resident"}),
    "merchants:write": frozenset({"staff"}),
    "messages:read": frozenset({"staff", "auditor"}),
    "messages:write": frozenset({"staff"}),
    "notices:read": frozenset({"staff", "auditor"}),
    "objections:read": frozenset({"staff", "auditor"}),
    "objections:write": frozenset({"staff"}),
    "residents:read": frozenset({"staff", "auditor"}),
    "residents:write": frozenset({"staff"}),
    "statements:read": frozenset({"staff", "auditor", "resident"}),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that holds at a branch and in everything below it."""

    role: str
    #: None with the path "/" means the whole bank.
    branch_id: int | None
    branch_path: str
    #: Whose till; only operators have one.
    merchant_id: int | None = None
    #: None while it is only drafted.
    grant_id: int | None = None
    #: An operator for a day, who charges and undoes and nothing else.
    only_charges: bool = False

    def stands_for(self, role: str) -> bool:
        return role in _STANDS_FOR.get(self.role, (self.role,))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a login with its grants, come in by a session or by an API token."""

    login_id: int
    #: What colleagues call them; empty for residents, whose name the residents package keeps.
    name: str
    resident_id: int | None
    grants: tuple[Grant, ...]
    session_id: int | None = None
    #: What an API token may do; None for a session, which may do all that its roles may.
    scopes: frozenset[str] | None = None
    #: The secret was set by somebody else: nothing is open but the page where it is changed.
    must_change: bool = False

    def has(self, *roles: str) -> bool:
        """Tell whether any of the roles is held anywhere; an administrator is staff too."""
        return any(grant.stands_for(role) for grant in self.grants for role in roles)

    @property
    def is_hand(self) -> bool:
        """Whether this is a hand of the day, who charges and undoes at one table and does nothing else."""
        return bool(self.grants) and all(grant.only_charges for grant in self.grants)

    def covers(self, branch_path: str, *roles: str) -> bool:
        """Tell whether any of the roles holds at the branch of this path."""
        return any(branch_path.startswith(path) for path in self.paths(*roles))

    def paths(self, *roles: str) -> list[str]:
        """Return the paths of the branches where any of the roles is held, for prefix filters in queries."""
        held = {g.branch_path for g in self.grants if any(g.stands_for(role) for role in roles)}
        return sorted(path for path in held if not any(path != other and path.startswith(other) for other in held))

    def merchant_ids(self) -> list[int]:
        """Return the merchants at whose till this operator works."""
        return sorted({grant.merchant_id for grant in self.grants if grant.merchant_id is not None})

    def actor(self, role: str) -> str:
        """Return how the ledger cites this login in a role, "staff:12"."""
        return f"{role}:{self.login_id}"


@dataclass(frozen=True, slots=True)
class Login:
    """A login as administrators see it; never its secret."""

    login_id: int
    name: str | None
    display_name: str
    resident_id: int | None
    secret_kind: str
    must_change: bool
    suspended_at: datetime | None
    grants: tuple[Grant, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Session:
    """One place where a login is signed in."""

    session_id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    device: str


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as its owner sees it; the token itself is shown once and not kept."""

    token_id: int
    hint: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    @property
    def last_on(self) -> date:
        """The last day on which it works."""
        return clock.local(self.expires_at - timedelta(seconds=1)).date()


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a session's cookie or an API token stands for, and when it was last seen."""

    principal: Principal
    seen_at: datetime | None


def digest(token: str) -> str:
    """Return what is kept of an unguessable token."""
    return sha256(token.encode()).hexdigest()


#: A grant that holds, as columns beside its login: a login without any has one row of NULLs.
_GRANT = (
    access_grants.c.role,
    access_grants.c.branch_id,
    branches.path_of(access_grants.c.branch_id).label("path"),
    access_grants.c.merchant_id,
    access_grants.c.grant_id,
    access_grants.c.only_charges,
)
_LOGIN = (access_logins.c.login_id, access_logins.c.display_name, access_logins.c.resident_id)
_HOLDS = (access_grants.c.login_id == access_logins.c.login_id) & access_grants.c.revoked_at.is_(None)

_SIGNED_IN = Prepared(
    sa.select(
        access_sessions.c.seen_at,
        access_sessions.c.idle_seconds,
        access_sessions.c.session_id,
        access_logins.c.must_change,
        *_LOGIN,
        *_GRANT,
    )
    .join(access_logins, access_logins.c.login_id == access_sessions.c.login_id)
    .outerjoin(access_grants, _HOLDS)
    .where(
        access_sessions.c.token_hash == sa.bindparam("hash"),
        access_sessions.c.revoked_at.is_(None),
        access_sessions.c.expires_at > sa.bindparam("now"),
        access_logins.c.suspended_at.is_(None),
    )
    .order_by(access_grants.c.grant_id)
)


def find_signed_in(db: Connection, token: str) -> Known | None:
    """Return whom a live session of an open login stands for, or None. One statement."""
    now = clock.now()
    rows = _SIGNED_IN.all(db, hash=digest(token), now=now)
    if not rows:
        return None
    seen_at, idle_seconds, session_id, must_change, login_id, name, resident_id, *_ = rows[0]
    if (now - seen_at).total_seconds() > idle_seconds:
        return None
    grants = _held(row[7:] for row in rows)
    return Known(Principal(login_id, name, resident_id, grants, session_id, must_change=must_change), seen_at)


_BEARER = Prepared(
    sa.select(access_tokens.c.scopes, access_tokens.c.used_at, *_LOGIN, *_GRANT)
    .join(access_logins, access_logins.c.login_id == access_tokens.c.login_id)
    .outerjoin(access_grants, _HOLDS)
    .where(
        access_tokens.c.token_hash == sa.bindparam("hash"),
        access_tokens.c.revoked_at.is_(None),
        access_tokens.c.expires_at > sa.bindparam("now"),
        access_logins.c.suspended_at.is_(None),
        access_logins.c.must_change.is_(sa.false()),
    )
    .order_by(access_grants.c.grant_id)
)


def find_bearer(db: Connection, token: str) -> Known | None:
    """Return whom a live API token of an open login acts for, or None. One statement."""
    return find_bearers(db, [token]).get(token)


def find_bearers(db: Connection, tokens: Sequence[str]) -> dict[str, Known]:
    """Return whom the live ones among API tokens act for."""
    found: dict[str, Known]
    [found] = ask(db, asking_bearers(tokens))
    return found


def asking_bearers(tokens: Sequence[str]) -> Question[dict[str, Known]]:
    """Ask whom the live ones among API tokens act for."""
    now = clock.now()

    def read(found: list[list[Row]]) -> dict[str, Known]:
        return {token: _bearer(rows) for token, rows in zip(tokens, found, strict=True) if rows}

    return Question(_BEARER, [{"hash": digest(token), "now": now} for token in tokens], read)


def _bearer(rows: list[Row]) -> Known:
    scopes, used_at, login_id, name, resident_id, *_ = rows[0]
    grants = _held(row[5:] for row in rows)
    return Known(Principal(login_id, name, resident_id, grants, scopes=frozenset(scopes.split())), used_at)


def _held(rows: Iterable[Row]) -> tuple[Grant, ...]:
    return tuple(
        Grant(role, branch_id, EVERYWHERE if branch_id is None else path, merchant_id, grant_id, bool(only_charges))
        for role, branch_id, path, merchant_id, grant_id, only_charges in rows
        if role is not None
    )


def get_principal(db: Connection, login_id: int) -> Principal:
    """Return a login as it would act, for jobs and commands. Raises: UnknownLogin."""
    login = get_login(db, login_id)
    return Principal(login_id, login.display_name, login.resident_id, login.grants, must_change=login.must_change)


def get_login(db: Connection, login_id: int) -> Login:
    """Return the login with its grants. Raises: UnknownLogin."""
    found = _logins(db, access_logins.c.login_id == login_id)
    if not found:
        raise UnknownLogin()
    return found[0]


def find_login(db: Connection, name: str) -> Login | None:
    """Return the login of this name, however its letters are cased, or None."""
    return next(iter(_logins(db, access_logins.c.name == name.strip().casefold())), None)


def find_resident_login(db: Connection, resident_id: int) -> Login | None:
    """Return the resident's login, or None when they have none yet."""
    return next(iter(_logins(db, access_logins.c.resident_id == resident_id)), None)


def list_resident_logins(db: Connection, resident_ids: Collection[int]) -> list[Login]:
    """Return the logins of these residents, in no order; residents without one are left out."""
    return _logins(db, access_logins.c.resident_id.in_(list(resident_ids)))


def list_logins(db: Connection, paths: Collection[str], *, limit: int = 500) -> list[Login]:
    """Return the named logins that hold a role within any of the paths, by name."""
    inside = sa.select(access_grants.c.login_id).where(access_grants.c.revoked_at.is_(None))
    if EVERYWHERE not in paths:
        allowed = [branch.branch_id for branch in branches.list_branches_under(db, list(paths))]
        inside = inside.where(access_grants.c.branch_id.in_(allowed))
    condition = sa.and_(access_logins.c.name.is_not(None), access_logins.c.login_id.in_(inside))
    return _logins(db, condition, limit=limit)


def list_watchers(db: Connection, branch_path: str, roles: Collection[str]) -> list[int]:
    """Return the open logins that hold one of the roles at a branch, above or below it, by number."""
    query = (
        sa.select(access_grants.c.login_id, access_grants.c.branch_id)
        .join(access_logins, access_logins.c.login_id == access_grants.c.login_id)
        .where(
            access_grants.c.role.in_(list(roles)),
            access_grants.c.revoked_at.is_(None),
            access_logins.c.suspended_at.is_(None),
        )
    )
    rows = db.execute(query).all()
    paths = branches.paths_of(db, {row.branch_id for row in rows if row.branch_id is not None})
    held = {(row.login_id, EVERYWHERE if row.branch_id is None else paths[row.branch_id]) for row in rows}
    near = {login for login, path in held if branch_path.startswith(path) or path.startswith(branch_path)}
    return sorted(near)


def list_operators(db: Connection, merchant_id: int) -> list[Login]:
    """Return the logins that work at the merchant's till, by name."""
    inside = sa.select(access_grants.c.login_id).where(
        access_grants.c.merchant_id == merchant_id, access_grants.c.revoked_at.is_(None)
    )
    return _logins(db, access_logins.c.login_id.in_(inside))


def names_of(db: Connection, login_ids: Collection[int]) -> dict[int, str]:
    """Return what colleagues call these logins; residents' are left out."""
    query = sa.select(access_logins.c.login_id, access_logins.c.display_name).where(
        access_logins.c.login_id.in_(list(login_ids)), access_logins.c.name.is_not(None)
    )
    return {row.login_id: row.display_name for row in db.execute(query)}


def residents_behind(db: Connection, actors: Collection[str]) -> dict[str, int]:
    """Return which residents are behind "resident:12", by that."""
    logins = {int(actor.partition(":")[2]): actor for actor in actors if actor.startswith("resident:")}
    query = sa.select(access_logins.c.login_id, access_logins.c.resident_id).where(
        access_logins.c.login_id.in_(list(logins)), access_logins.c.resident_id.is_not(None)
    )
    return {logins[login_id]: resident_id for login_id, resident_id in db.execute(query)}


def actor_names(db: Connection, actors: Collection[str]) -> dict[str, str]:
    """Return what colleagues call those behind "staff:12", by that; residents and the system are left out."""
    logins = {actor: int(actor.partition(":")[2]) for actor in actors if actor.partition(":")[2].isdigit()}
    names = names_of(db, set(logins.values()))
    return {actor: names[login_id] for actor, login_id in logins.items() if login_id in names}


def list_secrets(db: Connection, login_ids: Iterable[int]) -> dict[int, str]:
    """Return the hashes of the secrets of those logins that are open."""
    query = sa.select(access_logins.c.login_id, access_logins.c.secret_hash).where(
        access_logins.c.login_id.in_(list(login_ids)), access_logins.c.suspended_at.is_(None)
    )
    return {row.login_id: row.secret_hash for row in db.execute(query)}


def list_sessions(db: Connection, login_id: int) -> list[Session]:
    """Return where the login is signed in, the latest first."""
    columns = [access_sessions.c[name] for name in Session.__dataclass_fields__]
    query = (
        sa.select(*columns, access_sessions.c.idle_seconds)
        .where(
            access_sessions.c.login_id == login_id,
            access_sessions.c.revoked_at.is_(None),
            access_sessions.c.expires_at > clock.now(),
        )
        .order_by(access_sessions.c.seen_at.desc(), access_sessions.c.session_id.desc())
        .limit(100)
    )
    now = clock.now()
    return [Session(*row[:-1]) for row in db.execute(query) if (now - row.seen_at).total_seconds() <= row.idle_seconds]


def list_tokens(db: Connection, login_id: int) -> list[Token]:
    """Return the login's live API tokens, the latest first."""
    columns = [access_tokens.c[name] for name in Token.__dataclass_fields__]
    query = (
        sa.select(*columns)
        .where(
            access_tokens.c.login_id == login_id,
            access_tokens.c.revoked_at.is_(None),
            access_tokens.c.expires_at > clock.now(),
        )
        .order_by(access_tokens.c.token_id.desc())
        .limit(100)
    )
    return [Token(**{**row._mapping, "scopes": tuple(row.scopes.split())}) for row in db.execute(query)]


def scopes_of(principal: Principal) -> list[str]:
    """Return the scopes that a token of this principal may have: none beyond its own roles, and for a hand none."""
    return [] if principal.is_hand else [scope for scope, roles in SCOPES.items() if principal.has(*roles)]


def branches_of(db: Connection, principal: Principal, *roles: str) -> list[Branch]:
    """Return the branches where any of the roles holds, parents first."""
    return branches.list_branches_under(db, principal.paths(*roles))


def _logins(db: Connection, condition: sa.ColumnElement[bool], *, limit: int = 500) -> list[Login]:
    columns = [access_logins.c[name] for name in Login.__dataclass_fields__ if name != "grants"]
    order = (access_logins.c.name, access_logins.c.login_id)
    rows = db.execute(sa.select(*columns).where(condition).order_by(*order).limit(limit)).all()
    grants = _grants(db, [row.login_id for row in rows])
    return [Login(*row, grants.get(row.login_id, ())) for row in rows]


def _grants(db: Connection, login_ids: list[int]) -> dict[int, tuple[Grant, ...]]:
    query = (
        sa.select(access_grants)
        .where(access_grants.c.login_id.in_(login_ids), access_grants.c.revoked_at.is_(None))
        .order_by(access_grants.c.grant_id)
    )
    rows = db.execute(query).all() if login_ids else []
    paths = branches.paths_of(db, {row.branch_id for row in rows if row.branch_id is not None})
    found: dict[int, tuple[Grant, ...]] = {}
    for row in rows:
        path = EVERYWHERE if row.branch_id is None else paths[row.branch_id]
        grant = Grant(row.role, row.branch_id, path, row.merchant_id, row.grant_id, row.only_charges)
        found[row.login_id] = (*found.get(row.login_id, ()), grant)
    return found
