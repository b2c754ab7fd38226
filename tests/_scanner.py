"""A scanner that types: real key events, each stamped a scanner's 10 ms after the one before.

The stamps are given: on a busy machine the keys arrive at any pace, and a test must not depend on that.
"""

from __future__ import annotations

import time
from typing import Any

SCANNER_SECONDS = 0.010


def type_as_scanner(page: Any, text: str, *, enter: bool = False) -> None:
    """Type digits into whatever has the focus, and perhaps Enter, at a scanner's pace by their time stamps."""
    session = page.context.new_cdp_session(page)
    keys = [
        {"key": digit, "code": f"Digit{digit}", "windowsVirtualKeyCode": ord(digit), "text": digit} for digit in text
    ]
    if enter:
        keys.append({"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"})
    begun = time.time()
    for place, key in enumerate(keys):
        common = key | {"timestamp": begun + place * SCANNER_SECONDS}
        written = common.pop("text")
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": written, **common})
        session.send("Input.dispatchKeyEvent", {"type": "keyUp", **common})
    session.detach()
