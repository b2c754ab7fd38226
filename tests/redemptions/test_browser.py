"""The counter and the phone in a real browser: keyboard, scanner, lost answers, and a code that goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from werkzeug.serving import make_server

from moralbank import clock
from moralbank.redemptions import queries
from tests._browser import PATIENCE
from tests._people import PIN, sign_in
from tests._scanner import type_as_scanner
from tests.redemptions.conftest import show_code

COUNTER = {"width": 1024, "height": 600}
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def browser(chromium):
    return chromium


@pytest.fixture
def url(app) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def open_page(browser, app, url, login, path, size):
    client = app.test_client()
    sign_in(client, login)
    name = app.config["SESSION_COOKIE_NAME"]
    context = browser.new_context(viewport=size, locale="zh-CN", base_url=url)
    context.add_cookies([{"name": name, "value": client.get_cookie(name).value, "url": url}])
    context.add_init_script(PATIENCE)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(path)
    return page


@pytest.fixture
def till(browser, app, url, street):
    page = open_page(browser, app, url, street.li, "/counter", COUNTER)
    yield page
    page.context.close()


@pytest.fixture
def scan(till, database, street):
    """scan(): the resident shows a fresh code and the scanner types it, with the Enter that most are set to."""

    def type_code(number: str = "") -> str:
        number = number or database.transact(show_code, street.zhang)
        type_as_scanner(till, number, enter=True)
        return number

    return type_code


def totals(database, street):
    with database.reading() as db:
        return queries.day_totals(db, [street.shop.merchant_id], clock.today())


def type_points(till, points: str) -> None:
    till.keyboard.press("+")
    till.keyboard.type(points)
    till.keyboard.press("Enter")


def test_an_offer_is_charged_and_undone_by_keys_alone(till, scan, database, street, balance) -> None:
    till.keyboard.press("1")
    till.wait_for_selector(f"input[value='{street.soap.offer_id}']:checked")
    scan()
    till.wait_for_selector("#till .result.ok")
    assert till.inner_text("#till .result-number").split() == ["30", "分"]
    assert "张*三" in till.inner_text("#till")
    assert balance(street.zhang) == 970
    till.keyboard.press("F8")
    till.wait_for_selector("#till .result.warn")
    assert balance(street.zhang) == 1000
    assert till.evaluate("document.activeElement.id") == "code"


def test_points_are_typed_and_a_misread_never_blocks_the_next_scan(till, scan, street, balance) -> None:
    type_points(till, "15")
    scan("711234567890123498")
    till.wait_for_selector("#till .result.bad")
    assert till.input_value("#code") == ""
    scan()
    till.wait_for_selector("#till .result.ok")
    assert balance(street.zhang) == 985


def test_a_card_waits_for_its_pin_and_keeps_waiting_after_a_wrong_one(till, scan, street, balance) -> None:
    type_points(till, "15")
    scan(street.zhang_card)
    till.wait_for_selector("#pin:focus")
    till.keyboard.type("147258")
    till.keyboard.press("Enter")
    till.wait_for_selector("#till:not([aria-busy]) .result.bad[data-keep]")
    till.wait_for_selector("#pin:focus")
    assert till.input_value("#code") == street.zhang_card
    till.keyboard.type(PIN)
    till.keyboard.press("Enter")
    till.wait_for_selector("#till .result.ok")
    assert balance(street.zhang) == 985


def test_a_pin_typed_straight_after_another_is_sent(till) -> None:
    """Two numbers with Enter behind each are not one long scan, however fast they follow each other."""
    is_taken = till.evaluate(
        """() => { const press = (key) => document.querySelector("#pin").dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        return [..."147258", "Enter", ..."258147", "Enter"].map(press); }"""
    )
    assert all(is_taken)


def test_a_lost_answer_becomes_one_charge_and_its_true_result(till, scan, database, street) -> None:
    type_points(till, "15")
    sent = []

    def lose_answer(route) -> None:
        sent.append(route.request)
        if len(sent) == 1:
            route.fetch()
        route.abort()

    till.route("**/counter/charges", lose_answer)
    scan()
    till.wait_for_selector("text=结果不明")
    assert len(sent) == 3
    till.wait_for_selector("#till .result.ok")
    assert (totals(database, street).charges, totals(database, street).points) == (1, 15)


def test_a_charge_that_never_arrived_is_said_to_have_moved_nothing(till, scan, database, street) -> None:
    type_points(till, "15")
    till.route("**/counter/charges", lambda route: route.abort())
    scan()
    till.wait_for_selector("text=这一笔没有收到")
    assert totals(database, street).charges == 0
    till.unroute("**/counter/charges")
    type_points(till, "15")
    scan()
    till.wait_for_selector("#till .result.ok")
    assert totals(database, street).charges == 1


def test_a_payment_code_goes_away_after_a_minute(browser, app, url, street) -> None:
    page = open_page(browser, app, url, street.zhang_login, "/me", PHONE)
    page.clock.install()
    page.click("text=出示付款码")
    page.clock.run_for(500)
    assert page.locator(".code-digits").count() == 0
    page.click("text=显示付款码")
    page.wait_for_selector(".code-digits")
    page.clock.run_for(61_000)
    page.wait_for_selector("text=显示付款码")
    assert page.locator(".code-digits").count() == 0
    page.context.close()


def test_the_phone_says_so_as_soon_as_its_code_was_paid_with(browser, app, url, street, till, scan) -> None:
    page = open_page(browser, app, url, street.zhang_login, "/me/code", PHONE)
    page.click("text=显示付款码")
    number = page.inner_text(".code-digits").replace(" ", "")
    type_points(till, "15")
    scan(number)
    till.wait_for_selector("#till .result.ok")
    page.wait_for_selector("text=付了 15 分")
    assert page.locator(".code-digits").count() == 0
    page.context.close()
