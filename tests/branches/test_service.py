"""The tree: who may lie under whom, whose book a station shares, and what a file may change."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib import resources

import pytest

from moralbank import ledger
from moralbank.branches import queries, service
from moralbank.branches.errors import BranchCodeTaken, BranchMoved, UnknownBranch, UnreadableBranchFile, WrongPlace
from moralbank.branches.service import BranchDraft
from moralbank.db import Database
from tests._people import make_branch_tree

HUB = BranchDraft("H", "中心", "Hub", "hub", None)


def community_rows() -> list[dict[str, str]]:
    text = resources.files("moralbank").joinpath("demo/community/branches.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_a_station_shares_the_book_of_its_hub_and_strangers_have_another(database: Database) -> None:
    tree = database.transact(make_branch_tree)
    assert tree["NS-01"].book_id == tree["NS-02"].book_id == tree["NS-00"].book_id
    assert tree["XX-00"].book_id not in (None, tree["NS-00"].book_id)
    assert tree["NS"].book_id is None
    with database.reading() as db:
        books = {book.book_id: book.code for book in ledger.list_books(db)}
        assert queries.find_hub(db, tree["NS-00"].book_id) == tree["NS-00"]
    assert books == {tree["NS-00"].book_id: "NS-00", tree["XX-00"].book_id: "XX-00"}


def test_a_path_names_every_branch_from_the_root_down(database: Database) -> None:
    tree = database.transact(make_branch_tree)
    ids = [tree[code].branch_id for code in ("DZ", "NS", "NS-00", "NS-01")]
    assert tree["NS-01"].path == "/" + "/".join(map(str, ids)) + "/"
    assert tree["NS-01"].depth == 3


def test_within_is_the_branch_itself_and_everything_below(database: Database) -> None:
    tree = database.transact(make_branch_tree)
    ns, station, stranger = tree["NS"].branch_id, tree["NS-01"].branch_id, tree["XX-01"].branch_id
    with database.reading() as db:
        assert queries.is_within(db, station, ns)
        assert queries.is_within(db, ns, ns)
        assert not queries.is_within(db, ns, station)
        assert not queries.is_within(db, stranger, ns)


def test_branch_one_is_not_above_branch_twelve(database: Database) -> None:
    def open_many(db) -> list[queries.Branch]:
        return [service.open_branch(db, replace(HUB, code=f"H{n}")) for n in range(12)]

    hubs = database.transact(open_many)
    with database.reading() as db:
        assert queries.list_branches(db, hubs[0].branch_id) == [hubs[0]]


def test_the_list_reads_as_a_tree(database: Database) -> None:
    tree = database.transact(make_branch_tree)
    with database.reading() as db:
        everything = [branch.code for branch in queries.list_branches(db)]
        below = [branch.code for branch in queries.list_branches(db, tree["NS-00"].branch_id)]
        both = queries.list_branches_under(db, [tree["NS-01"].path, tree["XX-00"].path])
        assert queries.list_branches_under(db, []) == []
        assert queries.list_branches_under(db, ["/"]) == queries.list_branches(db)
    assert everything == ["DZ", "NS", "NS-00", "NS-01", "NS-02", "XX-00", "XX-01"]
    assert below == ["NS-00", "NS-01", "NS-02"]
    assert [branch.code for branch in both] == ["NS-01", "XX-00", "XX-01"]


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        ("station", None),
        ("station", "NS"),
        ("station", "NS-01"),
        ("hub", "NS-00"),
        ("street", "NS"),
        ("district", "DZ"),
        ("village", None),
    ],
)
def test_a_branch_in_the_wrong_place_is_refused_and_nothing_is_written(
    database: Database, kind: str, parent: str | None
) -> None:
    tree = database.transact(make_branch_tree)
    parent_id = tree[parent].branch_id if parent else None
    with pytest.raises(WrongPlace):
        database.transact(service.open_branch, BranchDraft("NEW", "新", "New", kind, parent_id))
    with database.reading() as db:
        assert queries.find_branch(db, "NEW") is None


def test_a_code_is_given_once(database: Database) -> None:
    database.transact(make_branch_tree)
    with pytest.raises(BranchCodeTaken):
        database.transact(service.open_branch, replace(HUB, code="NS-00"))


def test_an_unknown_parent_is_refused(database: Database) -> None:
    with pytest.raises(UnknownBranch):
        database.transact(service.open_branch, replace(HUB, parent_id=999))


def test_the_community_file_opens_the_tree_and_comes_again_without_effect(database: Database) -> None:
    assert database.transact(service.load_branches, community_rows()) == service.Loaded(9, 0, 0)
    with database.reading() as db:
        tree = {branch.code: branch for branch in queries.list_branches(db)}
    assert tree["NS-06"].address == "天津路甲3号"
    assert tree["NS-06"].book_id == tree["NS-00"].book_id
    assert database.transact(service.load_branches, community_rows()) == service.Loaded(0, 0, 9)


def test_the_file_may_stand_in_any_order(database: Database) -> None:
    assert database.transact(service.load_branches, community_rows()[::-1]).opened == 9


def test_a_file_edits_what_people_read(database: Database) -> None:
    rows = community_rows()
    database.transact(service.load_branches, rows)
    rows[3]["opening_hours"] = "每天"
    assert database.transact(service.load_branches, rows) == service.Loaded(0, 1, 8)
    with database.reading() as db:
        branch = queries.find_branch(db, rows[3]["code"])
    assert branch is not None
    assert branch.opening_hours == "每天"


def test_a_file_moves_no_branch(database: Database) -> None:
    rows = community_rows()
    database.transact(service.load_branches, rows)
    rows[2]["parent"] = "DZ"
    with pytest.raises(BranchMoved):
        database.transact(service.load_branches, rows)


def test_a_file_that_cannot_be_read_names_its_line(database: Database) -> None:
    rows = community_rows()
    rows[4]["name_zh"] = " "
    with pytest.raises(UnreadableBranchFile) as refusal:
        database.transact(service.load_branches, rows)
    assert refusal.value.fields["line"] == 6
    with database.reading() as db:
        assert queries.list_branches(db) == []
