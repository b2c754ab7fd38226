"""Each of thirteen patterns is found with what is behind it, and a year in which nobody does wrong stays quiet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moralbank import clock
from moralbank.reports import queries
from moralbank.reports.oddities import RULES, find_all
from moralbank.reports.oddity_views import facts_of
from tests._people import make_login, sign_in
from tests.activities.conftest import scene, settled
from tests.redemptions.conftest import make_street, pay
from tests.reports import _year
from tests.settlements.conftest import IN_OCTOBER, NOVEMBER, OCTOBER

__all__ = ["scene", "settled"]


@pytest.fixture(scope="module")
def quiet() -> int:
    """How many acts of a clean year are pointed at: at most one in a hundred."""
    facts = _year.clean(1).facts()
    pointed_at = sum(one.acts for one in find_all(facts))
    print(f"{pointed_at} of {len(facts):,} acts of the clean year, {100 * pointed_at / len(facts):.2f} %")
    assert pointed_at * 100 <= len(facts)
    return pointed_at


def test_every_rule_has_its_pattern_in_the_generated_year() -> None:
    assert list(_year.WRONGS) == list(RULES)


@pytest.mark.parametrize("name", _year.WRONGS)
def test_a_pattern_is_found_with_the_entries_behind_it(name: str, quiet: int) -> None:
    year = _year.clean(1)
    before = {entry for one in find_all(year.facts()) if one.rule == name for entry in one.entries}
    known = year.ids
    _year.WRONGS[name](year)
    facts = year.facts()
    found = [one for one in find_all(facts) if one.rule == name]
    behind = {entry for one in found for entry in one.entries} - before
    if name == "guess-run":
        assert any(one.about == ("operator", 99) and one.acts == 10 for one in found)
    else:
        assert behind
        assert min(entry.int for entry in behind) > known or name in ("refund-loop", "off-hours", "round-cash-out")
    assert sum(one.acts for one in find_all(facts)) <= quiet + 40


def test_an_auditor_reads_what_is_worth_a_look_and_where_its_entries_are(app, database) -> None:
    """Five charges in one second, and three of round points at night; everything else of the day is as ever."""
    with clock.at(IN_OCTOBER):
        street = database.transact(make_street)
        auditor = database.transact(make_login, "auditor", street.tree["NS-00"])
        staff = database.transact(make_login, "staff", street.tree["NS-00"])
        receipts = [pay(database, street, points=points) for points in (7, 8, 9, 11)]
    with clock.at(IN_OCTOBER + timedelta(days=1)):
        pay(database, street, points=5)
        with database.reading() as db:
            reach = queries.choose(queries.list_reaches(db, auditor.principal.paths("auditor")), None)
            [found] = find_all(facts_of(db, reach, OCTOBER, NOVEMBER))
        assert (found.rule, found.about, found.acts) == ("same-second", ("merchant", street.shop.merchant_id), 4)
        assert set(found.entries) == {receipt.entry_id for receipt in receipts}
        client = app.test_client()
        sign_in(client, auditor)
        page = client.get("/audit/look?month=2026-10").text
        assert "同一秒收了好几笔" in page
        assert str(receipts[0].entry_id) in page
        assert "它不是结论" in page
        assert "张" not in page.split("<main")[1].split("</main")[0]
        assert "这个月没有要看的" in client.get("/audit/look?month=2026-09").text
        other = app.test_client()
        sign_in(other, staff)
        assert other.get("/audit/look").status_code == 403


def test_scans_and_awards_are_read_with_what_the_rules_ask(scene) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    scene.sign(session, "wei")
    today = session.starts_at.date()
    with scene.database.reading() as db:
        for reach in queries.list_reaches(db, ["/"]):
            facts = facts_of(db, reach, today.replace(day=1), today + timedelta(days=9))
            if facts.awards:
                break
        [award] = facts.awards
    assert (award.session_id, award.resident_id) == (session.session_id, scene.people["wei"].resident_id)
    assert (award.grade, award.is_own) == ("A", False)
    assert [(one.session_id, one.is_poster, one.is_manual) for one in facts.scans] == [
        (session.session_id, False, False)
    ]
    assert find_all(facts) == []
