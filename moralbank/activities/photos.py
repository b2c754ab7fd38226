"""Reads the code on a photographed card. A photo is looked at in memory and never kept."""

from __future__ import annotations

from io import BytesIO

import zxingcpp
from PIL import Image, UnidentifiedImageError

from moralbank.activities.errors import BadPicture

MAX_BYTES = 2 * 1024 * 1024
MAX_EDGE = 4096
#: A card in a photo of this size is as readable as in a larger one, and ten times as fast to find.
WORKING_EDGE = 1280
_FILE_FORMATS = ("JPEG", "PNG", "WEBP")
_CODE_FORMATS = (zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128)


def read_photo(octets: bytes) -> str | None:
    """Return the text of the first code in a photo, or None. Raises: BadPicture, judged by the header alone."""
    if not 0 < len(octets) <= MAX_BYTES:
        raise BadPicture()
    try:
        with Image.open(BytesIO(octets), formats=_FILE_FORMATS) as photo:
            if max(photo.size) > MAX_EDGE:
                raise BadPicture()
            photo.draft("L", (WORKING_EDGE, WORKING_EDGE))
            grey = photo.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        raise BadPicture() from None
    small = grey.copy()
    small.thumbnail((WORKING_EDGE, WORKING_EDGE))
    for picture in (small, grey) if small.size != grey.size else (grey,):
        found = zxingcpp.read_barcode(picture, formats=_CODE_FORMATS)
        if found is not None and found.text:
            return found.text
    return None
