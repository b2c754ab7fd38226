"""At the grain shop: what a phone agrees to, what it reserved, what is given back, and how the day is closed.

Xiaohua pays, Fang Zhiyuan keeps the till. The phone that waited in the town's story is over when these begin.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser._bank import Bank
from tests.browser._scan import read_code, scan
from tests.browser.conftest import Windows
from tests.browser.test_counter import BOTH, amount, show_code, told


@pytest.fixture
def spent(bank: Bank) -> Callable[[], int]:
    """spent() tells what Xiaohua has paid since the test began, at half past nine."""
    bank.set_clock("9:30")
    before = bank.points("hua")
    return lambda: before - bank.points("hua")


@pytest.fixture
def till(windows: Windows, spent: Any) -> Any:
    return windows.open("fang", "counter", "/counter")


def digits_of(page: Any) -> str:
    """Return the four digits that phone and till both show once it is paid."""
    found = re.search(r"确认码 (\d{4})", page.inner_text("main"))
    assert found is not None
    return found[1]


def test_a_large_charge_is_refused_lapses_and_is_agreed_to_on_the_phone(
    windows: Windows, bank: Bank, till: Any, spent: Any
):
    phone = windows.open("hua")

    def ask(points: str) -> None:
        """Let the till scan the phone's code for so many points, and the phone open what is asked."""
        phone.goto("/me/code")
        code = show_code(phone)
        amount(till, points)
        scan(till, code)
        told(till, "等储户在手机上确认")
        phone.get_by_role("link", name="看清楚，再确认").click()
        phone.get_by_role("heading", name="洛水粮油店").wait_for()
        assert f"{points} 分" in phone.inner_text(".card")

    ask("110")
    phone.get_by_role("button", name="不付").click()
    assert "您没有付，没有扣分" in phone.inner_text("main")
    assert "没有扣分" in told(till, "储户没有确认")
    assert spent() == 0
    ask("115")
    bank.set_clock("9:35")
    told(till, "储户没有确认")
    phone.get_by_role("button", name="确认付 115 分").click()
    assert "过了时间，没有扣分" in phone.inner_text("main")
    assert spent() == 0
    ask("120")
    phone.get_by_role("button", name="确认付 120 分").click()
    assert phone.inner_text(".result-number") in told(till, "收到")
    assert spent() == 120
    phone.go_back()
    phone.goto("/me/passbook")
    assert phone.inner_text("main").count("120") == 1


def test_a_sale_is_paid_by_the_first_phone_that_scans_the_tills_code(windows: Windows, till: Any, spent: Any):
    till.keyboard.press("+")
    till.keyboard.type("30")
    till.get_by_role("button", name="出示收款码").click()
    told(till, "请储户扫这个码")
    address = read_code(till, "#till .qr")
    phone = windows.open("hua", path=address)
    assert spent() == 0
    other = windows.open("ming", path=address)
    assert not other.get_by_role("button", name="确认付 30 分").count()
    phone.get_by_role("button", name="确认付 30 分").dblclick()
    said = phone.inner_text(".result-number")
    assert re.fullmatch(r"\d{4}", said)
    assert f"确认码 {said}" in told(till, "收到")
    phone.goto(address)
    assert phone.inner_text(".result-number") == said
    assert spent() == 30


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without"])
def test_a_sticker_shows_phone_and_till_the_same_four_digits(windows: Windows, till: Any, spent: Any, scripts: bool):
    till.goto("/counter/stickers")
    address = read_code(till, ".card .qr")
    till.goto("/counter")
    phone = windows.open("hua", path=address, java_script_enabled=scripts)
    assert "洛水粮油店" in phone.inner_text("h1")
    shown = []
    for points in ("12", "13"):
        phone.fill("#points", points)
        phone.get_by_role("button", name="确认付款").click()
        shown.append(phone.inner_text(".result-number"))
        till.get_by_text(f"收款贴收到 {points} 分").wait_for()
        assert f"何*花 · 确认码 {shown[-1]}" in till.inner_text(".arrivals")
        phone.goto(address)
    assert len(set(shown)) == 2, "the digits are of one payment at one shop"
    assert spent() == 25


@BOTH
def test_what_was_reserved_is_collected_partly_refunded_and_in_the_days_report(
    windows: Windows, bank: Bank, till: Any, spent: Any
):
    phone = windows.open("hua", path="/me/offers")
    offer = phone.locator("li.offer", has_text="食用油一桶")
    offer.locator("summary").click()
    offer.locator("form button").click()
    phone.get_by_role("heading", name="食用油一桶").wait_for()
    assert spent() == 60
    code = read_code(phone, ".qr")
    assert code == read_code(phone, ".pay-bars", "Code128")
    scan(till, code)
    assert "食用油一桶" in told(till, "收到")
    phone.get_by_text("已取走").wait_for()
    scan(till, code)
    told(till, "已经取过了")
    assert spent() == 60
    bank.set_clock("9:40")
    till.locator("#till summary").click()
    till.get_by_role("link", name="看全部流水").click()
    till.locator("tbody .row-link").first.click()
    till.get_by_role("link", name="退分").click()
    for points, says in (("61", "61"), ("15", "已退给何*花 15 分")):
        till.locator("form.form").evaluate("form => { form.noValidate = true; }")
        till.fill("#points", points)
        till.fill("#reason", "盖子坏了")
        till.get_by_role("button", name="退分").click()
        assert says in till.inner_text("main") or till.input_value("#points") == says
    assert "45 分" in till.inner_text("dl.facts")
    assert spent() == 45
    till.goto("/counter/zreports")
    till.get_by_text("日结今天").click()
    till.get_by_role("button", name="现在日结").click()
    report = till.inner_text("main")
    for words in ("第 2 张日结单", "1 笔，共 60 分", "1 笔，共 15 分", "45 分", "内容和日结时一样"):
        assert words in report, words
    till.get_by_role("link", name="← 收银日结单").click()
    assert "今天已经日结" in till.inner_text("main")
    assert not till.get_by_text("日结今天").count()


def test_agreeing_reserving_and_collecting_work_without_javascript(windows: Windows, bank: Bank, spent: Any):
    phone = windows.open("hua", path="/me/code", java_script_enabled=False)
    till = windows.open("fang", "counter", "/counter", java_script_enabled=False)
    till.fill("#points", "110")
    till.fill("#code", show_code(phone))
    till.get_by_role("button", name="收积分").click()
    told(till, "等储户在手机上确认")
    phone.goto("/me")
    phone.get_by_role("link", name="有一笔 110 分等您确认").click()
    phone.get_by_role("button", name="确认付 110 分").click()
    till.get_by_role("link", name="看结果").click()
    assert phone.inner_text(".result-number") in told(till, "收到")
    phone.goto("/me/offers")
    offer = phone.locator("li.offer", has_text="挂面一把")
    offer.locator("summary").click()
    offer.locator("form button").click()
    till.fill("#code", re.sub(r"\D", "", phone.inner_text(".code-digits")))
    till.get_by_role("button", name="收积分").click()
    assert "挂面一把" in told(till, "收到")
    phone.reload()
    assert "已取走" in phone.inner_text("main")
    assert spent() == 130
