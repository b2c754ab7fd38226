"""What eyes, scanners and thumbs do: read a code from a picture, and type as a scanner does."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import zxingcpp
from PIL import Image

from tests._scanner import type_as_scanner

PERSON_MS = 90


def read_code(page: Any, selector: str = "body", kind: str = "QRCode") -> str:
    """Return what the code says that stands on the page, as a camera in front of the screen reads it."""
    picture = Image.open(BytesIO(page.locator(selector).first.screenshot()))
    codes = zxingcpp.read_barcodes(picture)
    found = [code.text for code in codes if kind in str(code.format).replace(" ", "")]
    assert found, f"no {kind} in sight"
    return found[0]


def scan(page: Any, code: str, *, enter: bool = True, into: str | None = None) -> None:
    """Type a code as a scanner does: a key every few milliseconds, mostly with Enter at the end."""
    if into is not None:
        page.focus(into)
    type_as_scanner(page, code, enter=enter)


def by_hand(page: Any, text: str) -> None:
    page.keyboard.type(text, delay=PERSON_MS)
