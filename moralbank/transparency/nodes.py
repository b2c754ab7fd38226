"""The hashes of a stored tree: full tiles as they stand, the ragged edge from the leaves and from the tiles below it.

Reads only. Whoever alters a stored leaf or tile gets hashes that lead to no signed root.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank.transparency import leaves, models, tiles, tree
from moralbank.transparency.tiles import HEIGHT, WIDTH
from moralbank.transparency.values import Log

_tiles = models.tiles


class StoredNodes:
    """A tree.Node over one log with so many leaves, in one snapshot; each tile is read once."""

    def __init__(self, db: Connection, book: int, log: Log, size: int) -> None:
        self._db = db
        self._of = (_tiles.c.book_id == book, _tiles.c.log == int(log))
        self._book, self._log, self._size = book, log, size
        self._read: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, HEIGHT)
        first = index << inner
        hashes = self.tile(tile_level, first // WIDTH)
        start = first % WIDTH
        return tree.perfect_root(hashes[start : start + (1 << inner)])

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile as far as the tree has grown. Raises LookupError when some are missing."""
        found = self._read.get((level, index))
        if found is None:
            found = self._read[level, index] = self._find(level, index)
        return found

    def _find(self, level: int, index: int) -> list[bytes]:
        width = tiles.width_at(self._size, level, index)
        if width == WIDTH:
            query = sa.select(_tiles.c.hashes).where(*self._of, _tiles.c.level == level, _tiles.c.tile_index == index)
            stored = self._db.execute(query).scalar()
            hashes = tiles.split(bytes(stored)) if stored is not None else []
        elif level == 0:
            rows = leaves.list_leaves(self._db, self._book, self._log, index * WIDTH, width)
            hashes = [tree.leaf_hash(leaf) for _, leaf in rows]
        else:
            hashes = self._roots_below(level, index, width)
        if len(hashes) != width:
            raise LookupError(f"tile {level}/{index} of book {self._book} lacks hashes")
        return hashes

    def _roots_below(self, level: int, index: int, width: int) -> list[bytes]:
        first = index * WIDTH
        query = (
            sa.select(_tiles.c.root)
            .where(
                *self._of,
                _tiles.c.level == level - 1,
                _tiles.c.tile_index >= first,
                _tiles.c.tile_index < first + width,
            )
            .order_by(_tiles.c.tile_index)
        )
        return [bytes(root) for root in self._db.execute(query).scalars()]
