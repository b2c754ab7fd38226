"""A charity day: many stalls, hands with a login for one stall and one day, a slip each, a screen without names."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from moralbank import clock
from moralbank.access import queries as access
from moralbank.fairs import jobs, queries
from moralbank.merchants import service as merchants
from moralbank.merchants.queries import Merchant
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.redemptions import codes, numbers
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.orders import Order, Till
from tests._people import make_login, sign_in
from tests.activities.conftest import Scene, time_of
from tests.activities.test_pages import Browser

FORM = {
    "title": "邻里节", "place": "中心广场", "rule_code": "V01", "on": "2026-11-21", "starts": "09:00", "ends": "11:30",
    "names": "理发\n量血压\n\n  磨剪刀  ",
}  # fmt: skip


@pytest.fixture
def shop(scene: Scene) -> Merchant:
    details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")
    return scene.do(merchants.add_merchant, scene.branches["NS-01"], "M001", details, status="active")


@pytest.fixture
def staff(app: Flask, scene: Scene) -> Any:
    app.test_client_class = Browser
    return app.test_client()


def come(client: Any, scene: Scene, branch: str = "NS-01") -> None:
    sign_in(client, scene.do(make_login, "staff", scene.branches[branch]))


def announce(staff: Any, scene: Scene, shop: Merchant, **changes: Any) -> Any:
    with clock.at(time_of("8:00")):
        come(staff, scene)
        form = {**FORM, "branch_id": scene.branches["NS-01"].branch_id, "merchant_ids": shop.merchant_id, **changes}
        return staff.post("/staff/fairs/new", data=form)


def handed(page: str) -> tuple[str, str]:
    """Return the login and the PIN that a page shows once."""
    name = re.search(r'<dd class="mono">(tan[^<]+)</dd>', page)
    secret = re.search(r'<dd class="mono huge">(\d{6})</dd>', page)
    assert name
    assert secret
    return name[1], secret[1]


def enter(app: Flask, name: str, secret: str) -> Any:
    client = app.test_client()
    client.post("/login", data={"identifier": name, "secret": secret})
    return client


def test_hands_of_the_day_open_their_stall_alone_and_nothing_once_the_fair_is_over(
    app: Flask, staff: Any, scene: Scene, shop: Merchant
) -> None:
    assert announce(staff, scene, shop).headers["Location"] == "/staff/fairs/1"
    with clock.at(time_of("8:50")):
        come(staff, scene)
        assert all(word in staff.get("/staff/fairs/1").text for word in ("1 · 理发", "3 · 磨剪刀", "4 · 邻家便利店"))
        page = staff.post("/staff/stalls/1/hand-over").text
        name, secret = handed(page)
        assert secret not in staff.get("/staff/fairs/1").text
        hands = enter(app, name, secret)
        till = enter(app, *handed(staff.post("/staff/stalls/4/hand-over").text))
    with clock.at(time_of("9:05")):
        assert hands.get("/").headers["Location"] == "/stall"
        told = hands.post("/stall", data={"code": scene.people["wei"].number, "typed": "hand"}).text
        assert "签到成功" in told
        assert "陈*" in told
        assert "陈薇" not in told + hands.get("/stall").text
        for path in ("/staff/activities", "/staff/fairs/1", "/staff/desk/1", "/me", "/counter", "/sessions", "/audit"):
            assert hands.get(path).status_code == 403
        assert till.get("/counter").status_code == 200
        assert till.get("/stall").status_code == 403
        assert app.test_client().get("/stall", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
        come(staff, scene)
        again = enter(app, *handed(staff.post("/staff/stalls/1/hand-over").text))
        assert again.get("/stall").status_code == 200
        assert staff.post("/staff/stalls/1/take-back").status_code == 303
        assert hands.get("/stall").status_code == again.get("/stall").status_code == 401
        late = handed(staff.post("/staff/stalls/2/hand-over").text)
    with clock.at(time_of("12:31")):
        assert enter(app, *late).get("/stall").status_code == 403
        assert jobs.end_passes(scene.database) == 2
        assert jobs.end_passes(scene.database) == 0
        assert till.get("/counter").headers["Location"].startswith("/login")
        come(staff, scene)
        assert staff.post("/staff/stalls/1/hand-over").status_code == 409
        assert staff.post("/staff/fairs/1/close").status_code == 303


def test_a_stall_is_confirmed_at_once_and_its_slip_says_who_was_credited_what(
    staff: Any, scene: Scene, shop: Merchant
) -> None:
    announce(staff, scene, shop)
    stall = scene.look(queries.get_stall, 2)
    for who in ("wei", "lan"):
        with clock.at(time_of("9:00")):
            come(staff, scene)
            staff.post(f"/staff/desk/{stall.session_id}", data={"code": scene.people[who].number})
    with clock.at(time_of("12:31")):
        come(staff, scene)
        assert "还没有签字" in staff.get("/staff/stalls/2/slip").text
        path = f"/staff/sessions/{stall.session_id}/sign-off"
        assert staff.get(path).text.count(" checked") == 0
        page = staff.get(f"{path}?all=1").text
        assert page.count(" checked") == 2
        present = [scene.people[who].resident_id for who in ("wei", "lan")]
        signed = staff.post(path, data={"present": present, "head_count": 2, f"minutes_{present[0]}": 120})
        assert signed.status_code == 303
        slip = staff.get("/staff/stalls/2/slip").text
    assert all(word in slip for word in ("2 · 量血压", "陈*", "欧*" if "欧*" in slip else "欧阳*", "+20", "+25"))
    assert "陈薇" not in slip


def test_the_screen_shows_what_the_day_has_come_to_and_nobodys_name(staff: Any, scene: Scene, shop: Merchant) -> None:
    announce(staff, scene, shop, names="\n".join(f"摊位{n}" for n in range(1, 21)))
    offer = scene.do(merchants.add_offer, shop.merchant_id, "O1", OfferDetails("香皂一块", 0, 60, 5, 300))
    with clock.at(time_of("9:00")):
        come(staff, scene)
        for session_id, who in ((1, "wei"), (1, "lan"), (2, "bo")):
            staff.post(f"/staff/desk/{session_id}", data={"code": scene.people[who].number})
        name, _pin = handed(staff.post("/staff/stalls/21/hand-over").text)
        table = scene.look(access.find_login, name)
        at_home = scene.do(make_login, "operator", shop.branch_id, shop.merchant_id)
        for number, login_id in enumerate((table.login_id, at_home.login_id)):
            code = scene.do(codes.issue_code, scene.people["bo"].resident_id).number
            till = Till(shop.merchant_id, login_id, "t")
            order = Order(offer.offer_id, None, numbers.Means.CODE, code, is_confirmed=True)
            scene.do(redemptions.charge, till, order, f"a key of it {number}")
    with clock.at(time_of("10:00")):
        fair = scene.look(queries.get_fair, 1)
        totals = scene.look(queries.totals, fair)
        assert (totals.people, totals.minutes, totals.points) == (3, 180, 0)
        # Of the two charges the shop made one at home that day, which is none of the fair's.
        assert totals.stalls[20].people == 1
        pages = []
        for turn in range(3):
            with clock.at(time_of("10:00") + timedelta(seconds=10 * turn)):
                pages.append(staff.get("/display/fairs/1/totals"))
        assert sorted(re.findall(r"(\d)/3", "".join(page.text for page in pages))) == ["1", "2", "3"]
        for page in pages:
            assert len(page.data) < 4_000
            assert not any(person.masked_name in page.text for person in scene.people.values())
        slip = staff.get("/staff/stalls/21/slip").text
        assert "香皂一块" in slip
        assert "1 笔" in slip


def test_a_hand_at_a_table_charges_and_undoes_their_own_there_and_does_nothing_else_of_the_shops(
    app: Flask, staff: Any, scene: Scene, shop: Merchant
) -> None:
    announce(staff, scene, shop)
    offer = scene.do(merchants.add_offer, shop.merchant_id, "O1", OfferDetails("香皂一块", 0, 60, 5, 300))
    with clock.at(time_of("7:30")):
        come(staff, scene)
        hand = enter(app, *handed(staff.post("/staff/stalls/4/hand-over").text))
        early = hand.get("/counter")
        assert (early.status_code, "可能还没到时间" in early.text) == (403, True)
    with clock.at(time_of("9:05")):
        others = Till(
            shop.merchant_id, scene.do(make_login, "operator", shop.branch_id, shop.merchant_id).login_id, "t"
        )
        code = scene.do(codes.issue_code, scene.people["lan"].resident_id).number
        other = scene.do(
            redemptions.charge, others, Order(offer.offer_id, None, numbers.Means.CODE, code), "the shop's"
        )
        page = hand.get("/counter").text
        assert "今天 0 笔" in page
        assert "/counter/day" not in page
        code = scene.do(codes.issue_code, scene.people["bo"].resident_id).number
        form = {"key": "the-key-of-the-hand", "offer_id": offer.offer_id, "points": "", "code": code, "typed": ""}
        done = hand.post("/counter/charges", data=form)
        assert done.status_code == 303
        shown = hand.get(done.location).text
        assert "今天 1 笔" in shown
        mine = int(re.search(r"done=(\d+)", done.location)[1])
        assert hand.get(f"/counter/receipts/{mine}").status_code == 200
        assert "/refund" not in hand.get(f"/counter/receipts/{mine}").text
        for path in (f"/counter?done={other.charge_id}", f"/counter/receipts/{other.charge_id}"):
            assert hand.get(path).status_code == 404
        assert hand.post(f"/counter/charges/{other.charge_id}/undo").status_code == 409
        closed = [
            rule.rule.replace("<int:charge_id>", str(mine))
            for rule in app.url_map.iter_rules()
            if "GET" in rule.methods and rule.rule.startswith("/counter/") and rule.rule.count("<int:") <= (
                "<int:charge_id>" in rule.rule
            )
        ]  # fmt: skip
        answers = {path: hand.get(path) for path in closed}
        open_ones = sorted(path for path, answer in answers.items() if answer.status_code != 403)
        assert open_ones == ["/counter/outcome", f"/counter/receipts/{mine}"]
        assert "临时账号只能在摊位收积分" in answers["/counter/day"].text
        assert hand.post(f"/counter/receipts/{mine}/refund", data={}).status_code == 403
        assert 'value="charges:write"' not in hand.get("/tokens").text
        assert hand.post(f"/counter/charges/{mine}/undo").status_code == 303
        assert "已撤销" in hand.get(f"/counter?done={mine}").text
        come(staff, scene)
        assert staff.post("/staff/fairs/1/close").status_code == 303


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"names": "", "merchant_ids": None}, "至少写一个摊位"),
        ({"names": "\n".join(map(str, range(61)))}, "最多 60 个摊位"),
        ({"ends": "09:00"}, "结束要晚于开始"),
        ({"merchant_ids": 999}, "爱心商家里选"),
        ({"rule_code": "Z99"}, "从规则表里选"),
    ],
)
def test_a_fair_that_makes_no_sense_is_refused_in_words_and_opens_nothing(
    staff: Any, scene: Scene, shop: Merchant, wrong: dict[str, Any], words: str
) -> None:
    if scene.database.is_sqlite:  # The words are the same on both.
        wrong = {name: value for name, value in wrong.items() if value is not None} | (
            {"merchant_ids": []} if wrong.get("merchant_ids", 0) is None else {}
        )
        answer = announce(staff, scene, shop, **wrong)
        assert answer.status_code == 422
        assert words in answer.text
        assert scene.look(queries.list_fairs, [scene.branches["NS-01"].branch_id]) == []


def test_the_table_of_a_shop_of_another_station_is_not_ours_to_hand_over(
    staff: Any, scene: Scene, shop: Merchant
) -> None:
    details = MerchantDetails("隔壁驿站的店", "便利店", "王", "13900000003", "subsidised")
    far = scene.do(merchants.add_merchant, scene.branches["NS-02"], "M002", details, status="active")
    refused = announce(staff, scene, shop, merchant_ids=far.merchant_id)
    assert refused.status_code == 422
    assert "爱心商家里选" in refused.text
    with clock.at(time_of("8:50")):
        come(staff, scene, "NS-00")
        form = {**FORM, "branch_id": scene.branches["NS-01"].branch_id, "merchant_ids": far.merchant_id}
        assert staff.post("/staff/fairs/new", data=form).status_code == 303
        come(staff, scene)
        assert staff.post("/staff/stalls/4/hand-over").status_code == 403
        come(staff, scene, "NS-00")
        handed(staff.post("/staff/stalls/4/hand-over").text)
