"""Photos of what merchants give: read by what they are, made small, without whatever a phone wrote into the file.

A photo goes with what shows it: once no offer and no draft does, it is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import sqlalchemy as sa
from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.engine import Connection

from moralbank import clock, ids
from moralbank.merchants.errors import BadPhoto, UnknownPhoto
from moralbank.merchants.models import drafts, offers, photos

#: What a phone's camera makes; larger files are refused unread.
MAX_BYTES = 6 * 1024 * 1024
#: A JPEG is unpacked at a fraction of its size, others whole.
_JPEG_PIXELS, _OTHER_PIXELS = 64_000_000, 16_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")
_EDGE_MIN = 64
#: Every photo is shown at this size, so that a page stands still while it loads.
WIDTH, HEIGHT = 640, 480
KEPT_BYTES = 40 * 1024
_QUALITIES = (80, 70, 60, 50, 40, 30, 20)
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as it is shown: a JPEG."""

    photo_key: str
    merchant_id: int
    octets: bytes


def shrink(octets: bytes) -> bytes:
    """Return a picture as the JPEG that is kept: upright, whole on white, of pixels alone.

    Raises: BadPhoto, judged by the length and the picture's header before anything of it is unpacked.
    """
    if not 0 < len(octets) <= MAX_BYTES:
        raise BadPhoto()
    try:
        with Image.open(BytesIO(octets), formats=_FORMATS) as picture:
            wide, high = picture.size
            most = _JPEG_PIXELS if picture.format == "JPEG" else _OTHER_PIXELS
            if wide * high > most or min(wide, high) < _EDGE_MIN:
                raise BadPhoto()
            picture.draft("RGB", (WIDTH * 2, WIDTH * 2))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((WIDTH * 2, WIDTH * 2))
            layers = upright.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadPhoto() from None
    whole = Image.new("RGB", layers.size, "white")
    whole.paste(layers, mask=layers.getchannel("A"))
    shown = ImageOps.pad(whole, (WIDTH, HEIGHT), color="white")
    for quality in _QUALITIES:
        made = BytesIO()
        shown.save(made, "JPEG", quality=quality, optimize=True, progressive=True)
        if made.tell() <= KEPT_BYTES:
            return made.getvalue()
    # Nothing but noise is still larger; smoothed it fits.
    made = BytesIO()
    shown.resize((WIDTH // 8, HEIGHT // 8)).resize((WIDTH, HEIGHT)).save(made, "JPEG", quality=_QUALITIES[-1])
    return made.getvalue()


def keep(db: Connection, merchant_id: int, octets: bytes, actor: str) -> str:
    """Keep a photo that `shrink` made, and return the key that its address is made of."""
    key = ids.token(_KEY_BYTES)
    row = {"photo_key": key, "merchant_id": merchant_id, "octets": octets}
    db.execute(photos.insert().values(row | {"added_at": clock.now(), "added_by": actor}))
    return key


def get_photo(db: Connection, photo_key: str) -> Photo:
    """Return a photo. Raises: UnknownPhoto."""
    columns = [photos.c[name] for name in Photo.__slots__]
    row = db.execute(sa.select(*columns).where(photos.c.photo_key == photo_key)).first()
    if row is None:
        raise UnknownPhoto()
    return Photo(*row)


def drop_unshown(db: Connection, photo_key: str | None) -> None:
    """Delete a photo that no offer and no draft shows any more."""
    if photo_key is None:
        return
    is_shown = sa.or_(
        *(sa.exists().where(table.c.photo_key == photos.c.photo_key) for table in (offers, drafts)),
    )
    db.execute(photos.delete().where(photos.c.photo_key == photo_key, ~is_shown))
