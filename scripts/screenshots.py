"""Pictures of all pages, from a district with a year of history: for people to look at, and for the README."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from string import Formatter
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright
from sqlalchemy import Connection

from moralbank import clock, ledger, schema
from moralbank.access import queries as access
from moralbank.activities import queries as activities
from moralbank.approvals import service as approvals
from moralbank.behalf.queries import list_held
from moralbank.branches.queries import find_branch
from moralbank.db import Database
from moralbank.demo import district, logins
from moralbank.forgetting import service as forgetting
from moralbank.forgetting.errors import SessionsUnfinished
from moralbank.forgetting.service import Asked
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof
from moralbank.merchants import queries as merchants
from moralbank.redemptions import codes, numbers
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.orders import Order, Till
from moralbank.redemptions.views import TILL_COOKIE
from moralbank.residents import import_queries as imports
from moralbank.residents.queries import get_resident
from tests._browser import find_chromium
from tests._people import MadeLogin
from tests.browser._bank import Bank
from tests.browser._pages import PAGES, Page, go
from tests.browser._town import MORNING, Town, award_of, build
from tests.browser.conftest import SIZES
from tests.conftest import CHROMIUM_ARGUMENTS

README = Path("docs/screenshots")
#: Three pages side by side, and how wide each stands in the picture.
OVERVIEW = (("home", 300), ("counter-done", 640), ("audit", 700))
SINGLE = ("home", "counter-done", "display", "audit")
HEIGHT, GAP, PAPER, EDGE = 560, 24, (232, 224, 210), (190, 180, 164)
VARIANTS: dict[str, dict[str, str]] = {
    "zh": {},
    "en": {"lang": "en"},
    "zh-dark": {"theme": "dark"},
    "en-dark": {"lang": "en", "theme": "dark"},
    "en-elder": {"lang": "en", "elder": "1"},
    "zh-elder": {"elder": "1"},
}
NOW = MORNING + timedelta(minutes=40)
#: The device of the shop in the pictures.
TERMINAL = "till-of-the-pictures"


def know(db: Connection) -> Town:
    """Find in the district who reads the pages and what the pages are about."""
    demo = {login.identifier: login for login in logins.list_demo_logins(db)}
    cast = [one for name, one in demo.items() if not name.startswith(("demo-", "till-"))]
    operator = next(one for name, one in demo.items() if name.startswith("till-"))
    chosen = {
        "wei": cast[0],
        "bo": cast[-1],
        "min": demo["demo-hub"],
        "yulan": operator,
        "he": demo["demo-auditor"],
        "director": demo["demo-admin"],
        "carer": demo["demo-helper"],
    }
    town = Town()
    for name, login in chosen.items():
        principal = access.get_principal(db, login.login_id)
        town.logins[name] = MadeLogin(login.login_id, login.identifier, "", principal)
    resident_id = town.logins["wei"].principal.resident_id
    assert resident_id is not None, "the cast are residents"
    person = get_resident(db, resident_id)
    shop_id = town.logins["yulan"].principal.merchant_ids()[0]
    running, poster, waiting = (_session(db, code) for code in ("T01", "T02", "T03"))
    offers = merchants.list_offers(db, merchant_id=shop_id)
    charge_id = _buy(db, town, shop_id, offers[0].offer.offer_id)
    newest = ledger.history(db, person.book_id, person.account_id, ledger.Unit.POINTS, limit=50)
    station, hub = (branch for branch in map(partial(find_branch, db), ("NS-01", "NS-00")) if branch)
    award = award_of(db, person)
    with clock.at(NOW - timedelta(hours=3)):
        asked = approvals.ask_reversal(
            db,
            approvals.hand_of(town.logins["min"].principal, "staff"),
            person.book_id,
            award,
            "当天提前离开，签退是别人代扫的",
        )
    town.values = {
        "approval": asked.request_id,
        "award": next(line.entry_id for line in newest if line.kind == "award" and line.entry_id != award),
        "branch": station.branch_id,
        "merchant": shop_id,
        "offer": offers[0].offer.offer_id,
        "resident": resident_id,
        "login": town.logins["min"].login_id,
        "account": person.account_id,
        "month": "2026-10",
        "charge": charge_id,
        "shop_day": clock.local(NOW).date(),
        "entry": newest[0].entry_id,
        "book": hub.code,
        "session": running,
        "desk": running,
        "week": poster,
        "past_session": waiting,
        "waiting": waiting,
        "serial": activities.list_posters(db, poster)[0].serial,
        "forgetting": _ask_to_forget(db, town),
        "activity": activities.get_session(db, running).activity.activity_id,
        "helping": list_held(db, town.logins["carer"].login_id)[0].link_id,
        "import": imports.list_imports(db, [hub.branch_id, station.branch_id])[0].import_id,
    }
    return town


def _session(db: Connection, code: str) -> int:
    activity = activities.find_activity_by_code(db, code)
    assert activity is not None, "the district has it today"
    return activities.list_sessions(db, [activity.activity_id])[0].session.session_id


def _ask_to_forget(db: Connection, town: Town) -> int:
    """Let somebody of the cast have asked to be forgotten, so that the page has something to decide."""
    for name in ("bo", "wei"):
        resident_id = town.logins[name].principal.resident_id
        assert resident_id is not None, "the cast are residents"
        asked = Asked(Ground.WITHDRAWN, AskedBy.SELF, Proof.IDENTITY_CARD, Points.DONATE)
        with suppress(SessionsUnfinished), clock.at(NOW - timedelta(hours=2)):
            actor = f"admin:{town.logins['director'].login_id}"
            return forgetting.ask(db, resident_id, asked, actor=actor).request_id
    return 0


def _buy(db: Connection, town: Town, merchant_id: int, offer_id: int) -> int:
    """Let two residents come to the shop this morning; return the second charge, which can still be undone."""
    till = Till(merchant_id, town.logins["yulan"].login_id, TERMINAL)
    charge_id = 0
    for minutes, who in ((7, "bo"), (0, "wei")):
        resident_id = town.logins[who].principal.resident_id
        assert resident_id is not None, "the cast are residents"
        with clock.at(NOW - timedelta(minutes=minutes)):
            number = codes.issue_code(db, resident_id).number
            order = Order(offer_id, None, numbers.Means.CODE, number)
            charge_id = redemptions.charge(db, till, order, f"picture-{who}").charge_id
    return charge_id


def open_bank(folder: Path) -> Bank:
    """Fill a bank of its own with the district and open it on the Saturday morning."""
    url = f"sqlite:///{folder / 'district.db'}"
    os.environ["MORALBANK_VAR"] = str(folder)
    schema.migrate(url)
    database = Database(url)
    with clock.at(NOW):
        district.load_district(database, district.Scale(), lambda days: None)
        town = database.transact(know)
    database.dispose()
    return Bank(url, town)


def pictures(
    chromium: Any, bank: Bank, variant: str, pages: tuple[Page, ...], *, whole: bool, at: str = "9:40"
) -> Iterator[Any]:
    """Give each page with its picture as PNG bytes."""
    windows: dict[Any, Any] = {}
    bank.set_clock(at)
    for page in pages:
        reader = page.who, page.size
        if reader not in windows:
            width, height = SIZES[page.size]
            context = chromium.new_context(
                base_url=bank.url, viewport={"width": width, "height": height}, locale="zh-CN"
            )
            context.add_cookies(_given(bank, variant, page.who))
            windows[reader] = context.new_page()
        if page.who is None:  # A stranger is one each time.
            windows[reader].context.clear_cookies()
            windows[reader].context.add_cookies(_given(bank, variant, None))
        go(windows[reader], page, bank.town.values)
        windows[reader].evaluate("document.activeElement?.blur()")
        if whole:  # A window as high as the page: what sticks to its foot covers nothing.
            height = windows[reader].evaluate("document.documentElement.scrollHeight")
            windows[reader].set_viewport_size({"width": SIZES[page.size][0], "height": height})
        yield page, windows[reader].screenshot()
        windows[reader].set_viewport_size(dict(zip(("width", "height"), SIZES[page.size], strict=True)))
    for window in windows.values():
        window.context.close()


def _given(bank: Bank, variant: str, who: str | None) -> list[dict[str, Any]]:
    """Return the cookies of a reader who chose a variant."""
    chosen = VARIANTS[variant] | {TILL_COOKIE: TERMINAL}
    given: list[dict[str, Any]] = [{"name": name, "value": value, "url": bank.url} for name, value in chosen.items()]
    return [*given, *([bank.cookie_of(who)] if who else [])]


def is_in_district(page: Page, town: Town) -> bool:
    """Tell whether the district has what the page is about; the town of the browser tests has it of every page."""
    named = {field for _, field, *_ in Formatter().parse(page.path) if field}
    return not page.via and named <= town.values.keys() and (page.who is None or page.who in town.logins)


def open_town(folder: Path) -> Bank:
    """Fill a second bank with the town of the browser tests, for the pages of which the district has nothing."""
    url = f"sqlite:///{folder / 'town.db'}"
    schema.migrate(url)
    database = Database(url)
    town = database.transact(build)
    database.dispose()
    return Bank(url, town)


def renew_readme(chromium: Any, bank: Bank) -> None:
    """Write the overviews of the two READMEs and a few single pages, small enough to keep."""
    README.mkdir(parents=True, exist_ok=True)
    for variant, suffix in (("en", ""), ("zh", ".zh-CN")):
        wanted = tuple(page for page in PAGES if page.name in SINGLE)
        taken = {
            page.name: Image.open(BytesIO(png)) for page, png in pictures(chromium, bank, variant, wanted, whole=False)
        }
        _save(_side_by_side([_scaled(taken[name], width) for name, width in OVERVIEW]), f"overview{suffix}", 1712)
        if variant == "zh":
            for name in SINGLE:
                _save(taken[name], name, 360 if taken[name].height > taken[name].width else 800)


def _side_by_side(parts: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (sum(part.width for part in parts) + GAP * (len(parts) + 1), HEIGHT + 2 * GAP), PAPER)
    left = GAP
    for part in parts:
        shown = part.crop((0, 0, part.width, min(part.height, HEIGHT)))
        top = GAP + (HEIGHT - shown.height) // 2
        sheet.paste(shown, (left, top))
        box = (left - 1, top - 1, left + shown.width, top + shown.height)
        ImageDraw.Draw(sheet).rectangle(box, outline=EDGE)
        left += shown.width + GAP
    return sheet


def _scaled(picture: Image.Image, width: int) -> Image.Image:
    height = picture.height * width // picture.width
    return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _save(picture: Image.Image, name: str, width: int) -> None:
    path = README / f"{name}.png"
    _scaled(picture, width).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


def main(arguments: list[str]) -> None:
    """Take the pictures that the arguments ask for."""
    if not arguments:
        sys.exit(__doc__ + "\nUsage: scripts/screenshots FOLDER [NAME …] | --readme")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        bank = open_bank(Path(folder))
        chromium = driver.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        if arguments == ["--readme"]:
            renew_readme(chromium, bank)
        else:
            target, names = Path(arguments[0]), arguments[1:]
            target.mkdir(parents=True, exist_ok=True)
            pages = [page for page in PAGES if not names or page.name in names]
            there = tuple(page for page in pages if is_in_district(page, bank.town))
            elsewhere = tuple(page for page in pages if page not in there)
            town = open_town(Path(folder))
            for variant in VARIANTS:
                taken = pictures(chromium, bank, variant, there, whole=True)
                others = pictures(chromium, town, variant, elsewhere, whole=True, at="9:05")
                for page, png in chain(taken, others):
                    (target / f"{page.name}-{variant}.png").write_bytes(png)
            town.close()
        chromium.close()
        bank.close()


if __name__ == "__main__":
    main(sys.argv[1:])
