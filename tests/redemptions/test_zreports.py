"""Closing a shop's day: counted once, frozen, the same again on a second press, and all of them together add up."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock, ids
from moralbank.merchants.supervisors import name_supervisor
from moralbank.redemptions import service, zreports
from tests._people import form, sign_in
from tests._worlds import world
from tests.redemptions.conftest import make_street, pay
from tests.redemptions.test_refunds import NEXT_DAY, NOON, give
from tests.settlements.test_service import on_account

EVENING = NOON + timedelta(hours=6)


@world
def shop(database):
    """Li sold soap and a towel, which she took back; Wang sold for typed points. Of the soap, 10 points went back."""
    with clock.at(NOON):
        street = database.transact(make_street)
        database.transact(name_supervisor, street.shop.merchant_id, street.li.login_id)
        soap = pay(database, street, offer=street.soap)
        undone = pay(database, street, offer=street.towel)
        database.transact(service.undo, street.till, undone.charge_id)
        pay(database, street, points=7, till=street.other_till)
        pay(database, street, offer=street.umbrella, till=street.other_till)
    give(database, street, soap, 10)
    return street


def close(database, shop, at=EVENING):
    with clock.at(at):
        return database.transact(zreports.close_day, shop.shop.merchant_id, actor=shop.till.actor)


def test_a_closed_day_tells_what_was_charged_undone_and_given_back_and_by_whom(database, shop) -> None:
    closed = close(database, shop)
    told = closed.told
    assert told["total"] == {
        "charged": 4, "charged_points": 77, "undone": 1, "undone_points": 40, "refunded": 1, "refunded_points": 10,
        "net_points": 27,
    }  # fmt: skip
    assert [(one["login"], one["charged"], one["net_points"]) for one in told["cashiers"]] == [
        (shop.li.login_id, 2, 20),
        (shop.wang.login_id, 2, 7),
    ]
    assert sum(one["net_points"] for one in told["tills"]) == 37
    assert told["unsettled_points"] == on_account(database, shop) == 27
    assert (closed.number, told["before"], told["day"]) == (1, "", "2026-10-14")
    assert hashlib.sha256(closed.document.encode()).hexdigest() == closed.sha256


def test_a_second_press_gives_the_same_and_what_comes_after_is_in_the_next(database, shop) -> None:
    first = close(database, shop)
    with clock.at(EVENING + timedelta(minutes=1)):
        late = pay(database, shop, points=9)
    assert close(database, shop, EVENING + timedelta(minutes=2)) == first
    give(database, shop, late, 9, at=EVENING + timedelta(minutes=5))
    second = close(database, shop, NEXT_DAY)
    assert (second.number, second.since_at, second.told["before"]) == (2, first.closed_at, first.sha256)
    assert second.told["total"]["charged_points"] == second.told["total"]["refunded_points"] == 9
    assert sum(one.told["total"]["net_points"] for one in (first, second)) == on_account(database, shop)
    assert close(database, shop, NEXT_DAY + timedelta(days=1)).told["total"]["charged"] == 0


def test_what_is_undone_after_the_close_is_in_the_next(database, shop) -> None:
    with clock.at(EVENING):
        last = pay(database, shop, points=5)
    close(database, shop)
    with clock.at(EVENING + timedelta(seconds=30)):
        database.transact(service.undo, shop.till, last.charge_id)
    total = close(database, shop, NEXT_DAY).told["total"]
    assert (total["charged"], total["undone"], total["net_points"]) == (0, 1, -5)


def test_a_closed_day_stands_in_the_database_and_shows_when_it_does_not(database, shop) -> None:
    closed = close(database, shop)
    for act in ("UPDATE redemptions_zreports SET document = '{}'", "DELETE FROM redemptions_zreports"):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, act=act: db.execute(sa.text(act)))
    assert closed.is_intact
    forged = closed.document.replace('"charged":4', '"charged":3')
    assert not zreports.ZReport(1, 1, 1, closed.day_on, NOON, NOON, forged, closed.sha256).is_intact


def test_the_till_closes_its_day_and_the_station_can_check_it(app, database, shop) -> None:
    till, key = app.test_client(), ids.token(8)
    sign_in(till, shop.li)
    with clock.at(EVENING):
        assert "还没有日结过" in till.get("/counter/zreports").text
        done = form(till, "/counter/zreports", {"key": key})
        assert form(till, "/counter/zreports", {"key": key}).location == done.location
        page = till.get(done.location).text
        assert "内容和日结时一样" in page
        octets = till.get(f"{done.location}.json")
        assert hashlib.sha256(octets.data).hexdigest() in page
        assert json.loads(octets.data)["total"]["net_points"] == 27
        assert "今天已经日结" in till.get("/counter/zreports").text
