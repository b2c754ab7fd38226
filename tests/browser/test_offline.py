"""The desk without a network: kept in the phone, amber, opened again, sent once there is one, and nobody leaves."""

from __future__ import annotations

import pytest

from moralbank.activities import queries
from tests.browser._bank import Bank
from tests.browser._scan import scan
from tests.browser._town import MORNING
from tests.browser.conftest import Windows


@pytest.mark.parametrize("bank", ["sqlite", "postgresql"], indirect=True)
def test_scans_outlive_a_dead_network_and_a_reload_and_are_green_only_once_the_server_said_so(
    windows: Windows, bank: Bank
) -> None:
    page = windows.open("min", "phone")
    page.clock.set_fixed_time(MORNING)  # The phone's clock agrees with the bank's.
    desk = f"/staff/desk/{bank.town.values['desk']}"
    with page.expect_response("**/roster"):
        page.goto(desk)
    page.wait_for_function("caches.match(`${location.pathname}/offline`, {ignoreVary: true})")
    windows.is_cut = True
    page.context.set_offline(True)
    page.focus("#code")
    scan(page, bank.town.cards["lan"])
    page.get_by_role("heading", name="已记在本机").wait_for()
    assert page.locator("#answer .result").get_attribute("class") == "result pending"
    assert "欧阳兰" in page.inner_text("#answer")
    assert "待上传 1 次签到" in page.inner_text("main")
    page.reload()
    page.get_by_role("heading", name="没有网络").wait_for()
    assert "欧阳兰" not in page.content()
    page.focus("#code")
    scan(page, bank.town.cards["bo"])
    page.get_by_text("待上传 2 次。").wait_for()
    page.get_by_role("button", name="退出登录").click()
    page.get_by_text("现在不能退出").wait_for()
    with bank.database.reading() as db:
        assert queries.count_present(db, bank.town.values["desk"]) == 0
    page.context.set_offline(False)
    page.get_by_text("已上传 2 次，都已登记。").wait_for()
    windows.is_cut = False
    assert page.locator("[data-waiting]").is_hidden()
    with bank.database.reading() as db:
        assert queries.count_present(db, bank.town.values["desk"]) == 2
    page.goto(desk)
    assert page.locator("#answer .result-number").inner_text() == "2"
    page.get_by_role("button", name="退出登录").click()
    page.wait_for_url("**/login")
    assert page.evaluate("caches.has('moralbank-desk')") is False
