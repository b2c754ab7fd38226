"""The rules as people read them, and how an administrator changes one for the days to come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moralbank import clock, earning
from moralbank.db import Database
from tests._people import form, make_branch_tree, make_login, sign_in


@pytest.fixture
def rules(database: Database) -> None:
    database.transact(earning.load_rules, earning.packaged_rules(), actor="system", consultation="2026-01 议事会")


def test_anybody_may_read_what_earns_how_much(rules: None, client) -> None:
    page = client.get("/rules").get_data(as_text=True)
    assert "环境清洁与楼院美化" in page
    assert "每小时 10 分" in page


def test_english_readers_see_the_rules_in_english(rules: None, client) -> None:
    client.set_cookie("lang", "en")
    assert "Cleaning and courtyard care" in client.get("/rules").get_data(as_text=True)


def test_an_administrator_of_the_bank_adopts_a_version_for_the_days_to_come(rules: None, database, client) -> None:
    sign_in(client, database.transact(make_login, "admin", None))
    tomorrow = clock.today() + timedelta(days=1)
    fields = {"points": 12, "cap_value": 480, "effective_from": tomorrow.isoformat(), "consultation": "居民代表会议"}
    assert form(client, "/rules/V01", fields).status_code == 302
    with database.reading() as db:
        assert earning.get_rule(db, "V01", clock.today()).points == 10
        assert earning.get_rule(db, "V01", tomorrow).points == 12


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": -1},
        {"points": "ten"},
        {"consultation": ""},
        {"effective_from": "2026-01-01"},
        {"effective_from": ""},
        {"cap_value": 0},
    ],
)
def test_a_version_that_cannot_be_is_refused_and_what_was_typed_stays(rules: None, database, client, wrong) -> None:
    sign_in(client, database.transact(make_login, "admin", None))
    fields = {"points": 12, "cap_value": 480, "effective_from": clock.today().isoformat(), "consultation": "代表会议"}
    answer = form(client, "/rules/V01", fields | wrong)
    assert answer.status_code in (409, 422)
    assert 'value="V01"' not in answer.get_data(as_text=True)
    with database.reading() as db:
        assert max(rule.version for rule in earning.list_rules(db) if rule.code == "V01") == 1


def test_an_administrator_of_one_station_does_not_change_the_rules_of_all(rules: None, database, client) -> None:
    tree = database.transact(make_branch_tree)
    sign_in(client, database.transact(make_login, "admin", tree["NS-01"]))
    fields = {"points": 12, "effective_from": clock.today().isoformat(), "consultation": "代表会议"}
    assert form(client, "/rules/V01", fields).status_code == 403


def test_an_unknown_rule_is_not_there(rules: None, database, client) -> None:
    sign_in(client, database.transact(make_login, "admin", None))
    assert client.get("/rules/V99").status_code == 404
