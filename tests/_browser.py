"""Finds the Chromium the browser tests drive. Run as a script it prints the path, or exits 1 when there is none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MACOS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

#: Run in a window before any page: a page waits 20 times longer for an answer before it takes it for lost. A machine
#: with much else to do is slow without losing anything; where an answer is to be lost, the test cuts the network.
PATIENCE = "const timeout = AbortSignal.timeout; AbortSignal.timeout = (ms) => timeout.call(AbortSignal, 20 * ms);"


def find_chromium() -> str | None:
    """Return the path of a Chromium, $MORALBANK_CHROMIUM first, or None."""
    if chosen := os.environ.get("MORALBANK_CHROMIUM"):
        return chosen
    found = (shutil.which(name) for name in _NAMES)
    return next((path for path in found if path), None) or next((p for p in _MACOS if Path(p).exists()), None)


if __name__ == "__main__":
    path = find_chromium()
    if path is None:
        sys.exit(1)
    print(path)
