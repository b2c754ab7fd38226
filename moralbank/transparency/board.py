"""A root as people copy it from a notice board: hex digits in groups, or 24 Chinese characters. Pure.

256 bits of root and 8 check bits are 24 numbers of 11 bits, each a character of a fixed table (docs/board/README.md
says how the table came to be; it never changes). The check bits are a sum over GF(2^8): of all slips of one
character and of all swaps of two characters they let pass 7 in 2,047, the fewest that 8 bits can, and none of those 7
looks or sounds alike.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files

from moralbank.transparency.board_errors import BoardCharacterUnknown, BoardLength, BoardMistyped

CHARACTERS = 24
HEX_DIGITS = 64
ROOT_BYTES = 32
_BITS = 11
_CHECK_BITS = 8
_HEX = frozenset("0123456789abcdef")
#: What the three high bits of a number add to its low eight: chosen so that no two characters whose numbers differ by a
#: value that is lost in this sum look alike or sound alike.
_FOLDED = (0, 176, 96, 208, 192, 112, 160, 16)
#: The field's polynomial, x^8 + x^4 + x^3 + x^2 + 1; x is of order 255 in it.
_POLYNOMIAL = 0x11D


@cache
def table() -> str:
    """Return the 2,048 characters in the order of their numbers."""
    text = files("moralbank.transparency").joinpath("board_characters.txt").read_text(encoding="utf-8")
    return "".join(text.split())


@cache
def _numbers() -> dict[str, int]:
    return {character: number for number, character in enumerate(table())}


def spell(root: bytes) -> str:
    """Return the 24 characters of a root."""
    assert len(root) == ROOT_BYTES, "a root is a SHA-256 hash"
    bits = int.from_bytes(root) << _CHECK_BITS
    numbers = [bits >> _BITS * place & 0x7FF for place in reversed(range(CHARACTERS))]
    # What is wrong with a sum without check bits is what they have to be: they are the last place's own low bits.
    numbers[-1] |= _sum(numbers)
    return "".join(table()[number] for number in numbers)


def groups(text: str, size: int = 4) -> list[str]:
    """Return characters or hex digits in groups, as they are printed."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def read(text: str) -> bytes:
    """Return the root that somebody typed, as 24 characters or as 64 hex digits, in groups or not.

    Raises (in the order checked): BoardCharacterUnknown, BoardLength, BoardMistyped.
    """
    typed = plain(text)
    if typed and set(typed.lower()) <= _HEX:
        if len(typed) != HEX_DIGITS:
            raise BoardLength(count=len(typed), wanted=HEX_DIGITS)
        return bytes.fromhex(typed)
    for place, character in enumerate(typed, 1):
        if character not in _numbers():
            raise BoardCharacterUnknown(place=place, character=character)
    if len(typed) != CHARACTERS:
        raise BoardLength(count=len(typed), wanted=CHARACTERS)
    numbers = [_numbers()[character] for character in typed]
    if _sum(numbers):
        raise BoardMistyped()
    bits = 0
    for number in numbers:
        bits = bits << _BITS | number
    return (bits >> _CHECK_BITS).to_bytes(ROOT_BYTES)


def plain(text: str) -> str:
    """Return what was typed without spaces, line breaks and punctuation, full-width letters as plain ones."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(character for character in normal if unicodedata.category(character)[0] not in "ZPCS")


def differences(typed: str, root: bytes) -> list[int]:
    """Return the places, counted from 1, at which 24 characters or 64 hex digits are not those of a root."""
    given = plain(typed)
    right = root.hex() if set(given.lower()) <= _HEX else spell(root)
    pairs = zip(given.lower(), right, strict=False)
    return [place for place, (one, other) in enumerate(pairs, 1) if one != other]


def _sum(numbers: list[int]) -> int:
    """Return the sum of all places, each times x to the power of how far it is from the end; 0 for a whole spelling."""
    total = 0
    for number in numbers:
        total = total << 1 ^ (_POLYNOMIAL if total & 0x80 else 0)
        total ^= number & 0xFF ^ _FOLDED[number >> 8]
    return total
