"""The same verbs over /api/v1: announce, sign up, check in by the batch, sign off."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from moralbank import clock
from moralbank.activities import service
from moralbank.residents.queries import find_card
from tests._people import MadeLogin, bearer, make_login
from tests.activities.conftest import Scene, time_of

SCOPES = ("activities:read", "activities:write", "checkins:write", "awards:write")
_keys = count(1)


class Caller:
    """A program with a token."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    def get(self, path: str) -> TestResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers)

    def post(self, path: str, body: Any = None, key: str | None = None) -> TestResponse:
        headers = self.headers | {"Idempotency-Key": key or f"test-key-{next(_keys)}"}
        if body is None:
            return self.client.post(f"/api/v1{path}", headers=headers)
        return self.client.post(f"/api/v1{path}", json=body, headers=headers)


def caller(app: Flask, scene: Scene, role: str = "staff", branch: str = "NS-01", *scopes: str) -> Caller:
    def issue(db: Any) -> dict[str, str]:
        resident = scene.people["wei"].resident_id if role == "resident" else None
        login: MadeLogin = make_login(db, role, scene.branches[branch], resident_id=resident)
        return bearer(db, login, *(scopes or SCOPES))

    return Caller(app.test_client(), scene.do(issue))


@pytest.fixture
def api(app: Flask, scene: Scene) -> Caller:
    return caller(app, scene)


def announced(api: Caller, scene: Scene) -> int:
    """Announce, publish, and return the session's id."""
    activity = api.post(
        "/activities",
        {
            "title": "河岸清洁", "rule_code": "V01", "place": "河岸公园",
            "branch_id": scene.branches["NS-01"].branch_id,
            "leader_number": scene.people["yong"].number,
        },
    ).json  # fmt: skip
    times = {"starts_at": "2026-11-21T09:00:00+08:00", "ends_at": "2026-11-21T11:30:00+08:00"}
    session = api.post(f"/activities/{activity['activity_id']}/sessions", times)
    assert session.status_code == 201, session.text
    assert api.post(f"/activities/{activity['activity_id']}/publish").json["status"] == "published"
    return session.json["session_id"]


def test_announce_sign_up_check_in_and_sign_off(api: Caller, scene: Scene) -> None:
    session_id = announced(api, scene)
    wei, lan = scene.people["wei"], scene.people["lan"]
    signed = api.post(f"/sessions/{session_id}/signups", {"resident_number": wei.number})
    assert (signed.status_code, signed.json["state"]) == (201, "going")
    assert [row["resident_number"] for row in api.get(f"/sessions/{session_id}/signups").json["items"]] == [wei.number]
    card = scene.look(find_card, wei.resident_id).number
    scans = [
        {"nonce": "scan-000001", "code": card},
        {"nonce": "scan-000002", "code": lan.number, "direction": "in"},
        {"nonce": "scan-000003", "code": "00000000"},
        {"nonce": "scan-000004", "code": card},
    ]
    with clock.at(time_of("9:05")):
        answer = api.post(f"/sessions/{session_id}/checkins", {"items": scans})
    assert [item["verdict"] for item in answer.json["items"]] == ["ok", "ok", "unknown", "already"]
    with clock.at(time_of("11:31")):
        out = [{"nonce": f"out-00000{n}", "code": code} for n, code in enumerate((card, lan.number))]
        assert {i["verdict"] for i in api.post(f"/sessions/{session_id}/checkins", {"items": out}).json["items"]} == {
            "ok"
        }
        again = api.post(f"/sessions/{session_id}/checkins", {"items": out}).json["items"]
        assert {item["verdict"] for item in again} == {"replayed"}
        body = {"head_count": 2, "confirmed": [{"resident_number": one.number} for one in (wei, lan)]}
        wrong = api.post(f"/sessions/{session_id}/sign-off", {**body, "head_count": 3})
        assert (wrong.status_code, wrong.json["code"]) == (422, "head-count-differs")
        done = api.post(f"/sessions/{session_id}/sign-off", body, key="sign-off-0001")
        replay = api.post(f"/sessions/{session_id}/sign-off", body, key="sign-off-0001")
        repeat = api.post(f"/sessions/{session_id}/sign-off", body)
    assert (done.status_code, done.json["is_repeat"]) == (200, False)
    assert replay.data == done.data
    assert replay.headers["Idempotency-Replayed"] == "true"
    assert (repeat.json["is_repeat"], repeat.json["awards"]) == (True, done.json["awards"])
    assert scene.holds("wei") == (20 + 5, 145)
    awards = api.get(f"/sessions/{session_id}/awards?limit=2").json
    assert len(awards["items"]) == 2
    assert awards["next"] is not None


def test_lists_show_what_is_within_reach_and_drafts_only_to_staff(app: Flask, api: Caller, scene: Scene) -> None:
    announced(api, scene)
    draft = scene.plan(title="草稿")
    made = scene.do(service.create_activity, draft, actor="staff:1")
    assert [row["title"] for row in api.get("/activities").json["items"]] == ["草稿", "河岸清洁"]
    assert [row["title"] for row in api.get("/activities?status=published").json["items"]] == ["河岸清洁"]
    resident = caller(app, scene, "resident", "NS-01", "activities:read")
    assert [row["title"] for row in resident.get("/activities").json["items"]] == ["河岸清洁"]
    assert resident.get(f"/activities/{made.activity_id}").status_code == 404
    stranger = caller(app, scene, "staff", "XX-01")
    assert stranger.get("/activities").json["items"] == []
    assert stranger.get(f"/activities/{made.activity_id}").status_code == 403
    sessions = api.get("/activities/1/sessions").json["items"]
    assert [row["starts_at"] for row in sessions] == ["2026-11-21T01:00:00+00:00"]


def test_a_stranger_or_a_token_without_the_scope_writes_nothing(app: Flask, api: Caller, scene: Scene) -> None:
    session_id = announced(api, scene)
    stranger = caller(app, scene, "staff", "XX-01")
    reader = caller(app, scene, "staff", "NS-01", "activities:read")
    scan = {"items": [{"nonce": "scan-000001", "code": scene.people["wei"].number}]}
    for who in (stranger, reader):
        assert who.post(f"/sessions/{session_id}/checkins", scan).status_code == 403
        assert who.post(f"/sessions/{session_id}/sign-off", {"head_count": 0, "confirmed": []}).status_code == 403
    unknown = {"resident_number": "00000000"}
    assert api.post(f"/sessions/{session_id}/signups", unknown).status_code == 404
    with clock.at(time_of("11:45")):
        nobody = {"head_count": 1, "confirmed": [unknown]}
        assert api.post(f"/sessions/{session_id}/sign-off", nobody).json["code"] == "sign-off-not-on-roster"
