"""Proofs in the reader's own browser: green when all agrees, red whatever of the answer was changed on its way."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import moralbank
from tests.browser.conftest import Windows

PROOF_JS = Path(moralbank.__file__).parent / "static" / "proof.js"
STATEMENT = "/me/statement/2026-10/proof"
SENTENCE = "您10月的6笔都在两家单位签过的账里，一笔不少，余额100分。"


def verdict(window: Any) -> tuple[str, str]:
    """Wait for the script's word, and return it with what can be read on the page."""
    window.wait_for_selector("[data-checked]")
    shown = window.locator("[data-verdict]:visible")
    assert shown.count() == 1
    return window.locator("[data-proof]").get_attribute("data-checked"), shown.inner_text()


def open_with(windows: Windows, path: str, change: Callable[[str], str], *, who: str | None, pattern: str) -> Any:
    """Open a page whose download is changed on its way to the browser."""
    window = windows.open(who)

    def on_its_way(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=change(answer.text()))

    window.route(pattern, on_its_way)
    window.goto(path)
    return window


def in_statement(change: Callable[[dict[str, Any]], None]) -> Callable[[str], str]:
    def changed(text: str) -> str:
        file = json.loads(text)
        change(file)
        return json.dumps(file)

    return changed


def flip(base64: str) -> str:
    octets = bytearray(b64decode(base64))
    octets[5] ^= 1
    return b64encode(octets).decode()


def change_leaf(file: dict[str, Any]) -> None:
    file["leaves"][1]["leaf"] = file["leaves"][1]["leaf"].replace('"d":25', '"d":26', 1)


def change_proof(file: dict[str, Any]) -> None:
    file["leaves"][2]["proof"][0] = flip(file["leaves"][2]["proof"][0])


def drop_line(file: dict[str, Any]) -> None:
    del file["leaves"][3]


def drop_last_line(file: dict[str, Any]) -> None:
    """Leave the month's last line out and say that it ended before."""
    del file["leaves"][-1]
    file["points"]["closing"] = {"n": 5, "balance": 60}


def change_balance(file: dict[str, Any]) -> None:
    file["points"]["closing"]["balance"] = 120


def change_reason(file: dict[str, Any]) -> None:
    file["leaves"][1]["private"]["content"] = file["leaves"][1]["private"]["content"].replace("河岸", "河边")


def change_signature(file: dict[str, Any]) -> None:
    *lines, last = file["checkpoint"].splitlines()
    dash, name, signature = last.split(" ")
    octets = bytearray(b64decode(signature))
    octets[-1] ^= 1
    file["checkpoint"] = "\n".join([*lines, f"{dash} {name} {b64encode(octets).decode()}", ""])


def forget_offices(file: dict[str, Any]) -> None:
    lines = file["checkpoint"].splitlines()
    file["checkpoint"] = "\n".join([line for line in lines if ".example " not in line or "bank" in line]) + "\n"


def other_account(file: dict[str, Any]) -> None:
    file["account"] += 1


def test_a_month_is_proven_in_the_browser_itself(windows: Windows):
    window = windows.open("wei", path=STATEMENT)
    word, text = verdict(window)

    assert word == "browser"
    assert SENTENCE in text
    assert "您的手机刚刚自己核对过" in text


def test_a_month_is_proven_in_english(windows: Windows):
    window = windows.open("wei")
    window.context.add_cookies([{"name": "lang", "value": "en", "url": windows.bank.url}])
    window.goto(STATEMENT)

    assert verdict(window)[1].startswith(
        "Your 6 lines of October are all in the book that two offices have signed, none is missing, "
        "and your balance is 100."
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (change_leaf, "有一笔的内容或位置不是签过的那样"),
        (change_proof, "有一笔的内容或位置不是签过的那样"),
        (drop_line, "行号接不上：第 4 行"),
        (drop_last_line, "余额算不出来"),
        (change_balance, "余额算不出来"),
        (change_reason, "有一笔的事由被改过"),
        (change_signature, "签名不对"),
        (forget_offices, "签名不对"),
        (other_account, "行号接不上"),
    ],
)
def test_a_month_that_was_changed_on_its_way_is_red(
    windows: Windows, change: Callable[[dict[str, Any]], None], says: str
):
    pattern = "**/me/statement/2026-10.json"
    window = open_with(windows, STATEMENT, in_statement(change), who="wei", pattern=pattern)
    word, text = verdict(window)

    assert word == "wrong"
    assert says in text
    assert SENTENCE not in text
    assert "告诉签字的单位" in text


def test_a_file_that_can_not_be_read_is_red_and_one_that_does_not_come_is_not(windows: Windows):
    pattern = "**/me/statement/2026-10.json"
    window = open_with(windows, STATEMENT, lambda text: text[:-9], who="wei", pattern=pattern)
    assert verdict(window)[0] == "wrong"

    windows.is_cut = True
    window.unroute(pattern)
    window.route(pattern, lambda route: route.abort())
    window.goto(STATEMENT)
    window.wait_for_load_state("networkidle")
    assert SENTENCE in window.locator("[data-verdict]:visible").inner_text()
    assert window.locator("[data-checked]").count() == 0


def test_without_script_or_webcrypto_the_service_says_that_it_checked(windows: Windows):
    window = windows.open("wei", path=STATEMENT, java_script_enabled=False)
    assert SENTENCE in window.locator("[data-verdict]:visible").inner_text()
    assert "这是银行的服务器核对的" in window.locator("[data-verdict]:visible").inner_text()

    plain = windows.open("wei")
    plain.add_init_script("Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined })")
    plain.goto(STATEMENT)
    plain.wait_for_load_state("networkidle")
    assert "这是银行的服务器核对的" in plain.locator("[data-verdict]:visible").inner_text()


def test_a_browser_without_ed25519_says_what_it_checked_and_what_it_did_not(windows: Windows):
    window = windows.open("wei")
    window.add_init_script(
        "const known = crypto.subtle.importKey.bind(crypto.subtle);"
        "crypto.subtle.importKey = (form, key, kind, ...more) => kind === 'Ed25519'"
        " ? Promise.reject(new DOMException('', 'NotSupportedError')) : known(form, key, kind, ...more);"
    )
    window.goto(STATEMENT)

    word, text = verdict(window)
    assert word == "hashes"
    assert "签名它还不会核对" in text


def test_a_slip_opens_the_proof_of_its_line(windows: Windows):
    line = windows.open("wei", path="/me/passbook")
    line.get_by_role("link", name="香皂一块").click()
    line.locator("a.seal").click()
    line.wait_for_url("**/log/NS-00/entries/**")
    word, text = verdict(line)

    assert word == "browser"
    assert "这一笔在两家单位签过的账里，没有改过。" in text
    assert len(line.url.partition("#")[2]) == 64


def test_a_proof_that_was_changed_on_its_way_is_red(windows: Windows):
    town = windows.bank.town.values
    path = f"/log/{town['book']}/entries/{town['entry_hex']}"

    def change(proof: str) -> str:
        head, index, step, *rest = proof.split("\n")
        return "\n".join([head, index, flip(step), *rest])

    window = open_with(windows, path, change, who=None, pattern="**/*.tlog-proof")
    assert verdict(window)[0] == "wrong"


def test_a_slip_of_another_line_is_red(windows: Windows):
    town = windows.bank.town.values
    window = windows.open(path=f"/log/{town['book']}/entries/{town['entry_hex']}#{'0' * 64}")
    word, text = verdict(window)

    assert word == "wrong"
    assert "小票上的编码不是这一笔的" in text


def test_the_sheet_is_copied_from_the_wall_and_checked(windows: Windows):
    town = windows.bank.town.values
    wall = windows.open(size="desk", path=f"/board/{town['book']}/{town['board_day']}")
    characters = " ".join(wall.locator(".board-characters span").all_inner_texts())
    window = windows.open(path="/board/check", java_script_enabled=False)
    window.get_by_label("公示单上的日期").fill(str(town["board_day"]))
    window.get_by_label("24 个字").fill(characters)
    window.get_by_role("button", name="核对这 24 个字").click()
    assert window.locator("[data-answer]").get_attribute("data-answer") == "matches"

    window.get_by_label("24 个字").fill(characters.replace(characters[3], "鬼", 1))
    window.get_by_role("button", name="核对这 24 个字").click()
    assert "第 4 个字打错了" in window.locator("[data-answer]").inner_text()


def test_the_sheet_is_one_page_of_a4(windows: Windows):
    town = windows.bank.town.values
    wall = windows.open(size="desk", path=f"/board/{town['book']}/{town['board_day']}")
    wall.emulate_media(media="print")
    assert wall.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") == 1


def test_the_script_that_checks_is_small():
    assert len(PROOF_JS.read_bytes()) <= 10_240
