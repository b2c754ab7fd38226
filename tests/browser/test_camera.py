"""The camera at the door, in a Chromium whose camera plays the film that the test wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests._browser import find_chromium
from tests._camera import FAKE_CAMERA, film, qr, still
from tests.browser._bank import Bank
from tests.browser.conftest import Windows
from tests.conftest import CHROMIUM_ARGUMENTS

#: A page's frames are noted by their length as they leave.
SIZES_OF_FRAMES = """globalThis.sizes = [];
const send = globalThis.fetch;
globalThis.fetch = (where, options) => {
  if (options?.body instanceof Blob) sizes.push(options.body.size);
  return send(where, options);
};"""


@pytest.fixture
def reel(tmp_path: Path) -> Path:
    return tmp_path / "film.mjpeg"


@pytest.fixture
def filming(chromium: Any, bank: Bank, reel: Path) -> Iterator[Windows]:
    """Windows of a second browser, which has a camera."""
    film(reel, still(qr(bank.town.cards["lan"])))
    flags = [flag.format(film=reel) for flag in FAKE_CAMERA]
    browser = chromium.browser_type.launch(executable_path=find_chromium(), args=[*CHROMIUM_ARGUMENTS, *flags])
    windows = Windows(browser, bank)
    yield windows
    windows.close()
    browser.close()
    assert windows.faults == []


def test_a_card_before_the_camera_is_checked_in_once_however_long_it_is_held(
    filming: Windows, bank: Bank, reel: Path
) -> None:
    page = filming.open("min", "phone", permissions=["camera"])
    path = f"/staff/desk/{bank.town.values['desk']}"
    scans: list[str] = []
    page.on("request", lambda request: scans.append(request.url) if request.method == "POST" else None)
    page.add_init_script(SIZES_OF_FRAMES)
    page.goto(path)
    page.get_by_role("button", name="打开摄像头").click()
    page.get_by_role("heading", name="签到成功").wait_for()
    assert "欧阳兰" in page.inner_text("#answer")
    assert page.locator("#answer .result").bounding_box()["y"] < page.locator("video").bounding_box()["y"]
    page.wait_for_timeout(1_500)
    assert [url for url in scans if url.endswith(path)] == [bank.url + path]
    assert 0 < page.evaluate("Math.max(...sizes)") <= 12 * 1024
    # Another page, another card: the phone begins by itself, and somebody else's code is named for what it is.
    film(reel, still(qr("134567890123456784")))
    page.reload()
    page.get_by_role("heading", name="扫错码了").wait_for()
    page.get_by_role("button", name="关闭摄像头").click()
    assert page.get_by_role("button", name="打开摄像头").is_visible()


def test_without_a_camera_the_desk_says_so_and_opens_the_next_means(windows: Windows, bank: Bank) -> None:
    page = windows.open("min", "phone", f"/staff/desk/{bank.town.values['desk']}")
    page.get_by_role("button", name="打开摄像头").click()
    says = page.locator("[data-camera-says]:visible")
    says.wait_for()
    assert says.get_attribute("data-camera-says") in ("missing", "denied")
    assert page.locator("#photo").is_visible()
