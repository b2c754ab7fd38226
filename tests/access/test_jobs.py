"""What the scheduler forgets for access, and what it must not."""

from __future__ import annotations

from datetime import timedelta

from moralbank import clock
from moralbank.access import jobs, queries, sessions
from moralbank.db import Database
from tests._people import make_login


def test_sessions_that_ended_long_ago_are_forgotten_and_live_ones_stay(database: Database) -> None:
    login = database.transact(make_login, "admin", None)
    now = clock.now()
    with clock.at(now - timedelta(days=jobs.KEPT_DAYS + 2)):
        database.transact(sessions.open_session, login.login_id, address="127.0.0.1", device="old")
    live = database.transact(sessions.open_session, login.login_id, address="127.0.0.1", device="new")
    assert jobs.purge_sessions(database) == 1
    assert jobs.purge_sessions(database) == 0
    with database.reading() as db:
        assert queries.find_signed_in(db, live) is not None
