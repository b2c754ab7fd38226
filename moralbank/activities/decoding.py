"""Reads the code in one frame of a live camera, and how many frames a phone may send. A frame is never kept."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock

import zxingcpp
from PIL import Image, UnidentifiedImageError

from moralbank.activities.errors import BadFrame

MAX_BYTES = 200 * 1024
MAX_EDGE = 1280
FRAMES_PER_SECOND = 4
#: A frame that the network held up comes close behind the one before: so long a time is looked at together.
_WINDOW_SECONDS = 2
#: Longer than anything we print; what else stands in a code is nobody's here.
TEXT_MAX = 100
_FILE_FORMATS = ("JPEG", "PNG", "WEBP")
_CODE_FORMATS = (zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128)


def read_frame(octets: bytes) -> str | None:
    """Return the text of the code in a frame, or None: the next frame is looked at instead of trying this one harder.

    Raises: BadFrame, judged by the length and the picture's header before anything of it is unpacked.
    """
    if not 0 < len(octets) <= MAX_BYTES:
        raise BadFrame()
    try:
        with Image.open(BytesIO(octets), formats=_FILE_FORMATS) as frame:
            if max(frame.size) > MAX_EDGE:
                raise BadFrame()
            frame.draft("L", frame.size)
            grey = frame.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        raise BadFrame() from None
    found = zxingcpp.read_barcode(grey, formats=_CODE_FORMATS)
    return found.text[:TEXT_MAX] if found is not None and found.text else None


@dataclass
class Pace:
    """How fast phones send frames: four a second each, whoever sends more waits. Each process counts for itself."""

    _times: dict[int, deque[float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def wait_seconds(self, phone: int, now: float) -> float:
        """Return 0 and count the frame, or how long the phone must wait before its next."""
        with self._lock:
            times = self._times.setdefault(phone, deque())
            while times and times[0] <= now - _WINDOW_SECONDS:
                times.popleft()
            if len(times) >= FRAMES_PER_SECOND * _WINDOW_SECONDS:
                return times[0] + _WINDOW_SECONDS - now
            times.append(now)
            if len(self._times) > 1_000:
                self._forget_idle(now)
            return 0

    def _forget_idle(self, now: float) -> None:
        for phone in [phone for phone, times in self._times.items() if times[-1] <= now - _WINDOW_SECONDS]:
            del self._times[phone]
