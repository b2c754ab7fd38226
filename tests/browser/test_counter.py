"""Spending: the code on the phone, and the till of 1024×600 that is worked by keyboard and scanner alone."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moralbank.redemptions import codes
from tests._people import PIN
from tests.browser._bank import Bank
from tests.browser._scan import by_hand, read_code, scan
from tests.browser.conftest import Windows

BOTH = pytest.mark.parametrize("bank", ["sqlite", "postgresql"], indirect=True)
WECHAT = "134567890123456789"


@pytest.fixture
def till(windows: Windows) -> Any:
    return windows.open("yulan", "counter", "/counter")


@pytest.fixture
def spent(bank: Bank) -> Iterator[Any]:
    """spent() tells what Wei has paid since the test began."""
    before = bank.points("wei")
    return lambda: before - bank.points("wei")  # type: ignore[return-value]


def show_code(phone: Any) -> str:
    """Press the button and read the digits."""
    phone.get_by_role("button", name="显示付款码").click()
    return re.sub(r"\D", "", phone.locator(".code-digits").inner_text())


def new_code(bank: Bank) -> str:
    """Let Wei show a code, on a phone that is not in the picture."""
    return bank.do(codes.issue_code, bank.town.people["wei"].resident_id).number


def amount(till: Any, points: str) -> None:
    till.keyboard.press("+")
    by_hand(till, points)
    till.keyboard.press("Enter")
    till.locator("#code:focus").wait_for()  # The hand goes back to the scanner.


def told(till: Any, title: str = "") -> str:
    """Wait for the result with this title and return all of it."""
    till.locator("#till:not([aria-busy]) .result:not(.idle) h2", has_text=title).wait_for()
    return str(till.locator("#till .result").inner_text())


@BOTH
def test_points_are_paid_with_the_phones_code_and_undone_by_one_key(windows: Windows, till: Any, spent: Any):
    phone = windows.open("wei", path="/me/code")
    show_code(phone)
    code = read_code(phone, ".qr")
    assert code == read_code(phone, ".pay-bars", "Code128")
    amount(till, "20")
    scan(till, code)
    said = told(till, "收到")
    assert "20 分" in said
    assert "今天 1 笔，共 20 分" in till.locator("#till summary").inner_text()
    assert "陈*" in said
    assert "陈薇" not in till.content()
    number = till.locator(".result-number")
    assert float(number.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) >= 44
    assert spent() == 20
    phone.get_by_role("heading", name="付了 20 分").wait_for()
    assert not phone.locator(".notice").count()
    assert phone.get_by_role("link", name="看存折").is_visible()
    till.keyboard.press("F8")
    told(till, "已撤销")
    assert "今天 0 笔，共 0 分，撤销 1 笔" in till.locator("#till summary").inner_text()
    assert spent() == 0
    till.keyboard.press("F8")
    till.wait_for_timeout(200)
    told(till, "已撤销")
    assert till.evaluate("document.activeElement.id") == "code"


def test_an_offer_is_picked_by_its_digit(till: Any, bank: Bank, spent: Any):
    till.keyboard.press("3")
    till.locator(".offer-list .choice:has(:checked)").wait_for()
    picked = till.locator(".offer-list .choice:has(:checked)").inner_text()
    scan(till, new_code(bank), enter=False)
    title = picked.splitlines()[0]
    assert title in told(till, "收到")
    assert spent() == {"香皂一块": 30, "毛巾一条": 40, "鸡蛋一斤": 8, "东北大米 5 公斤一袋": 60}[title]


def test_the_code_is_not_on_the_phone_before_its_button_was_pressed(windows: Windows, bank: Bank):
    phone = windows.open("wei", path="/me/code")
    assert not phone.locator(".code-digits").count()
    assert not re.search(r"\d{18}", phone.content())
    code = show_code(phone)
    assert len(code) == 18
    assert code == read_code(phone, ".qr")


def test_the_code_goes_after_a_minute_and_when_the_phone_is_put_away(windows: Windows):
    phone = windows.open("wei")
    phone.clock.install()
    phone.goto("/me/code")
    show_code(phone)
    phone.clock.run_for(40_000)
    assert phone.locator(".code-digits").count()
    phone.clock.run_for(21_000)
    phone.get_by_role("button", name="显示付款码").wait_for()
    assert not re.search(r"\d{18}", phone.content())
    show_code(phone)
    phone.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    phone.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    phone.get_by_role("button", name="显示付款码").wait_for()
    assert not phone.locator(".code-digits").count()


def test_a_code_that_could_not_be_renewed_stays_in_sight_until_it_ends(windows: Windows):
    windows.is_cut = True
    phone = windows.open("wei")
    phone.clock.install()
    phone.goto("/me/code")
    code = show_code(phone)
    asked: list[str] = []

    def fail(route: Any) -> None:
        """Refuse the first renewal, lose the next three tries, and let the rest through."""
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=429, body="<h1>busy</h1>")
        elif len(asked) <= 4:
            route.abort()
        else:
            route.continue_()

    phone.route("**/me/code", lambda route: fail(route) if route.request.method == "POST" else route.continue_())
    for seconds, tries in ((46, 1), (4, 4)):
        phone.clock.run_for(1000 * seconds)
        wait_for(lambda tries=tries: len(asked) >= tries, phone)
        assert re.sub(r"\D", "", phone.locator(".code-digits").inner_text()) == code
    phone.clock.run_for(5000)
    wait_for(lambda: re.sub(r"\D", "", phone.locator(".code-digits").inner_text()) != code, phone)


def wait_for(is_so: Callable[[], bool], phone: Any) -> None:
    """Let the phone's clock run on, little by little, until something is so; at most two seconds of it."""
    for _ in range(20):
        if is_so():
            return
        phone.clock.run_for(100)
    assert is_so()


def test_a_card_number_in_the_amount_is_refused_for_what_it_is(till: Any, bank: Bank, spent: Any):
    till.fill("#points", bank.town.cards["wei"])
    scan(till, new_code(bank), into="#code")
    assert "这是居民卡号，不是积分" in told(till)
    assert spent() == 0
    with till.expect_navigation():
        till.keyboard.press("Escape")
    amount(till, "5")
    scan(till, new_code(bank))
    told(till, "收到")
    assert spent() == 5


def test_a_scan_into_the_amount_box_lands_in_its_field(till: Any, bank: Bank, spent: Any):
    till.keyboard.press("+")
    by_hand(till, "15")
    till.wait_for_timeout(100)
    scan(till, new_code(bank), into="#points", enter=False)
    assert "15 分" in told(till, "收到")
    assert spent() == 15


def test_a_code_pays_once_whichever_till_sees_it_next(windows: Windows, till: Any, bank: Bank, spent: Any):
    code, other = new_code(bank), windows.open("yulan", "counter", "/counter")
    for each in (till, other, till):
        amount(each, "20")
        scan(each, code)
        each.locator("#till .result:not(.idle)").wait_for()
        each.locator("#till:not([aria-busy])").wait_for()
    told(other, "付款码")
    told(till, "付款码")
    assert spent() == 20


def test_two_enters_are_one_charge(till: Any, bank: Bank, spent: Any):
    amount(till, "20")
    till.fill("#code", new_code(bank))
    till.keyboard.press("Enter")
    till.keyboard.press("Enter")
    told(till, "收到")
    assert spent() == 20
    assert "今天 1 笔" in till.inner_text("#till summary")


@pytest.mark.parametrize("lost", [1, 3])
def test_a_lost_answer_ends_in_one_charge_and_the_true_result(
    windows: Windows, till: Any, bank: Bank, spent: Any, lost: int
):
    windows.is_cut = True
    seen: list[str] = []

    def lose(route: Any) -> None:
        """Let the charge reach the bank, and its answer be lost on the way back."""
        seen.append(re.search(r"key=([^&]+)", route.request.post_data)[1])  # type: ignore[index]
        if len(seen) > lost:
            route.continue_()
            return
        route.fetch(max_redirects=0)
        route.abort()

    till.route("**/counter/charges", lose)
    amount(till, "20")
    scan(till, new_code(bank))
    told(till, "收到")
    assert spent() == 20
    assert len(set(seen)) == 1
    assert len(seen) == min(lost + 1, 3)


def test_a_charge_that_never_arrived_is_told_and_can_not_arrive_late(
    windows: Windows, till: Any, bank: Bank, spent: Any
):
    windows.is_cut = True
    kept: list[Any] = []
    till.route("**/counter/charges", lambda route: (kept.append(route.request), route.abort())[0])
    amount(till, "20")
    scan(till, new_code(bank))
    till.locator("#till .result h2", has_text="结果不明").wait_for()
    till.locator("#till .result h2:not(:has-text('结果不明'))").wait_for()
    late = till.request.post(
        "/counter/charges", data=kept[0].post_data, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert late.status == 409
    assert spent() == 0


def test_full_width_digits_are_digits(till: Any, bank: Bank, spent: Any):
    amount(till, "２０")
    till.keyboard.insert_text("".join(chr(ord(digit) + 0xFEE0) for digit in new_code(bank)))
    till.keyboard.press("Enter")
    assert "20 分" in told(till, "收到")
    assert spent() == 20


def test_an_input_method_that_composes_sends_nothing_until_it_is_done(till: Any, bank: Bank, spent: Any):
    amount(till, "20")
    code = new_code(bank)
    keyboard = till.context.new_cdp_session(till)
    keyboard.send("Input.imeSetComposition", {"text": code, "selectionStart": 18, "selectionEnd": 18})
    till.wait_for_timeout(300)
    assert spent() == 0
    keyboard.send("Input.insertText", {"text": code})
    told(till, "收到")
    assert spent() == 20


def test_a_card_waits_for_the_residents_pin(till: Any, bank: Bank, spent: Any):
    amount(till, "20")
    scan(till, bank.town.cards["wei"])
    till.locator("#pin:focus").wait_for()
    by_hand(till, "147258")
    till.keyboard.press("Enter")
    told(till, "密码不对")
    till.locator("#pin:focus").wait_for()
    assert till.input_value("#code") == bank.town.cards["wei"]
    by_hand(till, PIN)
    till.keyboard.press("Enter")
    told(till, "收到")
    assert spent() == 20


def test_a_pin_typed_straight_behind_another_is_sent(till: Any):
    """Two numbers with Enter behind each are not one long scan, however fast they follow each other."""
    is_taken = till.evaluate(
        """() => { const press = (key) => document.querySelector("#pin").dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        return [..."147258", "Enter", ..."258147", "Enter"].map(press); }"""
    )
    assert all(is_taken)


def test_a_wrong_scan_is_named_and_never_blocks_the_next(till: Any, bank: Bank, spent: Any):
    amount(till, "20")
    scan(till, WECHAT)
    assert "微信付款码" in told(till)
    misread = new_code(bank)
    misread = misread[:-3] + str((int(misread[-3]) + 1) % 10) + misread[-2:]
    scan(till, misread)
    told(till, "没扫清楚")
    assert spent() == 0
    scan(till, new_code(bank))
    told(till, "收到")
    assert spent() == 20


def test_an_answer_that_comes_in_the_middle_of_the_next_scan_takes_nothing_from_it(till: Any, bank: Bank, spent: Any):
    held: list[Any] = []
    till.route("**/counter/charges", lambda route: route.continue_() if held else held.append(route))
    amount(till, "20")
    scan(till, WECHAT)
    till.wait_for_function("document.querySelector('#till').ariaBusy === 'true'")
    code = new_code(bank)
    scan(till, code[:7], enter=False)
    held[0].continue_()
    assert "微信付款码" in told(till)
    scan(till, code[7:])
    told(till, "收到")
    assert spent() == 20


def test_the_same_amount_again_within_a_minute_is_asked_about(till: Any, bank: Bank, spent: Any):
    amount(till, "20")
    scan(till, new_code(bank))
    told(till, "收到")
    amount(till, "20")
    scan(till, new_code(bank))
    told(till, "刚刚收过")
    assert spent() == 20
    till.keyboard.press("F8")
    told(till, "收到")
    assert spent() == 40


def test_an_enter_and_a_second_scan_while_nothing_is_known_charge_nothing_more(
    windows: Windows, till: Any, bank: Bank, spent: Any
):
    """Three tries with one key, then the truth is asked for until it is known; who can't wait scans again."""
    windows.is_cut = True
    posted: list[str] = []

    def lose(route: Any) -> None:
        posted.append(re.search(r"key=([^&]+)", route.request.post_data)[1])  # type: ignore[index]
        route.fetch(max_redirects=0)
        route.abort()

    till.route("**/counter/charges", lose)
    amount(till, "20")
    code = new_code(bank)
    scan(till, code)
    till.locator("#till .result h2", has_text="结果不明").wait_for()
    till.keyboard.press("Enter")
    scan(till, code)
    assert "20 分" in told(till, "收到")
    assert (spent(), len(set(posted)), len(posted)) == (20, 1, 3)


def test_too_few_points_are_refused_and_every_result_has_its_sound(till: Any, bank: Bank, spent: Any):
    till.evaluate(
        """() => { window.heard = [];
        const make = AudioContext.prototype.createOscillator;
        AudioContext.prototype.createOscillator = function () {
          const node = make.call(this); const start = node.start;
          node.start = function (...at) { window.heard.push(node.frequency.value); return start.apply(node, at); };
          return node; }; }"""
    )
    till.get_by_role("button", name="开始营业，试一下声音").click()
    till.wait_for_function("window.heard.length === 2")
    assert till.evaluate("window.heard.splice(0)") == [880, 1320]
    amount(till, "99")
    scan(till, bank.do(codes.issue_code, bank.town.people["bo"].resident_id).number)
    told(till, "积分不够")
    assert till.evaluate("window.heard.splice(0)") == [220, 220]
    with till.expect_navigation():
        till.keyboard.press("Escape")
    assert spent() == 0


def test_no_muddle_of_keys_and_scans_charges_without_an_amount_and_a_valid_code(till: Any, bank: Bank, spent: Any):
    """Forty steps, drawn by a fixed seed: keys, half scans, wrong scans, wrong fields; then one that is right."""
    draw = random.Random(8)
    wrong = [WECHAT, bank.town.cards["wei"][:-1], "7112345678901234", "6901234567892", "12"]
    steps: list[Callable[[], None]] = [
        lambda: scan(till, draw.choice(wrong), enter=draw.random() < 0.5),
        lambda: scan(till, draw.choice(wrong), into="#points", enter=False),
        lambda: till.keyboard.press(draw.choice(["Enter", "Tab", "+", "Backspace", "F8", "9"])),
    ]
    for _ in range(40):
        draw.choice(steps)()
    till.wait_for_timeout(400)
    assert spent() == 0
    with till.expect_navigation():
        till.keyboard.press("Escape")
    amount(till, "7")
    scan(till, new_code(bank))
    told(till, "收到")
    assert spent() == 7


def test_a_redemption_by_keyboard_alone_is_quick(till: Any, bank: Bank, spent: Any):
    """From the first key to the result, as the page's own clock has it. Run with -s it prints the figure."""
    till.evaluate(
        """() => { addEventListener("keydown", (event) => { window.began ??= event.timeStamp; }, true);
        const look = () => {
          if (document.querySelector("#till .result.ok")) window.took ??= performance.now() - window.began; };
        new MutationObserver(look).observe(document.querySelector("#till"), { childList: true, subtree: true }); }"""
    )
    till.keyboard.press("3")
    till.locator(".offer-list .choice:has(:checked)").wait_for()
    scan(till, new_code(bank))
    told(till, "收到")
    took = till.evaluate("window.took")
    print(f"a redemption by keyboard: {took:.0f} ms")
    assert spent() == 8
    assert took < 5_000


def test_a_till_that_lost_the_keyboard_says_so(till: Any):
    till.evaluate("dispatchEvent(new Event('blur'))")
    till.get_by_role("button", name="点一下这里继续").click()
    assert till.evaluate("document.activeElement.id") == "code"


def test_phone_and_till_work_without_javascript(windows: Windows, spent: Any):
    phone = windows.open("wei", path="/me/code", java_script_enabled=False)
    code = show_code(phone)
    till = windows.open("yulan", "counter", "/counter", java_script_enabled=False)
    till.fill("#points", "20")
    till.fill("#code", code)
    till.get_by_role("button", name="收积分").click()
    assert "20 分" in told(till, "收到")
    till.get_by_role("button", name="撤销").click()
    told(till, "已撤销")
    assert spent() == 0


def test_the_day_and_the_receipt_are_one_press_away(windows: Windows, till: Any, bank: Bank):
    amount(till, "20")
    scan(till, new_code(bank))
    told(till, "收到")
    with till.context.expect_page() as slip:
        till.get_by_role("link", name="打印小票").click()
    assert "20" in slip.value.inner_text(".slip-points")
    till.locator("#till summary").click()
    till.get_by_role("link", name="看全部流水").click()
    till.get_by_text("1 笔，共 20 分").first.wait_for()


def test_a_helper_pays_for_somebody_within_what_was_agreed(windows: Windows, till: Any):
    before = windows.bank.points("lan")
    phone = windows.open("carer", path="/helping")
    phone.get_by_role("link", name="替欧阳兰付款").click()
    phone.get_by_role("button", name="显示欧阳兰的付款码").click()
    phone.get_by_text("欧阳兰的积分，代办人wu-gang代为出示").wait_for()
    amount(till, "6")
    scan(till, re.sub(r"\D", "", phone.locator(".code-digits").inner_text()))
    assert "代办人一笔最多付 5 分" in told(till, "超过代办人一笔的上限")
    phone.get_by_role("link", name="收起来").click()
    code = show_code_of(phone)
    till.keyboard.press("Escape")
    till.locator("#till .result.idle").wait_for()
    amount(till, "5")
    scan(till, code)
    said = told(till, "收到")
    assert "欧阳*" in said
    assert "代为出示付款码" in said
    assert windows.bank.points("lan") == before - 5
    phone.get_by_text("5 分").first.wait_for()


def show_code_of(phone: Any) -> str:
    """Press a helper's button and read the digits."""
    phone.get_by_role("button", name="显示欧阳兰的付款码").click()
    return re.sub(r"\D", "", phone.locator(".code-digits").inner_text())
