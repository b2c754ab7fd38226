"""The counter and the resident's phone as plain pages: every act works as a form, without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from moralbank import clock, ids
from moralbank.merchants import service as merchants
from moralbank.redemptions import queries, service
from moralbank.redemptions.orders import Till
from tests._people import PIN, form, sign_in
from tests.redemptions.conftest import by_code, show_code

CODE = re.compile(r'class="code-digits">([\d ]+)<')


@pytest.fixture
def counter(app, street):
    """Li Yulan's till."""
    client = app.test_client()
    sign_in(client, street.li)
    return client


@pytest.fixture
def phone(app, street):
    """Zhang Jiansan's phone."""
    client = app.test_client()
    sign_in(client, street.zhang_login)
    return client


def press(counter, street, **fields):
    """Send the counter's form and follow to the page that answers."""
    given = {"key": ids.token(16), "merchant": street.shop.merchant_id, **fields}
    answer = form(counter, "/counter/charges", given)
    return counter.get(answer.location) if answer.status_code == 303 else answer


def code_on(phone) -> str:
    found = CODE.search(form(phone, "/me/code").text)
    assert found is not None
    return found[1].replace(" ", "")


def test_a_code_shown_on_the_phone_pays_at_the_counter(counter, phone, street, balance) -> None:
    page = press(counter, street, offer_id=street.soap.offer_id, code=code_on(phone))
    assert page.status_code == 200
    assert "收到" in page.text
    assert "张*三" in page.text
    assert "张建三" not in page.text
    assert "970" not in page.text
    assert balance(street.zhang) == 970


def test_the_code_is_in_the_page_only_after_its_button_was_pressed(phone, database) -> None:
    before = phone.get("/me/code")
    assert CODE.search(before.text) is None
    assert "<svg viewBox" not in before.text.split("</header>")[1].split("notice")[0]
    with database.reading() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM redemptions_codes").scalar_one() == 0
    shown = form(phone, "/me/code")
    assert len(CODE.search(shown.text)[1].replace(" ", "")) == 18
    assert shown.headers["Cache-Control"] == "no-store"
    assert 'http-equiv="refresh" content="60' in shown.text


def test_the_phone_says_when_its_code_was_paid_with(counter, phone, street) -> None:
    shown = form(phone, "/me/code").text
    poll = re.search(r'data-poll="([^"]+)"', shown)[1].replace("&amp;", "&")
    assert phone.get(poll).status_code == 204
    press(counter, street, points="20", code=CODE.search(shown)[1])
    paid = phone.get(poll)
    assert "付了 20 分" in paid.text
    assert "邻家便利店" in paid.text


@pytest.mark.parametrize("since", ["", "yesterday", "2026-01-01T00:00:00", "2020-01-01T00:00:00+00:00"])
def test_the_phone_is_told_nothing_about_other_times(phone, since) -> None:
    assert phone.get("/me/code/paid", query_string={"since": since}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"points": "20"}, 422, "请扫储户手机上的付款码"),
        ({"code": "CODE"}, 422, "请先选一个项目"),
        ({"points": "CARD", "code": "CODE"}, 422, "这是居民卡号，不是积分"),
        ({"points": "134567890123456789"}, 422, "这是微信付款码，不是积分"),
        ({"points": "20", "code": "20"}, 422, "这一栏扫付款码"),
        ({"points": "20", "code": "284567890123456789"}, 422, "这是支付宝付款码"),
        ({"points": "20", "code": "CARD"}, 422, "要储户自己输 6 位密码"),
        ({"points": "20", "code": "CARD", "pin": "12345"}, 422, "要储户自己输 6 位密码"),
        ({"points": "20", "code": "CARD", "pin": "147258"}, 409, "密码不对，没有扣分"),
        ({"points": "20", "code": "715555555555555512"}, 422, "再扫一次"),
        ({"points": "301", "code": "CODE"}, 409, "每人每天最多用 300 分"),
        ({"points": "20", "code": "'; DROP TABLE redemptions_codes"}, 422, "再扫一次"),
        ({"points": "20", "code": "CODE", "offer_id": "SOAP"}, 422, "选了项目就不用再填积分"),
        ({"points": "20", "code": "CODE", "offer_id": "999999"}, 404, "没有找到这个兑换项目"),
        ({"points": "20", "code": "CODE", "key": ""}, 422, "这一页打开太久了"),
    ],
)
def test_what_goes_wrong_is_said_in_words_and_charges_nothing(
    counter, street, database, balance, fields, status, said
) -> None:
    known = {
        "CODE": database.transact(show_code, street.zhang),
        "CARD": street.zhang_card,
        "SOAP": street.soap.offer_id,
    }
    if fields.get("offer_id") == "999999":
        fields = {**fields, "points": None}
    page = press(counter, street, **{name: known.get(value, value) for name, value in fields.items()})
    assert (page.status_code, said in page.text) == (status, True)
    assert balance(street.zhang) == 1000


def test_a_card_pays_with_the_pin_that_its_resident_types(counter, street, balance) -> None:
    page = press(counter, street, points="20", code=street.zhang_card, pin=PIN)
    assert "收到" in page.text
    assert balance(street.zhang) == 980


def test_a_card_is_locked_after_five_wrong_pins(counter, street, balance) -> None:
    for pin in ("111222", "111223", "111224", "111225", "111226"):
        assert press(counter, street, points="20", code=street.zhang_card, pin=pin).status_code == 409
    locked = press(counter, street, points="20", code=street.zhang_card, pin=PIN)
    assert locked.status_code == 429
    assert "试错次数太多" in locked.text
    assert balance(street.zhang) == 1000


def test_a_wrong_pin_sent_twice_with_one_key_counts_once(counter, street) -> None:
    for _ in range(6):
        again = press(counter, street, points="20", code=street.zhang_card, pin="111222", key="a-lost-answer")
        assert again.status_code == 409
    assert press(counter, street, points="20", code=street.zhang_card, pin=PIN).status_code == 200


def test_the_form_sent_twice_is_one_charge_and_shows_the_same_receipt(counter, street, database, balance) -> None:
    fields = {"points": "20", "code": database.transact(show_code, street.zhang), "key": "double-enter"}
    first, second = (press(counter, street, **fields) for _ in range(2))
    number = re.compile(r"单号 ([\d-]+)")
    assert number.search(first.text)[1] == number.search(second.text)[1]
    assert balance(street.zhang) == 980


def test_a_repetition_within_a_minute_is_asked_about_and_then_done(counter, street, database, balance) -> None:
    press(counter, street, points="20", code=database.transact(show_code, street.zhang))
    code = database.transact(show_code, street.zhang)
    asked = press(counter, street, points="20", code=code)
    assert asked.status_code == 409
    assert "再收一笔吗" in asked.text
    assert f'name="code" value="{code}"' in asked.text
    press(counter, street, points="20", code=code, confirmed="1")
    assert balance(street.zhang) == 960


def undo_path(page) -> str:
    return re.search(r'action="(/counter/charges/\d+/undo)"', page.text)[1]


def test_the_operator_undoes_at_the_till_and_only_there(app, counter, street, database, balance) -> None:
    page = press(counter, street, points="20", code=database.transact(show_code, street.zhang))
    path = undo_path(page)
    other_device = app.test_client()
    sign_in(other_device, street.li)
    assert form(other_device, path, {"merchant": street.shop.merchant_id}).status_code == 409
    colleague = app.test_client()
    sign_in(colleague, street.wang)
    assert form(colleague, path).status_code == 409
    assert balance(street.zhang) == 980
    undone = counter.get(form(counter, path).location)
    assert "已撤销" in undone.text
    assert balance(street.zhang) == 1000
    assert form(counter, path).status_code == 303
    assert balance(street.zhang) == 1000


def test_after_two_minutes_the_till_no_longer_offers_to_undo(counter, street, database) -> None:
    page = press(counter, street, points="20", code=database.transact(show_code, street.zhang))
    path = undo_path(page)
    with clock.at(clock.now() + timedelta(seconds=121)):
        charge_id = path.split("/")[3]
        assert "undo" not in counter.get(f"/counter?done={charge_id}").text
        late = form(counter, path)
    assert late.status_code == 409
    assert "点“退分”" in late.text


def test_a_lost_answer_is_told_when_it_is_asked_for(counter, street, database) -> None:
    assert counter.get("/counter/outcome?key=never-heard-of").status_code == 404
    press(counter, street, points="20", code=database.transact(show_code, street.zhang), key="lost-answer")
    told = counter.get("/counter/outcome?key=lost-answer")
    assert told.status_code == 200
    assert "收到" in told.text


def test_a_key_that_never_came_is_closed_and_cannot_come_late(counter, street, database, balance) -> None:
    told = form(counter, "/counter/outcome", {"key": "lost-on-the-way"})
    assert told.status_code == 200
    assert "没有扣分" in told.text
    late = press(counter, street, points="20", code=database.transact(show_code, street.zhang), key="lost-on-the-way")
    assert late.status_code == 409
    assert balance(street.zhang) == 1000


def test_another_operators_key_tells_nothing(app, counter, street, database) -> None:
    press(counter, street, points="20", code=database.transact(show_code, street.zhang), key="lis-own-key")
    colleague = app.test_client()
    sign_in(colleague, street.wang)
    assert colleague.get("/counter/outcome?key=lis-own-key").status_code == 404


def test_the_days_list_adds_up(counter, street, database) -> None:
    press(counter, street, points="20", code=database.transact(show_code, street.zhang))
    undone = press(counter, street, points="30", code=database.transact(show_code, street.zhang))
    form(counter, undo_path(undone))
    page = counter.get("/counter/day")
    assert "1 笔，共 20 分" in page.text
    assert "1 笔，共 30 分" in page.text
    assert "这一天还没有收过" in counter.get("/counter/day?on=2020-01-01").text
    for day in ("nonsense", "0001-01-01", "9999-12-31"):
        assert counter.get(f"/counter/day?on={day}").status_code == 200, day


def test_a_receipt_is_printed_by_the_merchant_that_charged(app, counter, street, database) -> None:
    press(counter, street, points="20", code=database.transact(show_code, street.zhang))
    with database.reading() as db:
        [receipt] = queries.list_receipts(db, [street.shop.merchant_id], clock.today())
    slip = counter.get(f"/counter/receipts/{receipt.charge_id}")
    assert receipt.number in slip.text
    assert "张*三" in slip.text
    assert counter.get("/counter/receipts/999999").status_code == 404


def test_an_operator_works_at_no_other_merchants_till(counter, street, database) -> None:
    details = merchants.MerchantDetails("丰年粮油", "粮油", "周国庆", "13900000003", "donated")
    other = database.transact(merchants.add_merchant, street.tree["NS-02"], "M003", details, status="active")
    assert counter.get(f"/counter?merchant={other.merchant_id}").status_code == 403
    code = database.transact(show_code, street.zhang)
    fields = {"key": ids.token(16), "merchant": other.merchant_id, "points": "20", "code": code}
    assert form(counter, "/counter/charges", fields).status_code == 403
    till = Till(other.merchant_id, street.li.login_id, "elsewhere")
    receipt = database.transact(service.charge, till, by_code(code, points=20), "their-key")
    assert counter.get(f"/counter/receipts/{receipt.charge_id}").status_code == 404
    assert counter.get(f"/counter?done={receipt.charge_id}").status_code == 404


def test_what_is_gone_this_month_is_never_promised(phone, street, database) -> None:
    page = phone.get("/me/offers").text
    assert "本月还剩 3 份" in page
    for n in range(2):
        order = by_code(database.transact(show_code, street.zhang), offer=street.soap, again=True)
        database.transact(service.charge, street.till, order, f"soap-{n}")
    page = phone.get("/me/offers").text
    assert "您这个月已换满 2 次" in page
    database.transact(merchants.take_offers, [street.soap], clock.today())
    assert "这个月已换完" in phone.get("/me/offers").text
    database.transact(merchants.move_merchant, street.shop.merchant_id, "suspended")
    assert "香皂" not in phone.get("/me/offers").text


def test_the_counter_offers_no_choice_that_is_gone(counter, street, database) -> None:
    for _ in range(3):
        database.transact(merchants.take_offers, [street.soap], clock.today())
    page = counter.get("/counter").text
    assert re.search(rf'value="{street.soap.offer_id}" disabled', page)
    assert "本月已换完" in page


def test_home_shows_what_there_is_and_the_last_lines(phone, counter, street, database) -> None:
    press(counter, street, offer_id=street.soap.offer_id, code=database.transact(show_code, street.zhang))
    page = phone.get("/me").text
    assert "970" in page
    assert "香皂一块" in page
    assert "邻家便利店" in page


@pytest.mark.parametrize(("who", "where"), [("li", "/counter"), ("zhang_login", "/me"), (None, "/login")])
def test_the_first_page_leads_everybody_to_where_they_begin(app, street, who, where) -> None:
    client = app.test_client()
    if who:
        sign_in(client, getattr(street, who))
    assert client.get("/").location == where
