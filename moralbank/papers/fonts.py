"""Which fonts there are for paper, and which characters they can show."""

from __future__ import annotations

import os
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_WHEEL = "pylopdf_fonts_zh_cn"
_SYSTEM = (Path("/usr/share/fonts/opentype/noto"), Path("/usr/share/fonts/truetype/wqy"))
_SUFFIXES = (".otf", ".ttf", ".ttc", ".otc")
#: A font that can't show this is no font for a bank whose residents have Chinese names.
_PROBE = ord("永")


def directories() -> list[Path]:
    """Return where fonts are: MORALBANK_FONT_DIR (with what it lacks filled in), the wheel, the system's.

    The directory of the setting comes first, so that its fonts serve before any other and the others serve for the
    rare characters that it lacks.
    """
    named = os.environ.get("MORALBANK_FONT_DIR")
    wheel = find_spec(_WHEEL)
    found = [Path(named)] if named else []
    found += [Path(place) for place in (wheel.submodule_search_locations or [])] if wheel else []
    # Looked at last: which fonts a system has differs, and paper should look the same everywhere.
    if not found:
        found += [place for place in _SYSTEM if place.is_dir()]
    return found


def files() -> list[Path]:
    """Return every font file of the directories, in the order in which they serve."""
    return [path for place in directories() for path in sorted(place.rglob("*")) if path.suffix.lower() in _SUFFIXES]


@cache
def coverage(paths: tuple[Path, ...]) -> frozenset[int]:
    """Return the code points that any of the font files can show."""
    return frozenset(point for path in paths for point in _code_points(path.read_bytes()))


def can_show_chinese(covered: frozenset[int]) -> bool:
    return _PROBE in covered


def marked(text: str, covered: frozenset[int]) -> str:
    """Return a text with every character that can't be shown named in its place: 吉〔U+2B5AF〕.

    What has no shape of its own (joiners, variation selectors) only changes its neighbour, and goes.
    """
    return "".join(_shown(text, covered))


def _shown(text: str, covered: frozenset[int]) -> Iterator[str]:
    for character in unicodedata.normalize("NFC", text):
        point = ord(character)
        if point in covered or character == "\n":
            yield character
        elif character == "\t":
            yield " "
        elif not _is_shapeless(character):
            yield f"〔U+{point:04X}〕"


def _is_shapeless(character: str) -> bool:
    point = ord(character)
    return unicodedata.category(character) == "Cf" or 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF


def _code_points(font: bytes) -> Iterator[int]:
    """Yield the code points of a font file's character map. Source: OpenType, tables `cmap`, formats 4 and 12."""
    start = struct.unpack_from(">I", font, 12)[0] if font[:4] == b"ttcf" else 0
    for number in range(struct.unpack_from(">H", font, start + 4)[0]):
        tag, _, offset, _ = struct.unpack_from(">4sIII", font, start + 12 + 16 * number)
        if tag == b"cmap":
            for at in _subtables(font, offset):
                yield from _of_format_4(font, at)
                yield from _of_format_12(font, at)
            return


def _subtables(font: bytes, cmap: int) -> Sequence[int]:
    count = struct.unpack_from(">H", font, cmap + 2)[0]
    return sorted({cmap + struct.unpack_from(">I", font, cmap + 4 + 8 * number + 4)[0] for number in range(count)})


def _of_format_4(font: bytes, at: int) -> Iterator[int]:
    if struct.unpack_from(">H", font, at)[0] != 4:
        return
    segments = struct.unpack_from(">H", font, at + 6)[0] // 2
    ends = struct.unpack_from(f">{segments}H", font, at + 14)
    starts = struct.unpack_from(f">{segments}H", font, at + 16 + 2 * segments)
    deltas = struct.unpack_from(f">{segments}H", font, at + 16 + 4 * segments)
    ranges_at = at + 16 + 6 * segments
    ranges = struct.unpack_from(f">{segments}H", font, ranges_at)
    for number, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for point in range(first, min(last, 0xFFFE) + 1):
            if ranges[number]:
                place = ranges_at + 2 * number + ranges[number] + 2 * (point - first)
                glyph = struct.unpack_from(">H", font, place)[0]
            else:
                glyph = (point + deltas[number]) & 0xFFFF
            if glyph:
                yield point


def _of_format_12(font: bytes, at: int) -> Iterator[int]:
    if struct.unpack_from(">H", font, at)[0] != 12:
        return
    for number in range(struct.unpack_from(">I", font, at + 12)[0]):
        first, last, glyph = struct.unpack_from(">III", font, at + 16 + 12 * number)
        yield from range(first + (glyph == 0), last + 1)
