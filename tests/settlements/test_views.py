"""The pages of settlements, as a shop, its station and an auditor use them."""

from __future__ import annotations

import re

import pytest

from moralbank import clock
from moralbank.settlements import queries, views
from moralbank.web import filters
from tests._people import form, make_login, sign_in
from tests.settlements.conftest import IN_NOVEMBER, settle


@pytest.fixture
def settled(database, october):
    [settlement] = settle(database, october, actor="system")
    return settlement


@pytest.fixture
def shop(app, october):
    client = app.test_client()
    sign_in(client, october.li)
    return client


def signed_in(app, database, role, branch, merchant_id=None):
    client = app.test_client()
    sign_in(client, database.transact(make_login, role, branch, merchant_id))
    return client


@pytest.fixture
def staff(app, database, october):
    return signed_in(app, database, "staff", october.tree["NS-00"])


def state_of(database, settlement):
    with database.reading() as db:
        return queries.get_settlement(db, settlement.settlement_id).state


def test_a_shop_asks_about_a_line_the_station_answers_the_shop_confirms_and_it_is_paid(
    app, database, october, settled, shop, staff
):
    with clock.at(IN_NOVEMBER):
        mine, theirs = f"/counter/settlements/{settled.settlement_id}", f"/staff/settlements/{settled.settlement_id}"
        assert settled.number in shop.get(mine).text
        assert "邻家便利店" in staff.get("/staff/settlements").text
        asked = form(shop, f"{mine}/disputes", {"number": 1, "reason": "香皂应补 4 元"})
        assert asked.status_code == 303
        assert "香皂应补 4 元" in staff.get(theirs).text
        early = form(shop, f"{mine}/confirmation", {})
        assert early.status_code == 409
        assert "还有 1 条疑问没有答复" in early.text
        with database.reading() as db:
            [dispute] = queries.list_disputes(db, settled.settlement_id)
        answer = f"/staff/disputes/{dispute.dispute_id}"
        for wrong, says in (({"answer": "corrected", "note": "是少了"}, "请填更正后的金额"),
                            ({"answer": "corrected", "note": "是少了", "owed_yuan": "3"}, "金额和原来一样"),
                            ({"answer": "explained"}, "请填写这一项")):  # fmt: skip
            refused = form(staff, answer, wrong)
            assert refused.status_code == 422
            assert says in refused.text
        done = form(staff, answer, {"answer": "corrected", "note": "是少了", "owed_yuan": "4"})
        assert done.status_code == 303
        assert "下一张结算单里+1.00 元" in shop.get(mine).text
        assert form(shop, f"{mine}/confirmation", {}).status_code == 303
        paid = form(staff, f"{theirs}/payment", {"reference": "B-2026-1", "paid_on": "2026-11-04"})
        assert paid.status_code == 303
        assert "B-2026-1" in shop.get(mine).text
        assert state_of(database, settled) == "paid"


def test_a_wrong_form_keeps_what_was_typed(staff, shop, settled):
    with clock.at(IN_NOVEMBER):
        mine = f"/counter/settlements/{settled.settlement_id}"
        empty = form(shop, f"{mine}/disputes", {"number": 2, "reason": "短"[:0]})
        assert empty.status_code == 422
        assert form(shop, f"{mine}/confirmation", {}).status_code == 303
        theirs = f"/staff/settlements/{settled.settlement_id}"
        later = form(staff, f"{theirs}/payment", {"reference": "B-9", "paid_on": "2026-12-24"})
        assert later.status_code == 422
        assert 'value="B-9"' in later.text


def test_files_hold_every_line_and_the_sum(staff, shop, settled):
    with clock.at(IN_NOVEMBER):
        csv = staff.get(f"/staff/settlements/{settled.settlement_id}.csv").text.splitlines()
        assert len(csv) == 1 + 6 + 1
        assert csv[-1].startswith(",,合计,,,90,8.00")
        assert shop.get(f"/counter/settlements/{settled.settlement_id}.csv").text.splitlines() == csv
        xlsx = shop.get(f"/counter/settlements/{settled.settlement_id}.xlsx")
        assert xlsx.data.startswith(b"PK")


def test_nobody_sees_another_shops_or_another_banks_settlement(app, database, october, settled):
    with clock.at(IN_NOVEMBER):
        stranger = signed_in(app, database, "staff", october.tree["XX-00"])
        assert stranger.get(f"/staff/settlements/{settled.settlement_id}").status_code == 403
        assert "邻家便利店" not in stranger.get("/staff/settlements").text
        resident = app.test_client()
        sign_in(resident, october.zhang_login)
        assert resident.get(f"/counter/settlements/{settled.settlement_id}").status_code == 403
        assert form(stranger, f"/staff/settlements/{settled.settlement_id}/payment", {}).status_code == 403


def test_an_auditor_reads_and_changes_nothing(app, database, october, settled):
    with clock.at(IN_NOVEMBER):
        auditor = signed_in(app, database, "auditor", october.tree["NS-00"])
        theirs = f"/staff/settlements/{settled.settlement_id}"
        assert "香皂一块" in auditor.get(theirs).text
        paid = form(auditor, f"{theirs}/payment", {"reference": "B-1", "paid_on": "2026-11-04"})
        assert paid.status_code == 403


def test_the_station_settles_by_hand_and_is_told_what_is_not_closed(staff, october):
    with clock.at(IN_NOVEMBER):
        told = form(staff, "/staff/settlements", {})
        assert told.status_code == 303
        assert "还没有日结完" in staff.get(told.location).text


def test_a_bank_sees_early_that_it_promised_more_than_it_holds(app, database, october, staff):
    hub = october.tree["NS-00"].branch_id
    with clock.at(IN_NOVEMBER):
        assert "未定参考成本" in staff.get("/staff/budget").text
        page = f"/staff/budget/{hub}"
        assert form(staff, f"{page}/cost", {"yuan_per_hundred": "十元"}).status_code == 422
        form(staff, f"{page}/cost", {"yuan_per_hundred": "10"})
        form(staff, f"{page}/pledges", {"donor": "街道社区基金", "yuan": "50", "pledged_on": "2026-11-01"})
        shown = staff.get(page).text
        assert "还差 41.00 元" in shown
        assert "街道社区基金" in shown
        assert "只够兑换 54%" in staff.get("/staff/budget").text


def test_a_long_settlement_comes_in_pages_whose_sums_are_of_all_lines(shop, staff, settled, monkeypatch):
    monkeypatch.setattr(views, "LINES", 4)
    with clock.at(IN_NOVEMBER):
        for reader, here in (
            (shop, f"/counter/settlements/{settled.settlement_id}"),
            (staff, f"/staff/settlements/{settled.settlement_id}"),
        ):
            first = reader.get(here).text
            [following] = re.findall(r'rel="next" href="([^"]+)"', first)
            second = reader.get(following).text
            assert [re.findall(r'<tr id="l(\d+)">', page) for page in (first, second)] == [list("1234"), list("56")]
            assert all('<td class="number">90</td><td class="number">8.00</td>' in page for page in (first, second))
            assert "第 5 到第 6 行，共 6 行" in second
            assert re.findall(r'rel="(prev|next)" href="([^"]+)"', second) == [("prev", here)]
            assert "没有这么多行" in reader.get(f"{here}?after=600").text
        mine = f"/counter/settlements/{settled.settlement_id}"
        refused = form(shop, f"{mine}/disputes", {"number": 6, "reason": ""})
        assert (refused.status_code, '<tr id="l6">' in refused.text) == (422, True), "the page of the line is shown"
        asked = form(shop, f"{mine}/disputes", {"number": 6, "reason": "没有卖过"})
        assert asked.location == f"{mine}?after=4"
        assert (
            f'href="/staff/settlements/{settled.settlement_id}?after=4#l6"'
            in staff.get(mine.replace("counter", "staff")).text
        )


def test_an_amount_has_thousands_and_always_two_places():
    assert [filters.yuan(fen) for fen in (0, 300, 123450, -5, -123456789)] == [
        "0.00", "3.00", "1,234.50", "−0.05", "−1,234,567.89",
    ]  # fmt: skip
