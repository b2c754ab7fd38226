"""Takes away what access holds of a person who is forgotten: login, sessions, tokens, tries, and written reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank.access.deeds import forget_notes
from moralbank.access.models import access_grants, access_logins, access_sessions, access_tokens
from moralbank.access.tries import forgive


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was taken away."""

    logins: int
    sessions: int
    notes: int


def forget_login(db: Connection, resident_id: int, identifiers: Iterable[str]) -> Removed:
    """Delete a resident's login and all that hangs on it. What was done with it stays cited by its number.

    identifiers: what they typed to come in; tries are counted by a digest of it, which a guess could be held against.
    """
    for identifier in identifiers:
        forgive(db, identifier)
    own = sa.select(access_logins.c.login_id).where(access_logins.c.resident_id == resident_id)
    logins_of = list(db.execute(own).scalars())
    for login_id in logins_of:
        forgive(db, f"login {login_id}")
    sessions = db.execute(access_sessions.delete().where(access_sessions.c.login_id.in_(logins_of))).rowcount
    for table in (access_tokens, access_grants):
        db.execute(table.delete().where(table.c.login_id.in_(logins_of)))
    logins = db.execute(access_logins.delete().where(access_logins.c.login_id.in_(logins_of))).rowcount
    return Removed(logins, sessions, forget_notes(db, resident_id))
