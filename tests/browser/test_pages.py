"""Every page at its size: readable for everybody, in both languages, light and dark, large and small."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from babel.messages.pofile import read_po
from werkzeug.exceptions import NotFound

import moralbank
from tests.browser._bank import Bank
from tests.browser._look import (
    OF_COLOURS,
    OF_SIZES,
    bring_axe,
    chinese,
    enlarge_letters,
    findings,
    misfits,
    shape,
    too_small_for_elders,
    wearing,
)
from tests.browser._pages import (
    COUNTER,
    NO_PAGE_BLUEPRINTS,
    NO_PAGE_PATHS,
    NO_PAGES,
    PAGES,
    PROOFS,
    RESIDENT,
    Page,
    go,
)
from tests.browser._town import Town, known_words
from tests.browser.conftest import SIZES, Windows

CATALOGUE = Path(moralbank.__file__).parent / "translations/en/LC_MESSAGES/messages.po"
RESIDENT_KB, RESIDENT_REQUESTS = 60, 6
#: A page in the house's own frame takes theme and elder mode; what is printed has its own measures.
HAS_MODES = "() => /(^| )layout-(?!display)/.test(document.documentElement.className)"
#: No page of the bank, or none for this reader: it is right that they answer so.
REFUSALS = {"expired-code": 410, "not-found": 404, "audit-wrong-filter": 422}


def by_name(pages: tuple[Page, ...]) -> Any:
    return pytest.mark.parametrize("page", pages, ids=[page.name for page in pages])


@pytest.fixture(scope="module")
def reading_bank(built: tuple[Path, Town], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """A bank in which nobody does anything but look."""
    own = tmp_path_factory.mktemp("reading") / "moralbank.db"
    shutil.copy(built[0], own)
    bank = Bank(f"sqlite:///{own}", built[1])
    yield bank
    bank.close()


@pytest.fixture(scope="module")
def readers(chromium: Any, reading_bank: Bank) -> Iterator[dict[Any, Any]]:
    """The windows that were opened so far, by reader and size: one each is enough."""
    windows = Windows(chromium, reading_bank)
    yield {"windows": windows}
    windows.close()


def look_at(readers: dict[Any, Any], page: Page, **preferences: str) -> Any:
    """Open the page for its reader with these preferences, and note what fails in it."""
    windows: Windows = readers["windows"]
    reader = page.who, page.size
    if reader not in readers:
        readers[reader] = windows.open(page.who, page.size, reduced_motion="reduce")
        bring_axe(readers[reader].context)
    window = readers[reader]
    if page.who is None:  # A stranger is one each time: nothing stays of what was opened before another page.
        window.context.clear_cookies()
    for name in ("lang", "theme", "elder"):
        window.context.clear_cookies(name=name)
    cookies = [{"name": name, "value": value, "url": windows.bank.url} for name, value in preferences.items()]
    if cookies:
        window.context.add_cookies(cookies)
    window.set_viewport_size(dict(zip(("width", "height"), SIZES[page.size], strict=True)))
    answer = go(window, page, windows.bank.town.values)
    assert answer.status == REFUSALS.get(page.name, 200)
    assert windows.faults == []
    return window


def test_every_page_that_there_is_is_walked(reading_bank: Bank):
    """A new page stands in _pages.py, or there among what is none and why."""
    rules = {
        rule.endpoint: rule.rule for rule in reading_bank.app.url_map.iter_rules() if "GET" in (rule.methods or ())
    }
    addresses = reading_bank.app.url_map.bind("bank.example")
    walked = set()
    for page in PAGES:
        path = page.path.format(**reading_bank.town.values).partition("?")[0]
        with suppress(NotFound):  # One of the pages is that there is none.
            walked.add(addresses.match(path)[0])
    named = set().union(*NO_PAGES.values())
    unread = {
        f"{rule} ({endpoint})"
        for endpoint, rule in rules.items()
        if endpoint not in walked | named
        and endpoint.partition(".")[0] not in NO_PAGE_BLUEPRINTS
        and not re.search(NO_PAGE_PATHS, rule)
    }
    assert unread == set()
    assert named <= rules.keys()
    assert not named & walked


@by_name(PAGES)
def test_everybody_can_read_it(readers: dict[Any, Any], page: Page):
    """By day, in the dark, in elder mode, and on a narrow phone with large letters."""
    window = look_at(readers, page)
    assert misfits(window) == []
    assert findings(window) == []
    assert shape(window) == {"headings": 1, "lang": "zh-CN", "sideways": 0}
    if page.size != "screen":
        with wearing(window, "data-theme", "dark"):
            assert ("dark", findings(window, *OF_COLOURS)) == ("dark", [])
    if page in RESIDENT + PROOFS + COUNTER and window.evaluate(HAS_MODES):
        with wearing(window, "data-elder", ""):
            assert ("elder", findings(window, *OF_SIZES)) == ("elder", [])
            assert ("elder", shape(window)["sideways"]) == ("elder", 0)
            assert too_small_for_elders(window) == []
    if page in RESIDENT + PROOFS:
        check_narrow(window)


@by_name(PAGES)
def test_it_reads_in_english(readers: dict[Any, Any], page: Page):
    window = look_at(readers, page, lang="en")
    assert misfits(window) == []
    assert findings(window, without=OF_COLOURS) == []  # They are what they are in Chinese.
    assert shape(window) == {"headings": 1, "lang": "en", "sideways": 0}
    if is_translated():
        assert left_in_chinese(window) == []
    if page in RESIDENT + PROOFS:
        check_narrow(window)


def check_narrow(window: Any) -> None:
    """See that the page never scrolls sideways, however narrow the phone and large the letters."""
    for width, factor in ((320, 1.0), (320, 1.5), (360, 2.0)):
        window.set_viewport_size({"width": width, "height": 780})
        enlarge_letters(window, factor)
        assert (width, factor, shape(window)["sideways"]) == (width, factor, 0)


def test_what_a_reader_chose_is_on_the_page_as_the_walk_puts_it_there(readers: dict[Any, Any]):
    for page in (named("home"), named("counter"), named("staff-session")):
        root = look_at(readers, page, theme="dark", elder="1").locator("html")
        assert (root.get_attribute("data-theme"), root.get_attribute("data-elder")) == ("dark", "")


def test_a_statement_is_dark_on_the_screen_and_black_on_white_on_paper(readers: dict[Any, Any]):
    window = look_at(readers, named("statement"), theme="dark", elder="1")
    assert colours(window) == {"ground": "rgb(33, 29, 24)", "ink": "rgb(239, 232, 220)", "root": 20}
    window.emulate_media(media="print")
    assert colours(window) == {"ground": "rgba(0, 0, 0, 0)", "ink": "rgb(0, 0, 0)", "root": 14}
    assert window.locator(".passbook .line-n").first.is_visible()
    window.emulate_media(media="screen")


def colours(window: Any) -> dict[str, Any]:
    """Return how the sheet of a page is set: its ground and ink, and the size of letters that all others follow."""
    found: dict[str, Any] = window.evaluate(
        """() => { const sheet = getComputedStyle(document.querySelector(".sheet"));
        const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
        return {ground: sheet.backgroundColor, ink: sheet.color, root: Math.round(root)}; }"""
    )
    return found


def test_a_posters_code_is_printed_20_cm_wide(readers: dict[Any, Any]):
    window = look_at(readers, named("poster"))
    window.emulate_media(media="print")
    box = window.locator(".poster .qr svg").bounding_box()
    window.emulate_media(media="screen")
    assert (round(box["width"] / 96 * 25.4), round(box["height"] / 96 * 25.4)) == (200, 200)


def named(name: str) -> Page:
    return next(page for page in PAGES if page.name == name)


@by_name(tuple(page for page in RESIDENT if page.who == "wei"))
def test_a_residents_page_is_light(readers: dict[Any, Any], page: Page):
    windows: Windows = readers["windows"]
    window = windows.open("wei")
    answers: list[Any] = []
    window.on("response", lambda answer: answers.append(answer))
    window.goto(page.path.format(**windows.bank.town.values), wait_until="networkidle")
    packed = sum(len(gzip.compress(answer.body())) for answer in answers if answer.status == 200)
    window.context.close()
    assert len(answers) <= RESIDENT_REQUESTS, [urlsplit(answer.url).path for answer in answers]
    assert packed <= RESIDENT_KB * 1024


def test_a_reader_moves_by_keyboard_and_sees_where_they_are(readers: dict[Any, Any]):
    window = look_at(readers, named("home"))
    stops = []
    for _ in range(8):
        window.keyboard.press("Tab")
        stops.append(
            window.evaluate(
                "() => [document.activeElement.innerText.trim(), getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert stops[0][0] == "跳到正文"
    assert "出示付款码" in [text for text, _ in stops]
    assert {outline for _, outline in stops} == {"solid"}


def is_translated() -> bool:
    """Whether every message has its English; until then its absence says nothing about a page."""
    with CATALOGUE.open("rb") as stream:
        return all(message.string and not message.fuzzy for message in read_po(stream) if message.id)


def left_in_chinese(window: Any) -> list[str]:
    """Return what is Chinese on an English page and is no name that somebody gave."""
    return [text for text in chinese(window) if any("一" <= c <= "鿿" for c in known_words().sub("", text))]
