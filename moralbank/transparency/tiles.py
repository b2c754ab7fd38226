"""Tiles: 256 hashes of one level in a row, how they are named and found. Pure.

Source: C2SP tlog-tiles. A tile (L, N) holds the hashes of level 8·L from index 256·N on; one with fewer than 256 is
partial, and stands only for the tree sizes at which it has just so many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moralbank.transparency.tree import HASH_BYTES

HEIGHT = 8
WIDTH = 1 << HEIGHT
#: Trees have at most 2^63 leaves.
LEVEL_MAX = 7
#: In a path, where a level's number would be: the leaves' bytes themselves.
ENTRIES = -1
_LEAF_BYTES_MAX = 0xFFFF
_PATH = re.compile(
    r"tile/(0|[1-9]\d?|entries)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a tile is, and how many hashes (or, at level ENTRIES, leaves) it holds."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def is_full(self) -> bool:
        return self.width == WIDTH

    @property
    def path(self) -> str:
        """Its address below the log's own."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.is_full else f".p/{self.width}"
        return f"tile/{level}/{_spell(self.index)}{partial}"

    @property
    def first_leaf(self) -> int:
        """The first leaf below it."""
        return self.index << HEIGHT * (max(self.level, 0) + 1)

    def is_in(self, size: int) -> bool:
        """Tell whether a tree of `size` leaves has so many hashes there."""
        return width_at(size, self.level, self.index) >= self.width


def parse_path(path: str) -> Tile | None:
    """Read the address of a tile, in its one spelling; None when it isn't one."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level, number, width = found.groups()
    index = int(number.replace("x", "").replace("/", ""))
    tile = Tile(ENTRIES if level == "entries" else int(level), index, int(width) if width else WIDTH)
    # Leading groups of zeroes and a partial tile as wide as a full one would be second spellings.
    return tile if tile.level <= LEVEL_MAX and index < 1 << 63 and tile.path == path else None


def width_at(size: int, level: int, index: int) -> int:
    """Return how many hashes tile (level, index) has in a tree of `size` leaves: 0 to 256."""
    there = size >> HEIGHT * max(level, 0)
    return min(max(there - index * WIDTH, 0), WIDTH)


def partial_tiles(size: int) -> Iterator[Tile]:
    """Return the partial tiles of a tree of `size` leaves, from the leaves up."""
    for level in range(LEVEL_MAX + 1):
        index, width = divmod(size >> HEIGHT * level, WIDTH)
        if width:
            yield Tile(level, index, width)


def split(hashes: bytes) -> list[bytes]:
    """Return the hashes that a tile's bytes are. Raises ValueError when they aren't whole."""
    if len(hashes) % HASH_BYTES:
        raise ValueError("a tile of broken hashes")
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def bundle(leaves: Sequence[bytes]) -> bytes:
    """Return the leaves as an entry bundle: each behind its length in two octets."""
    assert all(len(leaf) <= _LEAF_BYTES_MAX for leaf in leaves)
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def _spell(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))
