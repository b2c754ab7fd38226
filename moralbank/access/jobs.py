"""What the scheduler does for access; it may run any number of times."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from moralbank import clock
from moralbank.access.models import access_sessions, access_tries
from moralbank.db import Database

#: A session that ended is shown on its owner's page for so long.
KEPT_DAYS = 90


def purge_sessions(database: Database) -> int:
    """Forget sessions that ended long ago, and tries that lock nobody any more; return how many."""
    return database.transact(_purge)


def _purge(db: Connection) -> int:
    now = clock.now()
    long_ago = now - timedelta(days=KEPT_DAYS)
    sessions = access_sessions.delete().where(
        sa.or_(access_sessions.c.revoked_at < long_ago, access_sessions.c.expires_at < long_ago)
    )
    tries = access_tries.delete().where(
        access_tries.c.window_started_at < now - timedelta(days=1),
        sa.or_(access_tries.c.locked_until_at.is_(None), access_tries.c.locked_until_at < now - timedelta(days=1)),
    )
    return db.execute(sessions).rowcount + db.execute(tries).rowcount
