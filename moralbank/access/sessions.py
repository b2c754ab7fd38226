"""Sessions and API tokens: unguessable, kept as hashes, listed for their owner and ended at any time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock, ids
from moralbank.access import queries
from moralbank.access.deeds import Kind, of_login, record, watched_role
from moralbank.access.errors import BadExpiry, BadTokenScopes, UnknownSession, UnknownToken
from moralbank.access.models import access_sessions, access_tokens
from moralbank.access.queries import Login, Principal, digest

_TOKEN_DAYS_MAX = 366
_DEVICE_MAX, _ADDRESS_MAX = 200, 64


def open_session(db: Connection, login_id: int, *, address: str, device: str) -> str:
    """Sign a login in somewhere and return the unguessable id for its cookie. Raises: UnknownLogin."""
    login = queries.get_login(db, login_id)
    idle, whole = _patience(login)
    now, token = clock.now(), ids.token()
    db.execute(
        access_sessions.insert().values(
            token_hash=digest(token),
            login_id=login_id,
            created_at=now,
            seen_at=now,
            idle_seconds=int(idle.total_seconds()),
            expires_at=now + whole,
            address=address[:_ADDRESS_MAX],
            device=device[:_DEVICE_MAX],
        )
    )
    role = watched_role(login.grants)
    if role is not None:
        record(db, of_login(f"{role}:{login_id}", Kind.LOGIN, login.grants))
    return token


def note_refused(db: Connection, login_id: int) -> None:
    """Write down that somebody tried in vain to come in with a login that sees others' data. Raises: UnknownLogin."""
    login = queries.get_login(db, login_id)
    role = watched_role(login.grants)
    if role is not None:
        record(db, of_login(f"{role}:{login_id}", Kind.REFUSED, login.grants))


def see_session(db: Connection, token: str) -> None:
    """Remember that a session is in use now."""
    seen = access_sessions.update().where(access_sessions.c.token_hash == digest(token))
    db.execute(seen.values(seen_at=clock.now()))


def close_session(db: Connection, token: str) -> None:
    """End the session of this cookie, if it is still open."""
    end_sessions(db, access_sessions.c.token_hash == digest(token))


def revoke_session(db: Connection, login_id: int, session_id: int) -> None:
    """End one of the login's own sessions. Raises: UnknownSession."""
    own = sa.and_(access_sessions.c.session_id == session_id, access_sessions.c.login_id == login_id)
    if not end_sessions(db, own):
        raise UnknownSession()


def revoke_other_sessions(db: Connection, login_id: int, session_id: int | None) -> int:
    """End all of the login's own sessions but this one and return how many those were."""
    others = sa.and_(access_sessions.c.login_id == login_id, access_sessions.c.session_id != session_id)
    return end_sessions(db, others)


def issue_token(db: Connection, by: Principal, name: str, scopes: Sequence[str], expires_on: date) -> str:
    """Issue an API token that acts as its issuer within the scopes, and return it to be shown once.

    Raises (in the order checked): BadTokenScopes, BadExpiry.
    """
    if not scopes or not set(scopes) <= set(queries.scopes_of(by)):
        raise BadTokenScopes()
    if not clock.today() < expires_on <= clock.today() + timedelta(days=_TOKEN_DAYS_MAX):
        raise BadExpiry()
    token = "mb_" + ids.token()
    db.execute(
        access_tokens.insert().values(
            token_hash=digest(token),
            hint=token[:8],
            login_id=by.login_id,
            name=name.strip(),
            scopes=" ".join(sorted(set(scopes))),
            created_at=clock.now(),
            expires_at=clock.end_of(expires_on),
        )
    )
    return token


def revoke_token(db: Connection, login_id: int, token_id: int) -> None:
    """Stop one of the login's own API tokens. Raises: UnknownToken."""
    stopped = db.execute(
        access_tokens.update()
        .where(
            access_tokens.c.token_id == token_id,
            access_tokens.c.login_id == login_id,
            access_tokens.c.revoked_at.is_(None),
        )
        .values(revoked_at=clock.now())
    )
    if stopped.rowcount != 1:
        raise UnknownToken()


def use_token(db: Connection, token: str) -> None:
    """Remember that a token is in use now."""
    used = access_tokens.update().where(access_tokens.c.token_hash == digest(token))
    db.execute(used.values(used_at=clock.now()))


def end_sessions(db: Connection, which: sa.ColumnElement[bool]) -> int:
    """End those of these sessions that are still open and return how many those were."""
    ended = access_sessions.update().where(which, access_sessions.c.revoked_at.is_(None))
    return db.execute(ended.values(revoked_at=clock.now())).rowcount


def _patience(login: Login) -> tuple[timedelta, timedelta]:
    """Return how long a session may rest and last: long on a phone of one's own, hours at a desk."""
    roles = {grant.role for grant in login.grants}
    if roles <= {"resident"}:
        return timedelta(days=30), timedelta(days=90)
    if roles <= {"resident", "operator", "helper"}:
        return timedelta(hours=12), timedelta(hours=24)
    return timedelta(hours=2), timedelta(hours=12)
