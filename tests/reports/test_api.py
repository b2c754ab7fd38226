"""The books over the API."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Connection

from moralbank import ledger
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.ledger import AccountKind, Unit, UnknownAccount
from moralbank.reports import queries
from tests._people import bearer, make_login
from tests.statements._story import Story


@pytest.fixture
def headers(database: Database, story: Story) -> dict[str, str]:
    login = database.transact(make_login, "auditor", story.tree["NS-00"])
    return database.transact(bearer, login, "audit:read")


def test_entries_are_listed_by_filter_and_page(client, headers, story: Story) -> None:
    assert [one["code"] for one in client.get("/api/v1/books", headers=headers).json["items"]] == ["NS-00"]
    seen = []
    url = "/api/v1/entries?book=NS-00&limit=3&since=2025-03-15"
    while url:
        page = client.get(url, headers=headers).json
        seen += [entry["seq"] for entry in page["items"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)
    found = client.get("/api/v1/entries?book=NS-00&kind=undo", headers=headers).json["items"]
    assert [leg["amount"] for leg in found[0]["legs"]] == [40, -40]
    for query, code in (("book=NS-00&holder=nobody", "unknown-holder"), ("book=XX-00", "unknown-book-code")):
        assert client.get(f"/api/v1/entries?{query}", headers=headers).json["code"] == code


def test_an_entry_has_its_leaf_and_answers_304_to_its_etag(client, headers, story: Story) -> None:
    answer = client.get(f"/api/v1/entries/NS-00/{story.soap.entry_id}", headers=headers)

    assert answer.json["leaf_hash"] == story.soap.leaf_hash
    assert json.loads(answer.json["leaf"])["id"] == story.soap.entry_id.hex
    again = {**headers, "If-None-Match": answer.headers["ETag"]}
    assert client.get(f"/api/v1/entries/NS-00/{story.soap.entry_id}", headers=again).status_code == 304


def test_balances_lines_and_the_trial_balance(client, headers, story: Story) -> None:
    account = f"/api/v1/accounts/{story.zhang.account_id}"

    assert client.get(f"{account}/balance", headers=headers).json["balance"] == 95
    then = client.get(f"{account}/balance?at=2025-04-02T10:00:30%2B08:00", headers=headers).json
    assert (then["balance"], then["n"]) == (55, 4)
    lines = client.get(f"{account}/lines?unit=minutes", headers=headers).json["items"]
    assert [line["amount"] for line in lines] == [-120, 120, 150]
    trial = client.get("/api/v1/trial-balance?book=NS-00", headers=headers).json
    assert trial["closes"] is True
    assert {row["kind"]: row["balance"] for row in trial["rows"] if row["unit"] == "points"} == {
        "issuer": -30, "opening": -100, "merchant": 30, "resident": 100,
    }  # fmt: skip
    for at in ("2025-05-21T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "2025-04-02T10:00:30"):
        assert client.get(f"{account}/balance?at={at}", headers=headers).status_code == 422
        assert client.get(f"/api/v1/trial-balance?book=NS-00&at={at}", headers=headers).status_code == 422


def test_who_covers_a_station_reads_its_entries_only(client, database: Database, story: Story) -> None:
    login = database.transact(make_login, "auditor", story.tree["NS-02"])
    headers = database.transact(bearer, login, "audit:read")

    assert len(client.get("/api/v1/entries?book=NS-00", headers=headers).json["items"]) == 1
    for closed, code in (
        ("/api/v1/trial-balance?book=NS-00", "whole-book-only"),
        (f"/api/v1/entries/NS-00/{story.soap.entry_id}", "out-of-scope"),
        (f"/api/v1/accounts/{story.zhang.account_id}/balance", "out-of-scope"),
        (f"/api/v1/accounts/{story.zhang.account_id}/lines", "out-of-scope"),
    ):
        assert client.get(closed, headers=headers).json["code"] == code


def test_an_accounts_reach_is_judged_at_once_as_it_is_step_by_step(database: Database, story: Story) -> None:
    def shown(db: Connection, paths: list[str], account: int) -> str:
        try:
            book = queries.book_in_reach(db, paths, account)
            return f"balance {ledger.balance(db, book, account, Unit.POINTS).balance}"
        except MoralBankError as refusal:
            return refusal.code

    def shown_step_by_step(db: Connection, paths: list[str], account: int) -> str:
        try:
            reach, found, _ = queries.find_account(db, queries.list_reaches(db, paths), account)
            return f"balance {ledger.balance(db, reach.book.book_id, found.account, Unit.POINTS).balance}"
        except MoralBankError as refusal:
            return refusal.code

    places = [branch.path for branch in story.tree.values()]
    with database.reading() as db:
        books = [book.book_id for book in ledger.list_books(db)]
        accounts = [one.account for book in books for one in ledger.list_accounts(db, book, list(AccountKind))]
        accounts += [1, max(accounts) + 1000]
        outcomes = set()
        for paths in ([], ["/"], *([place] for place in places), places[-2:]):
            for account in accounts:
                found = shown(db, paths, account)
                assert found == shown_step_by_step(db, paths, account), (paths, account)
                outcomes.add(found.split()[0])
    assert outcomes == {"balance", "out-of-scope", UnknownAccount.code}


def test_an_account_without_lines_is_told_from_one_that_is_not_there(client, headers, database, story: Story) -> None:
    with database.reading() as db:
        idle = ledger.internal_account(db, story.zhang.book_id, AccountKind.EXPIRED)
    assert client.get(f"/api/v1/accounts/{idle}/lines", headers=headers).json == {"items": [], "next": None}
    assert client.get(f"/api/v1/accounts/{idle}/balance", headers=headers).json["balance"] == 0
    for what in ("lines", "balance"):
        answer = client.get(f"/api/v1/accounts/{story.zhang.account_id + 1000}/{what}", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (404, UnknownAccount.code)
