"""The short way and the Flask view behind it give the same octets, and only what succeeds is answered short."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from moralbank import ids
from moralbank.app import create_app
from moralbank.db import Database
from moralbank.web.front import Front
from tests._people import bearer
from tests._worlds import world
from tests.redemptions.conftest import Street, balance_of, make_street, show_code

PATH = "/api/v1/redemptions"


@world
def street(database: Database) -> Street:
    return database.transact(make_street)


@pytest.fixture
def ways(app: Flask) -> dict[str, Client]:
    front = app.wsgi_app
    assert isinstance(front, Front)
    return {"short": Client(front), "reference": Client(front.reference)}


@pytest.fixture
def headers(database: Database, street: Street) -> dict[str, str]:
    return database.transact(bearer, street.li, "charges:write", "charges:read")


@pytest.fixture
def was_short(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that Flask never saw don't stand here."""
    seen: list[str] = []
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: seen.append("flask"))
    return seen


def ask(database: Database, street: Street, **more: object) -> dict[str, object]:
    code = database.transact(show_code, street.zhang)
    return {"merchant_id": street.shop.merchant_id, "points": 20, "code": code, "confirmed": True, **more}


def post(client: Client, body: object, headers: dict[str, str], key: str | None = None, **how: object) -> TestResponse:
    given = {"Idempotency-Key": key or ids.token(12), "X-Request-Id": "request-under-test", **headers}
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.open(
        **{"path": PATH, "method": "POST", "data": octets, "content_type": "application/json", **how}, headers=given
    )


def told(response: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    return response.status, list(response.headers), response.data


def test_both_ways_answer_a_charge_octet_for_octet(database, street, headers, was_short, ways) -> None:
    short = post(ways["short"], ask(database, street), headers, "first-key")
    assert (short.status_code, was_short) == (201, [])
    shown = ways["reference"].get(f"{PATH}/{short.json['charge_id']}", headers=headers)
    assert short.data == shown.data
    again = [post(ways[way], ask(database, street, code="0" * 18), headers, "first-key") for way in ways]
    assert [answer.status_code for answer in again] == [422, 422]


def test_both_ways_say_that_a_secure_bank_stays_secure(config, database, street, headers) -> None:
    front = create_app(replace(config, public_url="https://bank.example"), database).wsgi_app
    body = ask(database, street)
    charged = post(Client(front), body, headers, "first-key")
    again = post(Client(front.reference), body, headers, "first-key")
    assert "Strict-Transport-Security" in charged.headers
    assert [header for header in again.headers if header[0] != "Idempotency-Replayed"] == list(charged.headers)


def test_both_ways_answer_a_repetition_alike_whichever_came_first(database, street, headers, ways, was_short) -> None:
    for first in ways:
        body = ask(database, street)
        charged = post(ways[first], body, headers, f"key-of-{first}")
        was_short.clear()
        short, reference = (post(ways[way], body, headers, f"key-of-{first}") for way in ways)
        assert was_short == ["flask"]
        assert told(short) == told(reference)
        assert short.data == charged.data
        without_mark = [header for header in short.headers if header[0] != "Idempotency-Replayed"]
        assert without_mark == list(charged.headers)


ODD = {
    "no JSON": b"{",
    "a list": [],
    "a name twice": b'{"code": "1", "code": "2"}',
    "no code": {"code": None},
    "a flag as number": {"points": True},
    "a number as text": {"points": "20"},
    "nothing": {"points": 0},
    "too much": {"points": 10**7},
    "a broken number": {"points": 1.5},
    "offer and points": {"offer_id": 1},
    "neither": {"points": None},
    "an unknown name": {"colour": "red"},
    "a wrong code": {"code": "711111111111111111"},
    "letters": {"code": "71111111111111111x"},
    "a shop of others": {"merchant_id": 99},
    "a flag as text": {"confirmed": "yes"},
    "an unknown offer": {"points": None, "offer_id": 77},
    "more than there is": {"points": 300_000},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_what_does_not_succeed_is_answered_by_the_reference(database, street, headers, ways, was_short, odd) -> None:
    body = {**ask(database, street), **odd} if isinstance(odd, dict) else odd
    short, reference = (post(ways[way], body, headers) for way in ways)
    assert short.status_code >= 400
    assert told(short) == told(reference)
    assert was_short == ["flask", "flask"]
    with database.reading() as db:
        assert balance_of(db, street.zhang) == 1000


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"headers": {"Idempotency-Key": "short"}}, 400),
        ({"headers": {"Authorization": "Bearer nobody"}}, 401),
        ({"headers": {"Authorization": "Basic eDp5"}}, 401),
        ({"headers": {"Accept": "text/html"}}, 406),
        ({"content_type": "text/plain"}, 415),
        ({"query_string": "x=1"}, 422),
    ],
)
def test_what_is_asked_oddly_is_answered_by_the_reference(database, street, headers, ways, how, status) -> None:
    more = {name: value for name, value in how.items() if name != "headers"}
    given = headers | how.get("headers", {})
    short, reference = (
        post(ways[way], ask(database, street), given, given.get("Idempotency-Key"), **more) for way in ways
    )
    assert short.status_code == status
    assert told(short) == told(reference)


def test_a_token_without_the_scope_or_revoked_charges_nothing(database, street, ways) -> None:
    reading = database.transact(bearer, street.li, "charges:read")
    resident = database.transact(bearer, street.zhang_login, "codes:write")
    for given in (reading, resident):
        short, reference = (post(ways[way], ask(database, street), given) for way in ways)
        assert short.status_code == 403
        assert told(short) == told(reference)


def test_many_at_once_each_get_their_own_answer(database, street, headers, ways) -> None:
    together = Barrier(12)
    bodies = [ask(database, street, points=10 + n) for n in range(10)] + [ask(database, street, points=5000)] * 2

    def run(body: dict[str, object]) -> TestResponse:
        together.wait()
        return post(ways["short"], body, headers)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(run, bodies))
    # Codes that were replaced stay good for a moment, so all ten are charged unless a limit says no.
    charged = [answer for answer in answers if answer.status_code == 201]
    assert sorted(answer.json["points"] for answer in charged) == sorted(body["points"] for body in bodies[:10])
    with database.reading() as db:
        assert balance_of(db, street.zhang) == 1000 - sum(body["points"] for body in bodies[:10])
