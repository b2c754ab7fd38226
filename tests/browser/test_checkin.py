"""Earning, from the code on the wall to the line in the passbook, on a phone of 360 pixels."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
import segno

from tests._people import PIN
from tests.browser._bank import Bank
from tests.browser._scan import by_hand, read_code, scan
from tests.browser._town import PHONE
from tests.browser.conftest import Windows

BOTH = pytest.mark.parametrize("bank", ["sqlite", "postgresql"], indirect=True)


def sign_in(phone: Any, identifier: str = PHONE, secret: str = PIN) -> None:
    phone.fill("#identifier", identifier)
    phone.fill("#secret", secret)
    phone.get_by_role("button", name="登录").click()


def code_on_screen(windows: Windows) -> str:
    """Return the address in the code that the hall's screen shows at this moment."""
    screen = windows.open("min", "screen", f"/display/{windows.bank.town.values['session']}")
    url = read_code(screen)
    screen.context.close()
    return url


def sign_off(windows: Windows, session: str, heads: int) -> Any:
    office = windows.open("min", "desk", f"/staff/sessions/{windows.bank.town.values[session]}/sign-off")
    office.fill("#head_count", str(heads))
    office.get_by_role("button", name="签字并发放积分").click()
    return office


def go_through(windows: Windows, *, javascript: bool) -> None:
    """Come, be there, leave, be signed off, and find the points at home."""
    bank = windows.bank
    before = bank.points("wei")
    bank.set_clock("8:55")
    phone = windows.open(path=code_on_screen(windows), java_script_enabled=javascript)
    phone.get_by_role("link", name="登录并签到").click()
    sign_in(phone)
    phone.get_by_role("button", name="签到", exact=True).click()
    phone.get_by_role("heading", name="签到成功").wait_for()
    bank.set_clock("11:32")
    phone.goto(code_on_screen(windows))
    phone.get_by_role("button", name="签退", exact=True).click()
    assert phone.locator(".result-number").inner_text() == "+25"
    assert bank.points("wei") == before
    bank.set_clock("11:45")
    sign_off(windows, "session", 1).get_by_text("合计").first.wait_for()
    assert bank.points("wei") == before + 25
    phone.get_by_role("link", name="回到首页").click()
    assert phone.locator(".balance-points").inner_text() == f"{before + 25} 分"
    assert "河岸清洁" in phone.locator(".passbook .line").first.inner_text()
    assert "+25" in phone.locator(".passbook .line").first.inner_text()


@BOTH
def test_a_resident_scans_in_and_out_and_finds_the_points_at_home(windows: Windows):
    go_through(windows, javascript=True)


def test_the_same_way_works_without_javascript(windows: Windows):
    go_through(windows, javascript=False)


def test_opening_the_code_however_often_books_nothing(windows: Windows):
    url = code_on_screen(windows)
    phone = windows.open("wei")
    for _ in range(5):
        phone.goto(url)
        assert phone.get_by_role("button", name="签到", exact=True).is_visible()
    screen = windows.open("min", "screen", f"/display/{windows.bank.town.values['session']}")
    assert screen.locator(".display-count").inner_text().startswith("0")


def test_the_screen_renews_its_code_and_counts_who_came(windows: Windows):
    screen = windows.open("min", "screen", f"/display/{windows.bank.town.values['session']}")
    screen.clock.install()
    screen.reload()
    first = read_code(screen)
    phone = windows.open("wei", path=first)
    phone.get_by_role("button", name="签到", exact=True).click()
    windows.bank.set_clock("9:01")
    screen.clock.run_for(10_500)
    screen.get_by_text("陈*").wait_for()
    assert screen.locator(".display-count").inner_text().startswith("1")
    assert read_code(screen) != first


def test_an_old_code_says_so_and_what_to_do(windows: Windows):
    url = code_on_screen(windows)
    windows.bank.set_clock("9:02")
    phone = windows.open("wei", path=url)
    assert "二维码" in phone.locator("h1").inner_text()
    assert "再扫" in phone.inner_text("main") or "重新扫" in phone.inner_text("main")


def test_a_scan_within_two_minutes_is_told_what_was_already_done(windows: Windows):
    phone = windows.open("wei")
    for _ in range(2):
        phone.goto(code_on_screen(windows))
        if phone.get_by_role("button", name="签到", exact=True).is_visible():
            phone.get_by_role("button", name="签到", exact=True).click()
            phone.get_by_role("heading", name="签到成功").wait_for()
    phone.get_by_role("heading", name="已经签过到了").wait_for()


def desk(windows: Windows) -> Any:
    return windows.open("min", "counter", f"/staff/desk/{windows.bank.town.values['desk']}")


@pytest.mark.parametrize("enter", [True, False], ids=["enter", "silence"])
def test_a_scanner_checks_a_card_in_at_the_desk(windows: Windows, bank: Bank, enter: bool):
    page = desk(windows)
    scan(page, bank.town.cards["lan"], enter=enter)
    page.get_by_role("heading", name="签到成功").wait_for()
    assert "欧阳兰" in page.inner_text("#answer")
    scan(page, bank.town.cards["bo"], enter=enter)
    page.get_by_text("王博").first.wait_for()
    assert "已签到 2 人" in page.inner_text("#answer")


def test_an_open_desk_stays_signed_in_while_nobody_comes(windows: Windows, bank: Bank):
    page = windows.open("min", "counter")
    page.clock.install()
    page.goto(f"/staff/desk/{bank.town.values['desk']}")
    for hour in ("10:45", "12:20"):
        bank.set_clock(hour)
        with page.expect_response("**/sessions/here") as answer:
            page.clock.run_for(600_000)
        assert answer.value.status == 204
    bank.set_clock("14:00")
    by_hand(page, bank.town.people["lan"].number)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="扫码时间已过").wait_for()


def test_the_desk_reads_a_card_from_a_photo(windows: Windows, bank: Bank):
    photo = BytesIO()
    segno.make(bank.town.cards["lan"], error="q").save(photo, kind="png", scale=8)
    page = desk(windows)
    page.get_by_text("用照片识别").click()
    page.set_input_files("#photo", {"name": "card.png", "mimeType": "image/png", "buffer": photo.getvalue()})
    page.get_by_role("button", name="识别并签到").click()
    page.get_by_role("heading", name="签到成功").wait_for()
    assert "欧阳兰" in page.inner_text("#answer")


def test_the_desk_takes_the_eight_digits_that_somebody_says(windows: Windows, bank: Bank):
    page = desk(windows)
    by_hand(page, bank.town.people["lan"].number)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="签到成功").wait_for()
    page.get_by_role("button", name="撤销").first.click()
    page.get_by_text("已撤销").first.wait_for()
    assert page.inner_text("#answer .result-number") == "0"


def test_a_head_count_that_differs_pays_nobody(windows: Windows, bank: Bank):
    page = desk(windows)
    scan(page, bank.town.cards["bo"])
    page.get_by_role("heading", name="签到成功").wait_for()
    bank.set_clock("10:15")
    page.reload()  # Staff who do nothing for two hours are signed out.
    bank.set_clock("11:31")
    scan(page, bank.town.cards["bo"])
    page.get_by_role("heading", name="签退成功").wait_for()
    bank.set_clock("11:45")
    before = bank.points("bo")
    office = sign_off(windows, "desk", 2)
    office.locator(".error-summary", has_text="您点的人数是 2").wait_for()
    assert bank.points("bo") == before
    office.fill("#head_count", "1")
    office.get_by_role("button", name="签字并发放积分").click()
    office.get_by_text("合计").first.wait_for()
    assert bank.points("bo") == before + 25


def test_two_of_a_family_are_counted_by_one_scan_on_one_phone(windows: Windows):
    windows.bank.set_clock("8:56")
    phone = windows.open("bo", path=code_on_screen(windows))
    phone.get_by_label("欧阳兰").check()
    phone.get_by_role("button", name="给选中的人扫码").click()
    phone.get_by_role("heading", name="王博 · 签到成功").wait_for()
    assert phone.get_by_role("heading", name="欧阳兰 · 记下了，等组织者确认").is_visible()
    phone.goto("/me")
    phone.get_by_role("button", name="欧阳兰").click()
    phone.get_by_text("您正在替欧阳兰办事").wait_for()
    phone.get_by_role("link", name="出示付款码").click()
    phone.get_by_role("button", name="显示欧阳兰的付款码").click()
    phone.get_by_text("欧阳兰的积分，由您代为出示").wait_for()
    with phone.expect_navigation():
        phone.get_by_role("button", name="换回自己").click()
    assert phone.get_by_text("您正在替欧阳兰办事").count() == 0
