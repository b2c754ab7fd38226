"""The short way of balance and lines and the Flask view behind it give the same octets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.ledger import AccountKind, Draft, Leg, Unit
from moralbank.web.front import Front
from tests._people import bearer, make_login
from tests.statements._story import Story


@pytest.fixture
def ways(app: Flask) -> dict[str, Client]:
    front = app.wsgi_app
    assert isinstance(front, Front)
    return {"short": Client(front), "reference": Client(front.reference)}


@pytest.fixture
def was_short(app: Flask) -> list[str]:
    """The requests that Flask never saw don't stand here."""
    seen: list[str] = []
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: seen.append("flask"))
    return seen


@pytest.fixture
def headers(database: Database, story: Story) -> dict[str, str]:
    login = database.transact(make_login, "auditor", story.tree["NS-00"])
    return database.transact(bearer, login, "audit:read")


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    """A balance says when it was looked up."""
    with clock.at(clock.now()):
        yield


def both(ways: dict[str, Client], path: str, headers: dict[str, str]) -> tuple[TestResponse, TestResponse]:
    given = {"X-Request-Id": "request-under-test", **headers}
    short, reference = (way.get(f"/api/v1/accounts/{path}", headers=given) for way in ways.values())
    return short, reference


def told(response: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    return response.status, [header for header in response.headers if header[0] != "Date"], response.data


@pytest.mark.parametrize(
    "query",
    [
        "balance",
        "balance?unit=minutes",
        "lines",
        "lines?limit=2",
        "lines?unit=minutes&limit=1",
        "lines?limit=1&unit=points",
        "lines?limit=200",
    ],
)
def test_both_ways_answer_octet_for_octet(ways, was_short, headers, story: Story, query: str) -> None:
    both(ways, f"{story.zhang.account_id}/balance", headers)  # The token was seen now: that is written by Flask.
    was_short.clear()
    short, reference = both(ways, f"{story.zhang.account_id}/{query}", headers)
    assert (short.status_code, was_short) == (200, ["flask"])
    assert told(short) == told(reference)
    assert "Date" in short.headers
    following = short.json.get("next")
    if following:
        again = ways["reference"].get(following, headers=headers)
        assert again.json["items"][0]["seq"] < short.json["items"][-1]["seq"]


def test_who_may_not_see_an_account_is_told_so_by_the_reference(ways, was_short, database, story: Story) -> None:
    def asking(role: str, branch: str, *scopes: str) -> dict[str, str]:
        return database.transact(bearer, database.transact(make_login, role, story.tree[branch]), *scopes)

    own, other, wrong = (
        asking("staff", "NS-01", "audit:read"),
        asking("auditor", "NS-02", "audit:read"),
        asking("staff", "NS-01", "residents:read"),
    )
    statuses = []
    for given in (own, other, wrong, {"Authorization": "Bearer nobody"}, {}):
        for what in ("balance", "lines"):
            both(ways, f"{story.zhang.account_id}/{what}", given)
            was_short.clear()
            short, reference = both(ways, f"{story.zhang.account_id}/{what}", given)
            assert told(short) == told(reference)
            assert len(was_short) == (1 if short.status_code == 200 else 2)
            statuses.append(short.status_code)
    assert statuses == [200, 200, 403, 403, 403, 403, 401, 401, 401, 401]


def test_what_is_asked_oddly_or_of_other_accounts_is_answered_by_the_reference(
    ways, was_short, headers, database, story: Story
) -> None:
    with database.reading() as db:
        issuer = ledger.internal_account(db, story.zhang.book_id, AccountKind.ISSUER)
        idle = ledger.internal_account(db, story.zhang.book_id, AccountKind.EXPIRED)
    account = story.zhang.account_id
    cases = {
        f"{issuer}/balance": 200,
        f"{idle}/lines": 200,
        f"{account + 1000}/balance": 404,
        f"{account + 1000}/lines": 404,
        f"0{account}/balance": None,
        f"{2**53}/balance": 404,
        f"{account}/balance?unit=hours": 422,
        f"{account}/balance?limit=3": 422,
        f"{account}/balance?unit=points&unit=minutes": None,
        f"{account}/balance?at=2025-04-02T10:00:30%2B08:00": 200,
        f"{account}/lines?limit=0": 422,
        f"{account}/lines?limit=201": 422,
        f"{account}/lines?limit=+2": None,
        f"{account}/lines?cursor=x": 422,
        f"{account}/lines?&": None,
    }
    for path, status in cases.items():
        was_short.clear()
        short, reference = both(ways, path, headers)
        assert was_short == ["flask", "flask"], path
        assert status in (None, short.status_code), path
        assert told(short) == told(reference)


def test_who_has_the_content_is_told_so(ways, headers, story: Story) -> None:
    path = f"{story.zhang.account_id}/lines"
    _, first = both(ways, path, headers)
    short, reference = both(ways, path, {**headers, "If-None-Match": first.headers["ETag"]})
    assert short.status_code == 304
    assert told(short) == told(reference)


def test_lines_of_a_whole_second_and_of_reversals_are_spelled_alike(ways, was_short, headers, database, story) -> None:
    account, book = story.zhang.account_id, story.zhang.book_id

    def post(db) -> None:
        issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
        legs = (Leg(issuer, Unit.POINTS, -5), Leg(account, Unit.POINTS, 5))
        draft = Draft(book, "award", legs, "whole-second", 'staff:"1"\\', grade="A", checker="staff:2")
        first = ledger.post(db, draft)
        ledger.reverse(db, book, first.entry_id, key="taken-back", actor="staff:1", checker="staff:2")

    with clock.at(clock.now().replace(microsecond=0) + timedelta(seconds=1)):
        database.transact(post)
    both(ways, f"{account}/balance", headers)
    was_short.clear()
    short, reference = both(ways, f"{account}/lines?limit=3", headers)
    assert was_short == ["flask"]
    assert told(short) == told(reference)
    reversal, award, _ = short.json["items"]
    assert (award["reversed_by"], reversal["reverses"]) == (reversal["entry_id"], award["entry_id"])
    assert "." not in award["posted_at"]
