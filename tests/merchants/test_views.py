"""The staff's pages of merchants and offers."""

from __future__ import annotations

import pytest

from moralbank.merchants import queries, service
from moralbank.merchants.service import MerchantDetails, OfferDetails
from tests._people import form, make_branch_tree, make_login, sign_in
from tests._worlds import world

SHOP = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")


@world
def tree(database):
    return database.transact(make_branch_tree)


@pytest.fixture
def staff(app, database, tree):
    client = app.test_client()
    sign_in(client, database.transact(make_login, "staff", tree["NS-01"]))
    return client


@pytest.fixture
def shop(database, tree):
    merchant = database.transact(service.add_merchant, tree["NS-01"], "M002", SHOP, status="active")
    database.transact(service.add_offer, merchant.merchant_id, "O002", OfferDetails("香皂一块", 30, 3, 2, 350))
    return merchant


def all_merchants(database):
    with database.reading() as db:
        return queries.list_merchants(db)


def test_a_merchant_is_registered_visited_and_opened(staff, database, tree) -> None:
    given = {
        "code": "M015", "branch_id": tree["NS-01"].branch_id, "name": "新店", "kind": "早餐",
        "contact": "郑秀兰", "phone": "13900000005", "settlement_mode": "donated",
    }  # fmt: skip
    shown = staff.get(form(staff, "/staff/merchants/new", given).location)
    assert "新店" in shown.text
    [merchant] = all_merchants(database)
    for status in ("visited", "active"):
        form(staff, f"/staff/merchants/{merchant.merchant_id}/status", {"status": status})
    assert all_merchants(database)[0].is_active
    again = form(staff, "/staff/merchants/new", given)
    assert again.status_code == 409
    assert "请换一个" in again.text
    assert 'value="新店"' in again.text


def test_a_form_that_is_wrong_keeps_what_was_typed_and_says_what_to_mend(staff, tree, database) -> None:
    given = {"code": "m 15", "branch_id": tree["NS-01"].branch_id, "name": "新店", "phone": "call me"}
    page = form(staff, "/staff/merchants/new", given)
    assert page.status_code == 422
    for said in ("编号用大写字母", "请填电话号码", "请填写这一项", 'value="新店"'):
        assert said in page.text
    assert all_merchants(database) == []


def test_particulars_are_changed(staff, shop, database) -> None:
    given = {
        "name": "邻家超市",
        "kind": "超市",
        "contact": "李玉兰",
        "phone": "0591-1234567",
        "settlement_mode": "donated",
    }
    form(staff, f"/staff/merchants/{shop.merchant_id}/edit", given)
    assert (all_merchants(database)[0].name, all_merchants(database)[0].phone) == ("邻家超市", "0591-1234567")


def test_an_offer_is_added_edited_taken_off_and_put_back(staff, shop, database) -> None:
    given = {
        "merchant_id": shop.merchant_id, "code": "O003", "title": "毛巾一条", "points": "40",
        "monthly_quota": "60", "per_resident_per_month": "2", "settlement_yuan": "5.5",
    }  # fmt: skip
    assert form(staff, "/staff/offers/new", given).status_code == 303
    with database.reading() as db:
        towel = queries.find_offer_by_code(db, shop.merchant_id, "O003")
    assert (towel.points, towel.settlement_fen) == (40, 550)
    path = f"/staff/offers/{towel.offer_id}"
    assert 'value="5.50"' in staff.get(path).text
    assert form(staff, path, {**given, "points": "35", "settlement_yuan": "6"}).status_code == 303
    form(staff, f"{path}/status", {"active": "0"})
    with database.reading() as db:
        changed = queries.get_offer(db, towel.offer_id)
    assert (changed.points, changed.settlement_fen, changed.status) == (35, 600, "suspended")
    form(staff, f"{path}/status", {"active": "1"})
    assert "毛巾一条" in staff.get("/staff/offers").text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("points", "-1", "请填 0 到 999999 的整数"),
        ("points", "many", "请填一个整数"),
        ("monthly_quota", "0", "请填 1 到 1000000 的整数"),
        ("settlement_yuan", "3.555", "请填金额"),
        ("settlement_yuan", "", "请填写这一项"),
        ("title", "", "请填写这一项"),
    ],
)
def test_an_offer_that_makes_no_sense_is_sent_back(staff, shop, field, value, said) -> None:
    given = {
        "merchant_id": shop.merchant_id, "code": "O003", "title": "毛巾一条", "points": "40",
        "monthly_quota": "60", "per_resident_per_month": "2", "settlement_yuan": "5", field: value,
    }  # fmt: skip
    page = form(staff, "/staff/offers/new", given)
    assert (page.status_code, said in page.text) == (422, True)


def test_staff_see_and_change_merchants_of_their_own_branches_only(staff, database, tree) -> None:
    elsewhere = database.transact(service.add_merchant, tree["NS-02"], "M003", SHOP)
    offer = database.transact(service.add_offer, elsewhere.merchant_id, "O1", OfferDetails("别处的", 1, 1, 1, 0))
    assert "M003" not in staff.get("/staff/merchants").text
    assert "别处的" not in staff.get("/staff/offers").text
    path = f"/staff/merchants/{elsewhere.merchant_id}"
    for seen in (path, f"{path}/edit", f"/staff/offers/{offer.offer_id}"):
        assert staff.get(seen).status_code == 403
    for changed in (f"{path}/status", f"{path}/edit", f"/staff/offers/{offer.offer_id}/status"):
        assert form(staff, changed, {"status": "visited"}).status_code == 403
    assert form(staff, "/staff/merchants/new", {"branch_id": tree["NS-02"].branch_id}).status_code in (403, 422)


def test_lists_are_filtered_by_the_address(staff, shop) -> None:
    assert "邻家便利店" in staff.get("/staff/merchants?q=便利&status=active").text
    assert "没有符合条件的商家" in staff.get("/staff/merchants?status=left").text
    assert "邻家便利店" in staff.get("/staff/merchants?status=nonsense").text
