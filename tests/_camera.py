"""A camera that films what a test holds before it: codes as pictures, photos of them by shaky hands, and films of both.

Chromium plays a film as its camera (FAKE_CAMERA); the file may be written anew, the next opening plays the new one.
"""

from __future__ import annotations

import random
import re
from io import BytesIO
from pathlib import Path

import segno
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from moralbank.web.pictures import bars_svg

#: What makes Chromium take a film for its camera, without asking anybody.
FAKE_CAMERA = (
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--use-file-for-fake-video-capture={film}",
)
SIZE = (640, 480)
PAPER, TABLE = 250, 120


def qr(text: str, error: str = "q") -> Image.Image:
    """Return a QR code as it is printed, with its quiet zone."""
    octets = BytesIO()
    segno.make(text, error=error, micro=False, boost_error=False).save(octets, kind="png", scale=8, border=4)
    return Image.open(octets).convert("L")


def bars(digits: str, module: int = 4) -> Image.Image:
    """Return our own Code 128 as it is printed."""
    svg = bars_svg(digits, 60)
    whole = re.search(r'viewBox="0 0 (\d+)', svg)
    assert whole, "a bar code is as wide as it says"
    picture = Image.new("L", (int(whole[1]) * module, 60 * module), 255)
    pen = ImageDraw.Draw(picture)
    for start, width in re.findall(r"M(\d+) 0h(\d+)", svg):
        left = int(start) * module
        pen.rectangle((left, 0, left + int(width) * module - 1, 60 * module), 0)
    return picture


def still(picture: Image.Image, share: float = 0.6) -> Image.Image:
    """Return the camera's view of a picture that fills a share of its height."""
    view = Image.new("L", SIZE, TABLE)
    view.paste(PAPER, (40, 20, SIZE[0] - 40, SIZE[1] - 20))
    factor = min(share * SIZE[1] / picture.height, 0.9 * SIZE[0] / picture.width)
    small = picture.resize((int(picture.width * factor), int(picture.height * factor)))
    view.paste(small, ((SIZE[0] - small.width) // 2, (SIZE[1] - small.height) // 2))
    return view


def film(path: Path, *pictures: Image.Image) -> None:
    """Write a film of these views, which is played round and round."""
    with path.open("wb") as reel:
        for picture in pictures:
            for _ in range(6):
                picture.save(reel, format="JPEG", quality=85)


def photograph(picture: Image.Image, edge: int, seed: int, severity: float = 1) -> bytes:
    """Return a JPEG of a printed code by a hand that isn't still: turned, askew, soft, noisy, in bad light.

    edge: of the photo in pixels. At severity 1: turned up to 12 degrees, corners off by up to 4 %, a blur of 0.7 pixels
    at 640, light between 70 and 120 %, grain of a deviation of 10, JPEG at 70.
    """
    dice = random.Random(f"{seed}:{edge}:{severity}")
    wide = Image.new("L", (edge * 2, edge * 2), TABLE)
    share = dice.uniform(0.55, 0.8)
    factor = share * 2 * edge / max(picture.size)
    printed = picture.resize((int(picture.width * factor), int(picture.height * factor)), Image.Resampling.LANCZOS)
    wide.paste(printed, ((wide.width - printed.width) // 2, (wide.height - printed.height) // 2))
    wide = wide.rotate(dice.uniform(-12, 12) * severity, Image.Resampling.BICUBIC, fillcolor=TABLE)
    slack = 0.04 * severity * wide.width
    off = [dice.uniform(-slack, slack) for _ in range(8)]
    far = wide.width
    corners = (0, 0, 0, far, far, far, far, 0)
    quad = tuple(corner + shift for corner, shift in zip(corners, off, strict=True))
    view = wide.transform((edge, edge), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC, fillcolor=TABLE)
    view = view.filter(ImageFilter.GaussianBlur(0.7 * severity * edge / 640))
    view = ImageEnhance.Brightness(view).enhance(dice.uniform(1 - 0.3 * severity, 1 + 0.2 * severity))
    view = _add(view, Image.effect_noise(view.size, 20 * severity))
    octets = BytesIO()
    view.convert("RGB").save(octets, format="JPEG", quality=int(70 / max(severity, 1)))
    return octets.getvalue()


def _add(view: Image.Image, grain: Image.Image) -> Image.Image:
    """Add grain around middle grey to a view, half of its deviation."""
    return ImageChops.add(view, grain.point(lambda value: value // 2), 1, -64)
