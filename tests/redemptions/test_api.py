"""Spending through the API: the phone's code, the till's charge, its undoing and its lists."""

from __future__ import annotations

import pytest

from moralbank import ids
from tests._people import bearer, make_login
from tests.redemptions.conftest import show_code


@pytest.fixture
def api(app, database, street):
    """call(login, method, path, body, key): one request of a program with a token of the login."""
    scopes = {
        "li": ("charges:write", "charges:read", "merchants:read"),
        "wang": ("charges:write", "charges:read"),
        "zhang_login": ("codes:write", "merchants:read"),
    }
    tokens = {who: database.transact(bearer, getattr(street, who), *given) for who, given in scopes.items()}
    client = app.test_client()

    def call(who, method, path, body=None, key=None):
        headers = {**tokens[who], "Idempotency-Key": key or ids.token(16)} if method != "GET" else tokens[who]
        return client.open(f"/api/v1{path}", method=method, json=body, headers=headers)

    return call


def test_a_resident_issues_a_code_and_a_till_charges_it_once(api, street, balance) -> None:
    issued = api("zhang_login", "POST", "/payment-codes")
    assert issued.status_code == 201
    body = {"merchant_id": street.shop.merchant_id, "points": 20, "code": issued.json["code"]}
    charged = api("li", "POST", "/redemptions", body, key="till-3-000417")
    assert charged.status_code == 201
    assert (charged.json["points"], charged.json["masked_name"]) == (20, "张*三")
    again = api("li", "POST", "/redemptions", body, key="till-3-000417")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.data == charged.data
    used = api("li", "POST", "/redemptions", {**body, "confirmed": True})
    assert (used.status_code, used.json["code"]) == (409, "code-used")
    assert balance(street.zhang) == 980


def test_a_charge_is_undone_by_the_same_operators_programs_only(api, street, database, balance) -> None:
    body = {"merchant_id": street.shop.merchant_id, "offer_id": street.soap.offer_id}
    charged = api("li", "POST", "/redemptions", {**body, "code": database.transact(show_code, street.zhang)})
    path = f"/redemptions/{charged.json['charge_id']}"
    assert api("wang", "POST", f"{path}/undo", {}).json["code"] == "undo-by-other"
    undone = api("li", "POST", f"{path}/undo", {})
    assert (undone.status_code, undone.json["undone_at"] is not None) == (200, True)
    assert balance(street.zhang) == 1000
    assert api("li", "GET", path).json["undone_at"] == undone.json["undone_at"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "points-missing"),
        ({"points": 20, "offer_id": 1}, 422, "offer-and-points"),
        ({"points": 301}, 409, "day-limit-reached"),
        ({"points": 20, "code": "711234567890123499"}, 422, "misread"),
        ({"points": 20, "code": ids.with_check("7100000000000000")}, 409, "unknown-code"),
        ({"points": "20"}, 422, "invalid"),
        ({"points": 0}, 422, "invalid"),
        ({"points": 20, "code": "701234"}, 422, "invalid"),
        ({"points": 20, "merchant_id": 999}, 403, "out-of-scope"),
    ],
)
def test_refusals_are_problems_with_stable_codes(api, street, database, balance, body, status, code) -> None:
    given = {"merchant_id": street.shop.merchant_id, "code": database.transact(show_code, street.zhang), **body}
    refused = api("li", "POST", "/redemptions", given)
    assert (refused.status_code, refused.json["code"]) == (status, code)
    assert balance(street.zhang) == 1000


def test_charges_are_listed_within_the_tokens_reach(api, street, database, app) -> None:
    for points in (20, 21, 22):
        code = database.transact(show_code, street.zhang)
        api("li", "POST", "/redemptions", {"merchant_id": street.shop.merchant_id, "points": points, "code": code})
    first = api("li", "GET", "/redemptions?limit=2").json
    assert [item["points"] for item in first["items"]] == [20, 21]
    rest = api("li", "GET", first["next"].removeprefix("/api/v1")).json
    assert ([item["points"] for item in rest["items"]], rest["next"]) == ([22], None)
    stranger = database.transact(make_login, "auditor", street.tree["XX-00"])
    headers = database.transact(bearer, stranger, "charges:read")
    assert app.test_client().get("/api/v1/redemptions", headers=headers).json["items"] == []
    charge_id = first["items"][0]["charge_id"]
    assert app.test_client().get(f"/api/v1/redemptions/{charge_id}", headers=headers).status_code == 404


def test_offers_say_what_is_left_and_are_added_by_staff(api, street, database, app) -> None:
    offers = api("zhang_login", "GET", f"/offers?merchant_id={street.shop.merchant_id}").json["items"]
    assert {offer["code"]: offer["left"] for offer in offers} == {"O002": 3, "O003": 60, "O014": 200}
    assert api("zhang_login", "GET", f"/merchants/{street.shop.merchant_id}").json["name"] == "邻家便利店"
    staff = database.transact(make_login, "staff", street.tree["NS-01"])
    headers = database.transact(bearer, staff, "merchants:write") | {"Idempotency-Key": "add-one-offer"}
    body = {
        "merchant_id": street.shop.merchant_id, "code": "O020", "title": "牙膏", "points": 10,
        "monthly_quota": 5, "per_resident_per_month": 1, "settlement_fen": 250,
    }  # fmt: skip
    added = app.test_client().post("/api/v1/offers", json=body, headers=headers)
    assert (added.status_code, added.json["left"]) == (201, 5)


def test_a_program_that_tries_out_codes_is_locked_like_a_counter(api, street, balance) -> None:
    """A refusal undoes the charge but not the count of them, else a program could try for ever."""
    answers = []
    for number in range(12):
        order = {"merchant_id": street.shop.merchant_id, "points": 20, "code": ids.with_check(f"71{number:014}")}
        answers.append(api("li", "POST", "/redemptions", order))
    assert [answer.status_code for answer in answers] == [409] * 10 + [429] * 2
    assert answers[-1].json["code"] == "till-locked"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert balance(street.zhang) == 1000
