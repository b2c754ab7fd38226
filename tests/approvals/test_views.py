"""The staff's pages: what waits and for whom, everything needed to decide, and refusals that change nothing."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moralbank.approvals import queries
from moralbank.db import Database
from tests._people import MadeLogin, bearer, form, make_login, sign_in
from tests.approvals.conftest import Desk

pytestmark = pytest.mark.usefixtures("desk")


@pytest.fixture
def at_desk(app: Flask):
    def come(login: MadeLogin) -> FlaskClient:
        client = app.test_client()
        sign_in(client, login)
        return client

    return come


def asked(desk: Desk, client: FlaskClient, entry_id) -> int:
    answer = form(
        client,
        "/staff/approvals/reversal",
        {"book": "NS-00", "entry_id": entry_id, "reason": "签到人登记错了"},
    )
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


def test_one_asks_on_the_page_of_the_line_and_another_approves_what_the_page_said(desk: Desk, at_desk) -> None:
    entry_id = desk.award(50, 120)
    desk.spend(40)
    chen, wu = at_desk(desk.chen), at_desk(desk.wu)
    page = chen.get(f"/staff/approvals/reversal?book=NS-00&entry_id={entry_id}").text
    assert "河岸清洁" in page
    assert "张*三" in page
    assert "张建三" not in page
    request_id = asked(desk, chen, entry_id)
    mine = chen.get(f"/staff/approvals/{request_id}").text
    assert "另一位工作人员" in mine
    assert "/approve" not in mine
    page = wu.get(f"/staff/approvals/{request_id}").text
    for said in ("签到人登记错了", "同意冲正 10 分", "有 40 分已经用掉了", "现在可用"):
        assert said in page, said
    assert form(wu, f"/staff/approvals/{request_id}/approve").status_code == 303
    assert desk.balance == 0
    done = wu.get(f"/staff/approvals/{request_id}").text
    assert "已同意" in done
    assert "当时已用掉" in done


def test_the_navigation_counts_what_waits_for_the_reader(desk: Desk, at_desk) -> None:
    request_id = asked(desk, at_desk(desk.chen), desk.award(50))
    for login, waits in ((desk.chen, False), (desk.wu, True), (desk.sun, False)):
        page = at_desk(login).get("/staff/approvals").text
        counted = re.search(r'href="/staff/approvals"[^>]*>待复核 <span class="tag warn">1</span>', page)
        assert bool(counted) == waits, login.name
        assert (f"/staff/approvals/{request_id}" in page) == (login is not desk.sun)


def test_a_refusal_shows_the_request_again_and_says_why(desk: Desk, at_desk) -> None:
    request_id = asked(desk, at_desk(desk.chen), desk.award(50))
    answer = form(at_desk(desk.chen), f"/staff/approvals/{request_id}/approve")
    assert (answer.status_code, "不能复核自己" in answer.text or "自己提的" in answer.text) == (403, True)
    answer = form(at_desk(desk.wu), f"/staff/approvals/{request_id}/refuse", {"reason": ""})
    assert (answer.status_code, "请填写这一项" in answer.text) == (422, True)
    assert form(at_desk(desk.wu), f"/staff/approvals/{request_id}/refuse", {"reason": "名单没错"}).status_code == 303
    answer = form(at_desk(desk.lin), f"/staff/approvals/{request_id}/approve")
    assert (answer.status_code, "已经有了结果" in answer.text) == (409, True)
    assert desk.balance == 50


def test_whoever_asked_takes_it_back(desk: Desk, at_desk) -> None:
    request_id = asked(desk, at_desk(desk.chen), desk.award(50))
    assert form(at_desk(desk.chen), f"/staff/approvals/{request_id}/withdraw").status_code == 303
    assert "已撤回" in at_desk(desk.wu).get(f"/staff/approvals/{request_id}").text


def test_strangers_and_auditors_decide_nothing(desk: Desk, at_desk, database: Database) -> None:
    request_id = asked(desk, at_desk(desk.chen), desk.award(50))
    for path in ("", "/approve"):
        answer = (
            at_desk(desk.sun).get(f"/staff/approvals/{request_id}")
            if not path
            else form(at_desk(desk.sun), f"/staff/approvals/{request_id}{path}")
        )
        assert answer.status_code == 403
    auditor = at_desk(database.transact(make_login, "auditor", desk.tree["NS-00"]))
    assert "/approve" not in auditor.get(f"/staff/approvals/{request_id}").text
    assert form(auditor, f"/staff/approvals/{request_id}/approve").status_code == 403
    assert desk.read(queries.get_request, request_id).state == "waiting"


def test_points_are_added_by_two_and_never_taken_by_hand(desk: Desk, at_desk) -> None:
    chen = at_desk(desk.chen)
    where = {"resident_id": desk.zhang.resident_id, "reason": "上月漏记了一次"}
    for points in ("-5", "0", "401", "1.5", "x"):
        assert form(chen, "/staff/approvals/adjustment", where | {"points": points}).status_code == 422, points
    answer = form(chen, "/staff/approvals/adjustment", where | {"points": "30"})
    request_id = int(answer.headers["Location"].rpartition("/")[2])
    again = form(chen, "/staff/approvals/adjustment", where | {"points": "30"})
    assert again.headers["Location"] == answer.headers["Location"], "sent again it is the same request"
    other = form(chen, "/staff/approvals/adjustment", where | {"points": "31"})
    assert other.headers["Location"] != answer.headers["Location"]
    assert form(at_desk(desk.lin), f"/staff/approvals/{request_id}/approve").status_code == 303
    assert desk.balance == 30


@pytest.mark.parametrize(
    "query", ["", "?book=NS-00", "?book=XX&entry_id=0", "?book=NS-00&entry_id=" + "7" * 32, "?book=NS-00&entry_id=x"]
)
def test_a_line_that_is_none_has_no_page(at_desk, desk: Desk, query: str) -> None:
    assert at_desk(desk.chen).get(f"/staff/approvals/reversal{query}").status_code == 404


class TestTheApi:
    def test_one_token_asks_and_another_approves(self, desk: Desk, client: FlaskClient, database: Database) -> None:
        headers = {
            login.login_id: database.transact(bearer, login, "approvals:read", "approvals:write")
            for login in (desk.chen, desk.wu)
        }
        entry_id = desk.award(50)

        def post(login: MadeLogin, path: str, body: dict | None, key: str):
            more = {"Idempotency-Key": key}
            return client.post(f"/api/v1/approvals{path}", json=body, headers=headers[login.login_id] | more)

        body = {"book": "NS-00", "entry_id": str(entry_id), "reason": "签到人登记错了"}
        made = post(desk.chen, "/reversals", body, "ask-00001")
        assert made.status_code == 201, made.text
        request_id = made.json["request_id"]
        assert post(desk.chen, "/reversals", body, "ask-00002").json["code"] == "approval-already-asked"
        own = post(desk.chen, f"/{request_id}/approve", None, "own-00001")
        assert (own.status_code, own.json["code"]) == (403, "approval-own-request")
        [waiting] = client.get("/api/v1/approvals?state=waiting", headers=headers[desk.wu.login_id]).json["items"]
        assert waiting == made.json
        done = post(desk.wu, f"/{request_id}/approve", None, "yes-00001")
        assert (done.status_code, done.json["state"], done.json["maker"], done.json["checker"]) == (
            200, "approved", f"staff:{desk.chen.login_id}", f"staff:{desk.wu.login_id}",
        )  # fmt: skip
        again = post(desk.wu, f"/{request_id}/approve", None, "yes-00001")
        assert (again.data, again.headers["Idempotency-Replayed"]) == (done.data, "true")
        assert desk.lines == [("award", 50), ("reversal", -50)]
