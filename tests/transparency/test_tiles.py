"""Names of tiles, as the C2SP text spells them."""

from __future__ import annotations

import pytest

from moralbank.transparency import tiles
from moralbank.transparency.tiles import ENTRIES, Tile


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(1, 273, 17), "tile/1/273.p/17"),
        (Tile(ENTRIES, 1000, 255), "tile/entries/x001/000.p/255"),
        (Tile(7, 2), "tile/7/002"),
    ],
)
def test_a_tile_has_one_address(tile: Tile, path: str):
    assert tile.path == path
    assert tiles.parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0", "tile/00/000", "tile/8/000", "tile/-1/000", "tile/0/x000/001", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/01", "tile/0/1234", "tile/0/x001", "tile/0/000/", "/tile/0/000", "tile/data/000", "tile/0/٠٠٠",
        "tile/0/" + "x999/" * 7 + "999",
    ],
)  # fmt: skip
def test_another_spelling_is_no_address(path: str):
    assert tiles.parse_path(path) is None


def test_a_tile_is_in_the_tree_from_the_size_on_at_which_it_has_so_many_hashes():
    assert Tile(0, 1, 3).is_in(259)
    assert not Tile(0, 1, 4).is_in(259)
    assert Tile(1, 0, 1).is_in(259)
    assert not Tile(1, 0, 2).is_in(511)
    assert Tile(1, 0, 2).is_in(512)
    assert Tile(1, 1).first_leaf == 65536


def test_the_partial_tiles_of_a_size():
    assert list(tiles.partial_tiles(70_000)) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles.partial_tiles(256)) == [Tile(1, 0, 1)]
    assert list(tiles.partial_tiles(0)) == []


def test_a_bundle_holds_each_leaf_behind_its_length():
    assert tiles.bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00"
