"""A scanner that types: real key events, each stamped a scanner's 10 ms after the one before.

The stamps are given: on a busy machine the keys arrive at any pace, and a test must not depend on that.
"""

from __future__ import annotations

import time
from typing import Any

SCANNER_SECONDS = 0.010


def type_as_scanner(page: Any, text: str) -> None:
    """Type digits into whatever has the focus, at a scanner's pace by their time stamps."""
    session = page.context.new_cdp_session(page)
    begun = time.time()
    for place, key in enumerate(text):
        stamp = begun + place * SCANNER_SECONDS
        common = {"key": key, "code": f"Digit{key}", "windowsVirtualKeyCode": ord(key), "timestamp": stamp}
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": key, **common})
        session.send("Input.dispatchKeyEvent", {"type": "keyUp", **common})
    session.detach()
