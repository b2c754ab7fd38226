"""What is done at a desk: statements, the books, rosters, tokens; and what everybody may choose for themselves."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from tests._people import PASSWORD, PIN
from tests.browser._bank import Bank
from tests.browser._town import PHONE, picture_of_goods
from tests.browser.conftest import Windows

#: True in a page's script; between two pages there may be no body to look at.
THERE = "document.body"


def downloaded(page: Any, name: str) -> bytes:
    """Press the link of this name and return the file that comes."""
    with page.expect_download() as arriving:
        page.get_by_role("link", name=name).click()
    return Path(arriving.value.path()).read_bytes()


def sign_in(page: Any, identifier: str, secret: str) -> None:
    page.goto("/login")
    page.fill("#identifier", identifier)
    page.fill("#secret", secret)
    page.get_by_role("button", name="登录").click()


def test_a_resident_reads_a_statement_and_takes_it_home(windows: Windows):
    phone = windows.open("wei", path="/me")
    phone.get_by_role("navigation").get_by_role("link", name="存折").click()
    phone.wait_for_url("**/me/passbook")
    lines = phone.locator(".line .line-n-inline").all_inner_texts()
    assert [int("".join(c for c in line if c.isdigit())) for line in lines] == [6, 5, 4, 3, 2, 1]
    phone.get_by_role("link", name="对账单").click()
    phone.get_by_role("link", name="2026年10月").click()
    assert "期末" in phone.inner_text("article")
    rows = list(csv.reader(StringIO(downloaded(phone, "下载 CSV").decode("utf-8-sig"))))
    text = "\n".join(",".join(row) for row in rows)
    assert "香皂一块" in text
    assert "-30" in text


def test_a_shop_submits_an_offer_with_a_photo_the_station_approves_and_a_resident_sees_it(windows: Windows):
    shop = windows.open("yulan", "phone", "/counter")
    shop.locator("#till details summary").click()
    shop.get_by_role("link", name="我们店的项目").click()
    shop.get_by_role("link", name="新项目").click()
    for field, text in (("title", "砂糖橘三斤"), ("points", "12"), ("monthly_quota", "20")):
        shop.fill(f"#{field}", text)
    file = {"name": "oranges.png", "mimeType": "image/png", "buffer": picture_of_goods("orange")}
    shop.set_input_files("#photo", file)
    shop.get_by_role("button", name="提交驿站审核").click()
    assert "等驿站审核" in shop.inner_text("main")
    phone = windows.open("wei", path="/me/offers")
    assert "砂糖橘" not in phone.inner_text("main")
    staff = windows.open("min", "desk", "/staff/activities")
    staff.get_by_role("link", name="兑换项目").click()
    staff.get_by_role("link", name="待审核的项目").click()
    staff.get_by_role("link", name="砂糖橘三斤").click()
    staff.locator("summary", has_text="通过").click()
    staff.get_by_role("button", name="通过这一项").click()
    assert "居民现在能看到" in staff.inner_text("main")
    phone.reload()
    offer = phone.locator("li.offer", has_text="砂糖橘三斤")
    offer.get_by_text("看照片").click()
    shown = offer.get_by_role("img", name="“砂糖橘三斤”的照片")
    shown.scroll_into_view_if_needed()
    phone.wait_for_function("image => image.complete && image.naturalWidth === 640", arg=shown.element_handle())


def test_a_statement_prints_on_paper_without_the_pages_own_furniture(windows: Windows):
    page = windows.open("wei", "desk", "/me/statement/2026-10")
    page.emulate_media(media="print")
    assert not page.get_by_role("link", name="下载 CSV").is_visible()
    assert page.get_by_role("heading", name="2026年10月对账单").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_an_auditor_filters_the_books_reads_an_entry_and_exports(windows: Windows):
    page = windows.open("he", "desk", "/audit")
    whole = page.locator("tbody tr").count()
    page.select_option("#kind", "redemption")
    page.get_by_role("button", name="查", exact=True).click()
    page.wait_for_url("**kind=redemption**")
    assert 0 < page.locator("tbody tr").count() < whole
    rows = list(csv.reader(StringIO(downloaded(page, "导出 CSV").decode("utf-8-sig"))))
    assert len(rows) > page.locator("tbody tr").count()
    book = load_workbook(BytesIO(downloaded(page, "导出 Excel")), read_only=True)
    assert book.active.max_row >= 2
    page.locator("tbody tr", has_text="毛巾一条").locator(".row-link").first.click()
    assert "毛巾一条" in page.inner_text("main")
    page.get_by_role("link", name="看撤销它的那一笔").click()
    page.get_by_role("link", name="看原来那一笔").click()
    assert not page.locator("main form[method=post]").count()
    page.get_by_role("link", name="核验").click()
    page.get_by_role("button", name="开始核验").or_(page.get_by_role("link", name="开始核验")).click()
    assert "没有一处不对" in page.inner_text("main")


def test_a_roster_is_looked_at_confirmed_and_its_refused_rows_given_back(windows: Windows, bank: Bank):
    rows = ["姓名,手机号,所属驿站,期初积分", "马超,13700000001,南山驿站,50", "坏行,123,南山驿站,5", "高原,,南山驿站,20"]
    page = windows.open("min", "desk", "/staff/roster")
    file = {"name": "五号楼.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode("gb18030")}
    page.set_input_files("#file", file)
    page.get_by_role("button", name="上传并核对").click()
    assert "新登记 2 人" in page.inner_text("#progress")
    refused = downloaded(page, "下载退回的 1 行").decode("utf-8-sig", errors="replace")
    assert "坏行" in refused or "坏行".encode("gb18030").decode("utf-8", errors="replace") in refused
    page.get_by_role("button", name="确认登记 2 人").click()
    page.get_by_text("已登记 2 人").wait_for()
    page.get_by_role("link", name="看登记好的人").click()
    assert "马超" in page.inner_text("#rows")
    page.goto("/staff/roster")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="上传并核对").click()
    assert "没有要新登记的人" in page.inner_text("#progress")


def test_a_file_that_is_no_roster_is_refused_in_words(windows: Windows):
    page = windows.open("min", "desk", "/staff/roster")
    page.set_input_files("#file", {"name": "照片.csv", "mimeType": "text/csv", "buffer": b"\x89PNG\r\n\x1a\n"})
    page.get_by_role("button", name="上传并核对").click()
    page.locator(".error-summary:focus").wait_for()


def test_the_language_changes_on_the_same_page_and_stays(windows: Windows):
    phone = windows.open("wei", path="/me/passbook?unit=minutes")
    phone.get_by_role("link", name="English").click()
    assert phone.locator("html").get_attribute("lang") == "en"
    assert phone.url.endswith("/me/passbook?unit=minutes")
    phone.goto("/me")
    assert phone.locator("html").get_attribute("lang") == "en"
    phone.get_by_role("link", name="中文").click()
    assert phone.locator("html").get_attribute("lang") == "zh-CN"


def test_elder_mode_is_one_press_away_and_back(windows: Windows):
    phone = windows.open("wei", path="/me")
    size = "parseFloat(getComputedStyle(document.body).fontSize)"
    before = phone.evaluate(size)
    phone.get_by_role("link", name="长辈版").click()
    phone.wait_for_function(f"before => {THERE} && {size} >= before * 1.2", arg=before)
    phone.get_by_role("link", name="出示付款码").wait_for()
    phone.get_by_role("link", name="标准版").click()
    phone.wait_for_function(f"before => {THERE} && {size} === before", arg=before)


def test_dark_follows_the_system_and_can_be_chosen(windows: Windows):
    phone = windows.open("wei", path="/me", color_scheme="dark")
    is_ground = f"colour => {THERE} && getComputedStyle(document.body).backgroundColor === colour"
    phone.wait_for_function(is_ground, arg="rgb(22, 19, 15)")
    phone.get_by_role("link", name="浅色").click()
    phone.wait_for_function(is_ground, arg="rgb(251, 248, 242)")


def test_a_token_is_shown_once_and_stopped(windows: Windows):
    page = windows.open("director", "desk", "/tokens")
    page.fill("#name", "街道大屏")
    page.locator("input[name=scopes]").first.check()
    page.get_by_role("button", name="签发令牌").click()
    page.get_by_role("heading", name="只显示这一次").wait_for()
    secret = page.locator(".card .mono").first.inner_text()
    page.goto("/tokens")
    assert secret not in page.content()
    page.locator("details.confirm summary").first.click()
    with page.expect_navigation():
        page.get_by_role("button", name="停用这个令牌").click()
    assert not page.get_by_role("cell", name="街道大屏").count()


def test_another_browser_can_be_signed_out_from_here(windows: Windows):
    here, other = windows.open("wei", path="/sessions"), windows.open("wei", path="/me")
    here.reload()
    here.locator("details.confirm summary").click()
    with here.expect_navigation():
        here.locator("details.confirm button").click()
    other.goto("/me")
    assert "/login" in other.url
    here.goto("/me")
    assert here.url.endswith("/me")


def test_five_wrong_secrets_lock_the_name_and_say_for_how_long(windows: Windows, bank: Bank):
    page = windows.open()
    for _ in range(5):
        sign_in(page, "zhoumin", "wrong horse staple")
    sign_in(page, "zhoumin", PASSWORD)
    assert "分钟" in page.get_by_role("alert").inner_text()
    assert page.input_value("#identifier") == "zhoumin"
    bank.set_clock("9:20")
    sign_in(page, "zhoumin", PASSWORD)
    page.wait_for_url(lambda url: "/login" not in url)


def test_a_card_number_and_full_width_digits_sign_in_too(windows: Windows, bank: Bank):
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in PHONE)
    for identifier in (bank.town.cards["wei"], wide, "陈薇"):
        page = windows.open()
        sign_in(page, identifier, PIN)
        page.locator(".balance").wait_for()


def test_staff_announce_an_activity_and_a_resident_signs_up(windows: Windows):
    page = windows.open("min", "desk", "/staff/activities/new")
    page.fill("#title", "冬衣整理")
    page.select_option("#rule_code", "V01")
    page.fill("#place", "育苗驿站二楼")
    page.fill("#on", "2026-11-28")
    page.fill("#starts", "14:00")
    page.fill("#ends", "13:00")
    page.get_by_role("button", name="保存为草稿").click()
    page.locator(".error-summary").wait_for()
    assert page.input_value("#place") == "育苗驿站二楼"
    page.fill("#ends", "16:00")
    page.get_by_role("button", name="保存为草稿").click()
    page.get_by_role("button", name="发布给居民").click()
    phone = windows.open("wei", path="/activities")
    phone.get_by_role("link", name="冬衣整理").click()
    phone.get_by_role("button", name="报名").click()
    phone.get_by_text("已报名", exact=True).wait_for()
