"""Late entries and spot checks by their pages and over the API, from the question to the answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moralbank import clock
from moralbank.activities import jobs, late_queries, spots
from moralbank.activities.values import Direction
from tests._people import make_login, sign_in
from tests.activities.conftest import Scene, time_of
from tests.activities.test_api import caller
from tests.activities.test_late import FRIDAY, MONDAY, signed
from tests.activities.test_pages import phone_of, web

__all__ = ["web"]


@pytest.fixture
def desks(web: Flask, scene: Scene) -> tuple[FlaskClient, FlaskClient]:
    """Two colleagues at the station, on the Monday after."""
    found = []
    for _ in range(2):
        login, client = scene.do(make_login, "staff", scene.branches["NS-01"]), web.test_client()
        with clock.at(MONDAY):
            sign_in(client, login)
        found.append(client)
    return found[0], found[1]


def test_one_asks_the_other_agrees_and_the_resident_sees_it_wait(
    web: Flask, scene: Scene, desks: tuple[FlaskClient, FlaskClient]
) -> None:
    session, (chen, wu) = signed(scene, "wei"), desks
    path = f"/staff/sessions/{session.session_id}/late-entries"
    given = {
        "number": scene.people["lan"].number, "came": "09:00", "left": "11:30", "reason": "手机没电",
        "evidence": "签名表第 3 行",
    }  # fmt: skip
    with clock.at(MONDAY):
        assert "还可以办 1 笔" in chen.get(path).text
        wrong = chen.post(path, data=given | {"left": "09:20"})
        assert wrong.status_code == 422
        assert "不到计划时长的六成" in wrong.text
        assert "签名表第 3 行" in wrong.text
        shown = chen.post(path, data=given, follow_redirects=True)
        assert "等另一位工作人员复核" in shown.text
        again = chen.post(path, data=given)
        assert (again.status_code, "已经有一笔补录" in again.text) == (409, True)
        [entry] = scene.look(late_queries.list_late_entries, ["/"])
        request = f"/staff/approvals/{entry.request.request_id}"
        assert "签名表第 3 行" in wu.get(request).text
        assert "公示 3 个工作日" in wu.post(f"{request}/approve", follow_redirects=True).text
        assert "公示中" in wu.get("/staff/late-entries").text
    phone = phone_of(web, scene, "lan")
    with clock.at(MONDAY):
        assert "补录的活动正在公示" in phone.get("/me").text
        assert "11月27日" in phone.get("/me/late-entries").text
    other = phone_of(web, scene, "bo")
    with clock.at(MONDAY):
        assert other.post(f"/me/late-entries/{entry.late_id}/object", data={"reason": "不是我"}).status_code == 404
        phone.post(f"/me/late-entries/{entry.late_id}/object", data={"reason": "那天我不在"})
        assert "那天我不在" in chen.get(f"/staff/late-entries/{entry.late_id}").text
    with clock.at(FRIDAY):
        assert jobs.post_late(scene.database) == 0
    assert scene.holds("lan") == (0, 0)


def test_the_audit_page_and_the_api_show_each_branchs_share(
    app: Flask, scene: Scene, desks: tuple[FlaskClient, FlaskClient]
) -> None:
    session = signed(scene, "wei", "qiang", "bo")
    app.test_client_class = FlaskClient  # Programs send no forms.
    scopes = ("approvals:read", "approvals:write", "audit:read")
    chen, wu = (caller(app, scene, "staff", "NS-01", *scopes) for _ in range(2))
    body = {
        "resident_number": scene.people["lan"].number, "came_at": session.starts_at.isoformat(),
        "left_at": session.ends_at.isoformat(), "reason": "手机没电", "evidence": "签名表",
    }  # fmt: skip
    with clock.at(MONDAY):
        made = chen.post(f"/sessions/{session.session_id}/late-entries", body).json
        assert (made["state"], made["minutes"], made["posts_at"]) == ("asked", 150, None)
        wu.post(f"/approvals/{made['request_id']}/approve")
        assert chen.get(f"/late-entries/{made['late_id']}").json["posts_at"] == "2026-11-26T16:00:00+00:00"
    with clock.at(FRIDAY):
        jobs.post_late(scene.database)
    with clock.at(MONDAY):
        [share] = chen.get("/evidence-grades?month=2026-11").json["items"]
        assert (share["counts"], share["late_permille"]) == ({"A": 3, "C": 1}, 250)
        page = desks[0].get("/audit/grades?month=2026-11").text
        assert "25.0 %" in page


def test_a_phone_answers_a_spot_check_with_one_tap_and_staff_ticks_the_rest(
    web: Flask, scene: Scene, desks: tuple[FlaskClient, FlaskClient]
) -> None:
    session = scene.session()
    for who in ("wei", "lan"):
        scene.scan(session, who, "9:00", direction=Direction.IN)
    phone, (chen, _) = phone_of(web, scene, "wei"), desks
    path = f"/staff/sessions/{session.session_id}/spot-checks"
    with clock.at(time_of("10:00")):
        sign_in(chen, scene.do(make_login, "staff", scene.branches["NS-01"]))
        assert "还没有抽点过" in chen.get(path).text
        assert "我在" not in phone.get("/a/here/open").text
        assert "场内 2 人，已回答 0 人" in chen.post(path, follow_redirects=True).text
        assert chen.post(path).status_code == 409
        [check] = scene.look(spots.list_spot_checks, session.session_id)
        assert f"/a/here/{check.spot_id}" in phone.get("/a/here").text
        assert "您在现场" in phone.post(f"/a/here/{check.spot_id}", follow_redirects=True).text
        lan = scene.people["lan"].resident_id
        ticked = chen.post(f"{path}/{check.spot_id}/ticks", data={"seen": [str(lan), "99999"]}, follow_redirects=True)
        assert "场内 2 人，已回答 2 人" in ticked.text
        late = phone.post("/a/here/99999")
        assert late.status_code == 404
    with clock.at(session.out_from + timedelta(minutes=5)):
        sign_in(chen, scene.do(make_login, "staff", scene.branches["NS-01"]))
        assert "10:00 抽点：场内 2 人，已回答 2 人" in chen.get(f"/staff/sessions/{session.session_id}/sign-off").text
