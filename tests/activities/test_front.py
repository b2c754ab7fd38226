"""Check-ins on the API's short way and through the Flask view: the same octets, whoever counts them."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from moralbank import clock
from moralbank.residents.queries import find_card
from moralbank.web.front import Front
from tests.activities.conftest import Scene, time_of
from tests.activities.test_api import Caller, announced, api, caller

__all__ = ["api"]


@pytest.fixture
def seen_by_flask(app: Flask) -> list[str]:
    seen: list[str] = []
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: seen.append("flask"))
    return seen


def post(client: object, api: Caller, session_id: int, items: object, key: str, **more: str) -> TestResponse:
    headers = {**api.headers, "Idempotency-Key": key, "X-Request-Id": "request-under-test", **more}
    body = json.dumps({"items": items})
    path = f"/api/v1/sessions/{session_id}/checkins"
    return Client(client).post(path, data=body, content_type="application/json", headers=headers)


def test_both_ways_give_the_same_octets(app: Flask, api: Caller, scene: Scene, seen_by_flask: list[str]) -> None:
    front = app.wsgi_app
    assert isinstance(front, Front)
    session_id = announced(api, scene)
    card = scene.look(find_card, scene.people["wei"].resident_id).number
    codes = [card, scene.people["lan"].number, "00000000", card, "710000000000000000000000"]
    directions = [None, "in", "out", None, "in"]
    items = [
        {"nonce": f"scan-00000{place}", "code": code, "direction": direction}
        for place, (code, direction) in enumerate(zip(codes, directions, strict=True))
    ]
    for time in ("8:00", "9:05", "11:31", "20:00"):
        seen_by_flask.clear()
        # The same scans under new keys are answered for what they are: replays, on both ways alike.
        with clock.at(time_of(time)):
            first = post(front, api, session_id, items, f"first-{time}")
            assert (first.status_code, seen_by_flask) == (200, [])
            short = post(front, api, session_id, items, f"short-{time}")
            reference = post(front.reference, api, session_id, items, f"reference-{time}")
        assert (short.status, list(short.headers), short.data) == (
            reference.status,
            list(reference.headers),
            reference.data,
        )


def test_what_is_odd_or_not_allowed_is_answered_by_the_reference(app: Flask, api: Caller, scene: Scene) -> None:
    front = app.wsgi_app
    session_id = announced(api, scene)
    number = scene.people["wei"].number
    good = {"nonce": "scan-000001", "code": number}
    stranger = caller(app, scene, "staff", "XX-01")
    asked = [
        (api, session_id, []),
        (api, session_id, [good] * 101),
        (api, session_id, [{**good, "direction": "up"}]),
        (api, session_id, [{**good, "colour": "red"}]),
        (api, session_id, [{"nonce": "x", "code": number}]),
        (api, 999, [good]),
        (stranger, session_id, [good]),
    ]
    for place, (who, where, items) in enumerate(asked):
        short, reference = (post(way, who, where, items, f"key-{place}") for way in (front, front.reference))
        assert short.status_code >= 400
        assert (short.status, list(short.headers), short.data) == (
            reference.status,
            [header for header in reference.headers if header[0] != "Idempotency-Replayed"],
            reference.data,
        )


def test_sentences_come_in_the_callers_language(app: Flask, api: Caller, scene: Scene) -> None:
    session_id = announced(api, scene)
    item = {"nonce": "scan-000001", "code": scene.people["wei"].number}
    with clock.at(time_of("9:05")):
        answer = post(app.wsgi_app, api, session_id, [item], "in-english", **{"Accept-Language": "en"})
    assert "checked in" in answer.json["items"][0]["sentence"].lower()
