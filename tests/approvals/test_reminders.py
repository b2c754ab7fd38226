"""Thirty-six months after an award: the resident was told on the first page, three times, before anything went."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from flask import Flask

from moralbank import clock
from moralbank.db import Database
from moralbank.ledger import jobs
from tests._people import make_login, sign_in
from tests._worlds import world
from tests.approvals.conftest import Desk, make_desk

BEGAN = datetime(2026, 3, 10, 10, tzinfo=clock.TIMEZONE)
GONE_ON = date(2029, 3, 10)
MIDNIGHT = datetime(2029, 3, 10, tzinfo=clock.TIMEZONE)


@world
def begun(database: Database) -> Desk:
    with clock.at(BEGAN):
        desk = database.transact(make_desk, database)
        desk.now = clock.now()
        desk.award(25)
    return replace(desk, database=None)


@pytest.fixture
def desk(database: Database, begun: Desk) -> Desk:
    return replace(begun, database=database)


def home(app: Flask, desk: Desk, at: datetime) -> str:
    with clock.at(at):
        client = app.test_client()
        sign_in(client, desk.database.transact(resident_login, desk))
        return client.get("/me").text


def resident_login(db, desk: Desk):
    from moralbank.access import queries

    found = queries.find_resident_login(db, desk.zhang.resident_id)
    if found is not None:
        return found.login_id
    return make_login(db, "resident", desk.tree["NS-01"], resident_id=desk.zhang.resident_id)


def test_they_are_told_60_30_and_7_days_before_and_then_the_points_are_gone(app: Flask, desk: Desk) -> None:
    said = {}
    for days in (61, 60, 30, 7, 0):
        at = MIDNIGHT - timedelta(days=days) + timedelta(hours=9)
        with clock.at(at):
            jobs.expire_points(desk.database)
        page = home(app, desk, at)
        said[days] = "提醒您：25 分" in page
        if days:
            assert "25 分将于2029年3月10日" in page.replace(" ", "") or "3月10日" in page
    assert said == {61: False, 60: True, 30: True, 7: True, 0: False}
    assert desk.lines == [("award", 25), ("expiry", -25)]
