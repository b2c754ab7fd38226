"""The first day of a bank, and every start after it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from moralbank import earning, ledger
from moralbank.access import queries, service
from moralbank.branches.queries import find_branch, list_branches
from moralbank.branches.service import BranchDraft, open_branch
from moralbank.db import Database
from moralbank.setup import first_start


def test_the_first_start_makes_a_hub_the_rules_and_one_administrator(database: Database) -> None:
    password = first_start(database)
    assert password is not None
    with database.reading() as db:
        [hub] = list_branches(db)
        [book] = ledger.list_books(db)
        login = queries.find_login(db, "admin")
        rules = earning.list_rules(db)
        assert login is not None
        matching = service.matching(queries.list_secrets(db, [login.login_id]), password)
    assert (hub.kind, hub.book_id) == ("hub", book.book_id)
    assert len(rules) == len(earning.packaged_rules())
    assert matching == [login.login_id]
    assert login.must_change
    assert [(grant.role, grant.branch_path) for grant in login.grants] == [("admin", "/")]


def test_a_second_start_changes_nothing_and_shows_nothing(database: Database) -> None:
    first_start(database)
    with database.reading() as db:
        before = (list_branches(db), queries.find_login(db, "admin"))
    assert first_start(database) is None
    with database.reading() as db:
        assert (list_branches(db), queries.find_login(db, "admin")) == before


def test_several_processes_starting_at_once_make_one_bank(database: Database) -> None:
    with ThreadPoolExecutor(6) as threads:
        passwords = list(threads.map(lambda _: first_start(database), range(6)))
    assert len([password for password in passwords if password]) == 1
    with database.reading() as db:
        assert len(list_branches(db)) == 1


def test_branches_that_were_loaded_before_need_no_hub_beside_them(database: Database) -> None:
    database.transact(open_branch, BranchDraft("NS-00", "中心", "Hub", "hub", None))
    assert first_start(database) is not None
    with database.reading() as db:
        assert find_branch(db, "HUB") is None
