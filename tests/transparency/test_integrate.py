"""What was committed becomes leaves: each once, none forgotten, in an order in which every account's lines rise."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa

from moralbank import ledger
from moralbank.transparency import Log, LogMoved, TreeBroken, append_fact, heads, integrate, models, queries, tree
from moralbank.transparency.nodes import StoredNodes
from moralbank.transparency.tiles import Tile
from moralbank.transparency.tree_errors import LeafUnknown, SizeUnknown
from tests.transparency._sealing import Poster, award, integrate_all, require_whole, sealed

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_what_was_posted_is_sealed_once_in_batches_of_any_size(database, book):
    posted = award(database, book, *(f"k{n}" for n in range(7)))
    assert integrate_all(database, book.book) == 7
    assert integrate_all(database, book.book) == 0
    posted += award(database, book, "more")
    assert integrate_all(database, book.book) == 1
    require_whole(database, book)
    with database.reading() as db:
        for index, each in enumerate(posted):
            assert queries.leaf_index_of_entry(db, book.book, each.entry_id) == index
            assert tree.leaf_hash(queries.leaf_bytes(db, book.book, Log.LEDGER, index)).hex() == each.leaf_hash
        assert queries.leaf_index_of_entry(db, book.book, UUID(int=7)) is None


def test_tiles_proofs_and_roots_of_every_size_are_those_of_the_leaves(database, book):
    """Two levels of tiles, grown by ragged batches."""
    for part in range(6):
        award(database, book, *(f"{part}-{n}" for n in range(100)))
        integrate_all(database, book.book, limit=97)
    require_whole(database, book)
    hashes = [tree.leaf_hash(leaf) for leaf in sealed(database, book.book)]
    with database.reading() as db:
        nodes = StoredNodes(db, book.book, Log.LEDGER, 600)
        for size in (1, 2, 255, 256, 257, 511, 512, 513, 599, 600):
            frontier = tree.Frontier()
            frontier.extend(hashes[:size])
            assert queries.root_at(db, book.book, Log.LEDGER, size) == frontier.root()
            for index in {0, size // 2, size - 1, min(300, size - 1)}:
                proof = queries.inclusion_proof(db, book.book, Log.LEDGER, index, size)
                assert tree.verify_inclusion(hashes[index], index, size, proof, frontier.root())
            proof = queries.consistency_proof(db, book.book, Log.LEDGER, size, 600)
            assert tree.verify_consistency(size, frontier.root(), 600, tree.root_at(nodes, 600), proof)
        read = lambda tile: queries.read_tile(db, book.book, Log.LEDGER, tile)  # noqa: E731
        assert read(Tile(0, 1)) == b"".join(hashes[256:512])
        assert read(Tile(0, 2, 88)) == b"".join(hashes[512:])
        assert read(Tile(0, 2, 3)) == b"".join(hashes[512:515])
        assert read(Tile(1, 0, 2)) == b"".join(tree.perfect_root(hashes[at : at + 256]) for at in (0, 256))
        for tile in (Tile(0, 2, 89), Tile(0, 2), Tile(0, 3, 1), Tile(1, 0, 3), Tile(2, 0, 1)):
            with pytest.raises(SizeUnknown):
                read(tile)
        with pytest.raises(LeafUnknown):
            queries.inclusion_proof(db, book.book, Log.LEDGER, 600, 600)
        with pytest.raises(SizeUnknown):
            queries.inclusion_proof(db, book.book, Log.LEDGER, 0, 601)
        with pytest.raises(SizeUnknown):
            queries.consistency_proof(db, book.book, Log.LEDGER, 5, 4)


def test_a_second_level_of_tiles_is_filled_from_the_roots_of_the_first(database, book):
    """65,536 facts are too many for a test of every run, so the leaves are planned and not stored."""
    hashes = [tree.leaf_hash(bytes([n % 251, n // 251 % 251, n // 63001])) for n in range(70_000)]
    head = heads.Head(book.book, Log.ACCESS, 0, tree.EMPTY_ROOT, b"", 0, 0, 0, 0, None)
    with database.reading() as db:
        filled = integrate.fill(db, head, tree.Frontier().extend(hashes))
    top = [tile for tile in filled if tile.level == 1]
    assert [(tile.index, len(tile.hashes)) for tile in top] == [(0, 256 * 32)]
    assert top[0].root == tree.perfect_root(hashes[:65536])
    assert len(filled) == 273 + 1

    begun = 157 * 256
    frontier = tree.Frontier()
    with database.engine.connect() as db:
        first = integrate.fill(db, head, frontier.extend(hashes[:begun]))
        own = {"book_id": book.book, "log": int(Log.ACCESS), "level": 0}
        rows = [own | {"tile_index": tile.index, "root": tile.root, "hashes": tile.hashes} for tile in first]
        db.execute(models.tiles.insert(), rows)
        later = replace(head, size=begun, root=frontier.root(), frontier=frontier.encode())
        assert first + integrate.fill(db, later, frontier.extend(hashes[begun:])) == filled


def test_facts_are_numbered_without_gaps_and_follow_the_entries_they_saw(database, book):
    def post_and_seal(db: sa.Connection) -> bytes:
        ledger.post(db, book.award("a", book.guiying, 5))
        return append_fact(db, book.book, Log.LEDGER, "snap", {"day": "2026-11-26", "entries": 1})

    first = database.transact(post_and_seal)
    database.transact(append_fact, book.book, Log.ACCESS, "login", {"by": "staff:1"})
    second = database.transact(append_fact, book.book, Log.LEDGER, "snap", {"day": "2026-11-27"})
    assert integrate_all(database, book.book) == 3
    assert integrate_all(database, book.book, Log.ACCESS) == 1
    award(database, book, "b")
    assert integrate_all(database, book.book) == 1
    leaves = sealed(database, book.book)
    assert [tree.leaf_hash(leaf) for leaf in leaves[1:3]] == [first, second]
    assert json.loads(leaves[1]) == {
        "v": 1, "book": book.book, "log": 1, "k": "snap", "no": 1, "day": "2026-11-26", "entries": 1,
        "at": json.loads(leaves[1])["at"],
    }  # fmt: skip
    with database.reading() as db:
        assert queries.leaf_index_of_fact(db, book.book, Log.LEDGER, 2) == 2
        assert queries.leaf_index_of_fact(db, book.book, Log.LEDGER, 3) is None
        assert queries.leaf_index_of_fact(db, book.book, Log.ACCESS, 1) == 0
    require_whole(database, book)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Snap", {}),
        ("snap", {"no": 1}),
        ("snap", {"naïve": 1}),
        ("snap", {"share": 0.5}),
        ("snap", {"none": None}),
        ("snap", {"text": "e\u0301"}),
        ("snap", {"big": 2**53}),
        ("snap", {"nested": [{"deep": None}]}),
        ("snap", {"long": "x" * 5_000}),
    ],
)
@ON_SQLITE
def test_a_fact_that_has_no_one_spelling_is_refused_and_leaves_no_gap(database, book, kind, fields):
    with pytest.raises(integrate.facts.BadFact):
        database.transact(append_fact, book.book, Log.LEDGER, kind, fields)
    database.transact(append_fact, book.book, Log.LEDGER, "snap", {})
    assert integrate_all(database, book.book) == 1
    with database.reading() as db:
        assert queries.leaf_index_of_fact(db, book.book, Log.LEDGER, 1) == 0


def test_of_two_who_integrate_the_same_head_one_does(database, book):
    award(database, book, "a")
    with database.reading() as db:
        head = heads.head_of(db, book.book, Log.LEDGER)
        plans = [integrate.plan(db, head), integrate.plan(db, head)]
    database.transact(integrate.apply, plans[0], 1)
    with pytest.raises(LogMoved):
        database.transact(integrate.apply, plans[1], 1)
    require_whole(database, book)


def test_one_whose_lease_has_gone_to_another_moves_nothing(database, book):
    award(database, book, "a")
    with database.reading() as db:
        early = integrate.plan(db, heads.head_of(db, book.book, Log.LEDGER))
    database.transact(integrate.apply, early, 2)
    award(database, book, "b")
    with database.reading() as db:
        late = integrate.plan(db, heads.head_of(db, book.book, Log.LEDGER))
    with pytest.raises(LogMoved):
        database.transact(integrate.apply, late, 1)
    database.transact(integrate.apply, late, 2)
    require_whole(database, book)


def test_the_database_itself_takes_no_leaf_twice_and_no_gap(database, book):
    award(database, book, "a", "b", "c")
    integrate_all(database, book.book)

    def insert(db: sa.Connection, index: int, number: int, length: int) -> None:
        run = {"first_index": index, "source": 1, "first_number": number, "length": length}
        at = heads.head_of(db, book.book, Log.LEDGER).integrated_at
        db.execute(models.runs.insert(), [run | {"book_id": book.book, "log": 1, "integrated_at": at}])

    for index, number, length in ((3, 3, 1), (3, 1, 9), (3, 2, 1), (4, 4, 1), (2, 4, 1), (0, 1, 3)):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(insert, index, number, length)
    database.transact(insert, 3, 4, 1)


def test_leaves_that_were_altered_before_their_tile_was_full_stop_the_log(database, book, database_url):
    award(database, book, *(f"k{n}" for n in range(200)))
    integrate_all(database, book.book)
    engine = sa.create_engine(database_url)
    switch, where = "DROP TRIGGER ledger_entries_no_update", "seq = 150"
    if not database.is_sqlite:
        switch = "ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_append_only"
    with engine.begin() as db:
        db.exec_driver_sql(switch)
        kept = db.exec_driver_sql(f"SELECT leaf_bytes FROM ledger_entries WHERE {where}").scalar()
        db.execute(sa.text(f"UPDATE ledger_entries SET leaf_bytes = :leaf WHERE {where}"), {"leaf": b"{}"})
    award(database, book, *(f"m{n}" for n in range(100)))
    with pytest.raises(TreeBroken):
        database.transact(integrate.integrate, book.book, Log.LEDGER)
    with engine.begin() as db:
        db.execute(sa.text(f"UPDATE ledger_entries SET leaf_bytes = :leaf WHERE {where}"), {"leaf": kept})
    engine.dispose()
    assert integrate_all(database, book.book) == 100
    require_whole(database, book)


@ON_POSTGRESQL
def test_entries_that_commit_out_of_order_are_all_sealed_and_lines_rise(database, book):
    slow = Poster(database, book, "slow", book.qiang)
    award(database, book, "fast")
    assert integrate_all(database, book.book) == 1
    with database.reading() as db:
        assert heads.list_missing(db, heads.head_of(db, book.book, Log.LEDGER)) == [(1, 1)]
    slow.end()
    award(database, book, "after", to=book.qiang)
    assert integrate_all(database, book.book) == 2
    require_whole(database, book)
    with database.reading() as db:
        head = heads.head_of(db, book.book, Log.LEDGER)
        assert heads.list_missing(db, head) == []
        assert (head.last_seq, head.settled_seq) == (3, 3)
        assert [json.loads(leaf)["seq"] for leaf in sealed(database, book.book)] == [2, 1, 3]
