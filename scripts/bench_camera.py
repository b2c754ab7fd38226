"""The camera at the door, measured: a card before Chromium's camera until its result stands there; photos of codes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from moralbank import ids, schema
from moralbank.activities import decoding
from moralbank.db import Database
from moralbank.residents.enrolment import Person, enrol_many
from moralbank.residents.queries import cards_in_force
from tests._browser import find_chromium
from tests._camera import FAKE_CAMERA, bars, film, photograph, qr, still
from tests.browser._bank import Bank
from tests.browser._town import build
from tests.conftest import CHROMIUM_ARGUMENTS

DECODES = 200
GOALS = "goals: p95 ≤ 1,000 ms, decoding ≤ 10 ms"


def printed() -> dict[str, Any]:
    """Return a picture of every code that the bank prints or shows, by what it is."""
    card, payment = ids.checked_digits("70", 20), ids.checked_digits("71", 14)
    host, token, root = "https://moralbank.example.org", "x" * 27, "0123456789abcdef" * 4
    return {
        "card, QR 1-Q": qr(card),
        "card, Code 128": bars(card),
        "payment code, QR 1-Q": qr(payment),
        "payment code, Code 128": bars(payment),
        "code on the screen, level M": qr(f"{host}/a/{token}", "m"),
        "poster, level Q": qr(f"{host}/a/{token}", "q"),
        "slip's proof, level M": qr(f"{host}/log/NS-00/entries/{root[:32]}", "m"),
    }


def run_photos(number: int) -> None:
    """Print how many photos of each code are read, and how long that takes."""
    for edge in (640, 480):
        for severity in (1.0, 1.5):
            for name, picture in printed().items():
                read, seconds = 0, []
                for seed in range(number):
                    photo = photograph(picture, edge, seed, severity)
                    began = time.perf_counter()
                    read += decoding.read_frame(photo) is not None
                    seconds.append(time.perf_counter() - began)
                median = statistics.median(seconds) * 1000
                print(f"{edge} px, severity {severity}: {name}: {read}/{number}, {median:.1f} ms", flush=True)


def run_camera(runs: int) -> None:
    """Print the time from the first frame with a card to its result in the page, over so many cards."""
    decode = _decode_ms()
    with tempfile.TemporaryDirectory(prefix="moralbank-camera-") as folder, sync_playwright() as driver:
        bank, cards = _bank(Path(folder), runs)
        reel = Path(folder) / "film.mjpeg"
        try:
            times = [_one(driver, bank, reel, card) for card in cards]
        finally:
            bank.close()
    times.sort()
    p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
    print(f"camera to accepted, {runs} runs: p50 {statistics.median(times):.0f} ms, p95 {p95:.0f} ms")
    print(f"decoding a frame of 640×480, {DECODES} frames: median {decode:.1f} ms; {GOALS}")


def _decode_ms() -> float:
    octets = BytesIO()
    still(qr(ids.checked_digits("70", 20))).save(octets, format="JPEG", quality=50)
    seconds = []
    for _ in range(DECODES):
        began = time.perf_counter()
        assert decoding.read_frame(octets.getvalue()) is not None, "a still card is read"
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def _bank(folder: Path, runs: int) -> tuple[Bank, list[str]]:
    """Open a bank whose town has so many more people, and return their cards."""
    url = f"sqlite:///{folder / 'moralbank.db'}"
    schema.migrate(url)
    database = Database(url)

    def settle(db: Any) -> tuple[Any, list[str]]:
        town = build(db)
        station = town.branches["NS-01"]
        people = [Person(f"居民{number}", station.branch_id) for number in range(runs)]
        enrolled = enrol_many(db, station.book_id, people, actor="staff:1")
        return town, [card.number for card in cards_in_force(db, [new.resident_id for new in enrolled]).values()]

    town, cards = database.transact(settle)
    database.dispose()
    return Bank(url, town), cards


def _one(driver: Any, bank: Bank, reel: Path, card: str) -> float:
    """Let the camera see a card and return the milliseconds from the first frame in the page to the result."""
    film(reel, still(qr(card)))
    with _window(driver, bank, reel) as page:
        page.goto(f"/staff/desk/{bank.town.values['desk']}")
        page.evaluate(_WATCH)
        page.locator("[data-camera-start]").click()
        found: float = page.evaluate("() => globalThis.measured")
        return found


#: Resolves to the milliseconds between the camera's first frame and the result of the scan.
_WATCH = """() => {
  const video = document.querySelector("video"), answer = document.querySelector("#answer");
  let began = 0;
  video.addEventListener("loadeddata", () => { began = performance.now(); }, { once: true });
  globalThis.measured = new Promise((done) => {
    new MutationObserver(() => {
      if (answer.querySelector(".result.ok")) done(performance.now() - began);
    }).observe(answer, { childList: true, subtree: true });
  });
}"""


@contextmanager
def _window(driver: Any, bank: Bank, reel: Path) -> Iterator[Any]:
    flags = [flag.format(film=reel) for flag in FAKE_CAMERA]
    browser = driver.chromium.launch(executable_path=find_chromium(), args=[*CHROMIUM_ARGUMENTS, *flags])
    context = browser.new_context(base_url=bank.url, permissions=["camera"], viewport={"width": 360, "height": 780})
    context.add_cookies([bank.cookie_of("min")])
    try:
        yield context.new_page()
    finally:
        browser.close()
