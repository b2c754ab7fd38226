"""The pages: from the code on the screen to the points in the account, by forms alone, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import segno
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from moralbank import clock
from moralbank.activities import queries, receipts, service, tokens
from moralbank.activities.values import Mode, Session, State, Status
from moralbank.residents.queries import find_card
from tests._people import MadeLogin, make_login, sign_in
from tests.activities.conftest import START, Scene, time_of


class Browser(FlaskClient):
    """A client whose forms carry the token that csrf_field() would have put into them."""

    def post(self, *args: Any, data: Mapping[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        return super().post(*args, data={"csrf_token": self.token(), **(data or {})}, **kwargs)

    def token(self) -> str:
        with self.session_transaction() as cookie:
            raw = cookie.setdefault("csrf_token", "a token of this browser")
        signed: str = URLSafeTimedSerializer(self.application.secret_key, salt="wtf-csrf-token").dumps(raw)
        return signed


@pytest.fixture
def web(app: Flask) -> Flask:
    app.test_client_class = Browser
    return app


@pytest.fixture
def staff(web: Flask, scene: Scene) -> FlaskClient:
    return _signed_in(web, scene, scene.do(make_login, "staff", scene.branches["NS-01"]))


def phone_of(web: Flask, scene: Scene, who: str) -> FlaskClient:
    one = scene.people[who]
    return _signed_in(web, scene, scene.do(make_login, "resident", one.branch_id, resident_id=one.resident_id))


def _signed_in(web: Flask, scene: Scene, login: MadeLogin, clock_time: str = "8:00") -> FlaskClient:
    client = web.test_client()
    with clock.at(time_of(clock_time)):
        sign_in(client, login)
    return client


def code(scene: Scene, session: Session, clock_time: str) -> str:
    return "/a/" + tokens.rotating(scene.do(service.ensure_qr_key), session.session_id, 0, time_of(clock_time))


def scan(scene: Scene, phone: FlaskClient, session: Session, clock_time: str):
    """Scan the screen, look at the page, press the button, a minute later."""
    with clock.at(time_of(clock_time)):
        opened = phone.get(code(scene, session, clock_time), follow_redirects=True)
    with clock.at(time_of(clock_time) + timedelta(minutes=1)):
        return opened, phone.post("/a/check")


def test_scan_and_one_tap_in_then_scan_and_one_tap_out(web: Flask, scene: Scene) -> None:
    session, phone = scene.session(), phone_of(web, scene, "wei")
    opened, done = scan(scene, phone, session, "9:00")
    assert "河岸清洁" in opened.text
    assert "河岸公园" in opened.text
    assert ">签到</button>" in opened.text
    assert (done.status_code, "签到成功" in done.text, "09:00" in done.text) == (200, True, True)
    opened, done = scan(scene, phone, session, "11:28")
    assert ">签退</button>" in opened.text
    assert "签退成功" in done.text
    assert "+20" in done.text  # 148 minutes, by whole half hours


def test_opening_the_code_and_the_page_books_nothing(web: Flask, scene: Scene) -> None:
    session, phone = scene.session(), phone_of(web, scene, "wei")
    with clock.at(time_of("9:00")):
        for _ in range(100):
            assert phone.get(code(scene, session, "9:00"), follow_redirects=True).status_code == 200
    assert scene.look(queries.count_present, session.session_id) == 0


def test_who_is_not_signed_in_is_sent_to_the_login_and_the_receipt_waits(web: Flask, scene: Scene) -> None:
    session, phone = scene.session(), web.test_client()
    with clock.at(time_of("9:00")):
        opened = phone.get(code(scene, session, "9:00"), follow_redirects=True)
        assert 'href="/login?next=/a/check"' in opened.text
        assert phone.post("/a/check").headers["Location"] == "/a/check"
    one = scene.people["wei"]
    scene.do(make_login, "resident", one.branch_id, resident_id=one.resident_id)
    card = scene.look(find_card, one.resident_id)
    with clock.at(time_of("9:08")):
        entered = phone.post("/login", data={"identifier": card.number, "secret": "258369", "next": "/a/check"})
        assert entered.headers["Location"] == "/a/check"
        assert ">签到</button>" in phone.get("/a/check").text
        assert "签到成功" in phone.post("/a/check").text
    (came,) = scene.look(queries.list_scans, session.session_id, one.resident_id)
    assert came.at == time_of("9:00")


def test_pressing_twice_and_reloading_show_the_same_result(web: Flask, scene: Scene) -> None:
    session, phone = scene.session(), phone_of(web, scene, "wei")
    _, done = scan(scene, phone, session, "9:00")
    with clock.at(time_of("9:05")):
        again = phone.post("/a/check")
    assert "签到成功" in again.text
    assert again.status_code == done.status_code == 200
    assert len(scene.look(queries.list_scans, session.session_id, scene.people["wei"].resident_id)) == 1


@pytest.mark.parametrize(
    ("clock_time", "later", "status", "words"),
    [
        ("9:00", 31, 410, "对着屏幕上的新二维码"),
        ("8:00", 0, 409, "08:30 起可以扫码"),
        ("12:45", 0, 409, "找工作人员补签"),
    ],
)
def test_each_refusal_says_what_to_do(
    web: Flask, scene: Scene, clock_time: str, later: int, status: int, words: str
) -> None:
    session, phone = scene.session(), phone_of(web, scene, "wei")
    with clock.at(time_of(clock_time) + timedelta(seconds=later)):
        answer = phone.get(code(scene, session, clock_time), follow_redirects=True)
    assert answer.status_code == status
    assert words in answer.text


def test_forged_codes_stale_receipts_and_digits_have_their_own_pages(web: Flask, scene: Scene) -> None:
    phone = phone_of(web, scene, "wei")
    assert phone.get("/a/AAAAAAAAAAAAAAAAAAAAAAAAAAA").status_code == 404
    assert phone.get("/a/134567890123456789").status_code == 422
    assert phone.get("/a/check").status_code == 410
    assert phone.post("/a/check").status_code == 410


def test_the_second_resident_on_one_phone_is_told_to_see_staff(web: Flask, scene: Scene) -> None:
    session, phone = scene.session(), phone_of(web, scene, "wei")
    _, first = scan(scene, phone, session, "9:00")
    login = scene.do(make_login, "resident", scene.people["lan"].branch_id, resident_id=scene.people["lan"].resident_id)
    with clock.at(time_of("9:01")):
        sign_in(phone, login)
    _, second = scan(scene, phone, session, "9:02")
    assert "签到成功" in first.text
    assert "当面核对" in second.text


def test_the_screen_shows_a_fresh_code_the_count_and_masked_names(staff: FlaskClient, scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "lan", "9:00")
    with clock.at(time_of("9:01")):
        page = staff.get(f"/display/{session.session_id}")
        part = staff.get(f"/display/{session.session_id}/code")
    for answer in (page, part):
        assert "<svg" in answer.text
        assert "欧阳*" in answer.text
        assert "欧阳兰" not in answer.text
    assert f'data-poll="/display/{session.session_id}/code"' in page.text
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page.text
    assert "<html" not in part.text


def test_the_screen_is_for_staff_of_the_branch(web: Flask, scene: Scene) -> None:
    session = scene.session()
    stranger = _signed_in(web, scene, scene.do(make_login, "staff", scene.branches["XX-01"]))
    pages = [
        f"/display/{session.session_id}",
        f"/staff/desk/{session.session_id}",
        f"/staff/sessions/{session.session_id}",
        f"/staff/sessions/{session.session_id}/sign-off",
        f"/staff/activities/{session.activity.activity_id}",
    ]
    assert [stranger.get(path).status_code for path in pages] == [403] * 5
    assert stranger.post(f"/staff/sessions/{session.session_id}/sign-off", data={"head_count": "0"}).status_code == 403


def test_the_desk_counts_cards_and_numbers_and_undoes(staff: FlaskClient, scene: Scene) -> None:
    session, wei = scene.session(), scene.people["wei"]
    desk = f"/staff/desk/{session.session_id}"
    card = scene.look(find_card, wei.resident_id).number
    with clock.at(time_of("9:00")):
        assert "签到成功" in staff.post(desk, data={"code": card, "nonce": "a"}).text
        assert "签到成功" in staff.post(desk, data={"code": scene.people["lan"].number, "nonce": "b"}).text
        assert "没有找到这个人" in staff.post(desk, data={"code": "99999999", "nonce": "c"}).text
        assert "这是微信付款码" in staff.post(desk, data={"code": "134567890123456789", "nonce": "d"}).text
        (came,) = scene.look(queries.list_scans, session.session_id, wei.resident_id)
        assert f'value="{came.checkin_id}"' in staff.get(desk).text
        assert staff.post(f"{desk}/undo", data={"checkin_id": came.checkin_id}).status_code == 303
    assert scene.look(queries.count_present, session.session_id) == 1


def test_the_desk_lets_staff_vouch_with_a_reason_only(staff: FlaskClient, scene: Scene) -> None:
    session = scene.session()
    desk, number = f"/staff/desk/{session.session_id}", scene.people["wei"].number
    with clock.at(time_of("10:00")):
        assert "扫码时间已过" in staff.post(desk, data={"code": number}).text
        refused = staff.post(desk, data={"code": number, "override": "1"})
        assert (refused.status_code, "为什么不按时间" in refused.text) == (422, True)
        assert "等组织者确认" in staff.post(desk, data={"code": number, "override": "1", "reason": "公交晚点"}).text


def test_a_photo_of_a_card_is_read_on_the_server(staff: FlaskClient, scene: Scene) -> None:
    session = scene.session()
    path = f"/staff/desk/{session.session_id}/photo"
    card = scene.look(find_card, scene.people["wei"].resident_id).number
    photo, empty = BytesIO(), BytesIO()
    segno.make(card).save(photo, kind="png", scale=6)
    segno.make("https://example.org/").save(empty, kind="png", scale=6)
    with clock.at(time_of("9:00")):
        got = staff.post(path, data={"photo": (BytesIO(photo.getvalue()), "card.png")})
        assert "签到成功" in got.text
        other = staff.post(path, data={"photo": (BytesIO(empty.getvalue()), "x.png")})
        assert "扫错码了" in other.text
        for octets in (b"", b"GIF89a no picture", b"\x89PNG\r\n\x1a\n cut"):
            assert staff.post(path, data={"photo": (BytesIO(octets), "x.png")}).status_code == 422


def test_photos_come_at_most_sixty_a_minute(staff: FlaskClient, scene: Scene) -> None:
    path = f"/staff/desk/{scene.session().session_id}/photo"
    with clock.at(time_of("9:00")):
        for _ in range(60):
            staff.post(path)
        assert "扫得太快了" in staff.post(path).text


def test_staff_announce_edit_publish_and_call_off(staff: FlaskClient, scene: Scene) -> None:
    form = {
        "title": "敬老院理发",
        "rule_code": "V04",
        "branch_id": scene.branches["NS-01"].branch_id,
        "place": "松鹤敬老院",
        "mode": "poster",
        "on": "2026-11-28",
        "starts": "14:00",
        "ends": "16:00",
        "leader_number": scene.people["yong"].number,
    }
    wrong = staff.post("/staff/activities/new", data={**form, "title": "", "ends": "13:00"})
    assert (wrong.status_code, "松鹤敬老院" in wrong.text) == (422, True)
    assert staff.post("/staff/activities/new", data={**form, "ends": "13:00"}).status_code == 422
    assert staff.post("/staff/activities/new", data={**form, "leader_number": "00000000"}).status_code == 422
    made = staff.post("/staff/activities/new", data=form)
    path = made.headers["Location"]
    activity_id = int(path.rsplit("/", 1)[1])
    activity = scene.look(queries.get_activity, activity_id)
    assert (activity.mode, activity.leader_resident_id) == (Mode.POSTER, scene.people["yong"].resident_id)
    assert "谢勇海" in staff.get(path).text
    assert staff.get(f"{path}/edit").status_code == 200
    assert staff.post(f"{path}/edit", data={**form, "title": "理发"}).status_code == 303
    added = {"on": "2026-12-05", "starts": "14:00", "ends": "16:00"}
    assert staff.post(f"{path}/sessions", data=added).status_code == 303
    assert staff.post(f"{path}/sessions", data=added).status_code == 409
    assert staff.get(f"/activities/{activity_id}").status_code == 404
    assert staff.post(f"{path}/publish").status_code == 303
    assert "理发" in staff.get("/activities").text
    assert "理发" in staff.get(f"/activities/{activity_id}").text
    assert "理发" in staff.get("/staff/activities?q=理发&status=published").text
    assert staff.post(f"{path}/cancel").status_code == 303
    assert scene.look(queries.get_activity, activity_id).status is Status.CANCELLED


def test_another_branchs_activity_can_not_be_announced_by_typing_its_number(staff: FlaskClient, scene: Scene) -> None:
    form = {
        "title": "越界", "rule_code": "V01", "branch_id": scene.branches["XX-01"].branch_id, "place": "别处",
        "on": "2026-11-28", "starts": "14:00", "ends": "16:00",
    }  # fmt: skip
    assert staff.post("/staff/activities/new", data=form).status_code == 403


def test_residents_sign_up_and_cancel(web: Flask, scene: Scene) -> None:
    session, phone = scene.session(capacity=1), phone_of(web, scene, "wei")
    path = f"/activities/sessions/{session.session_id}"
    assert "报名</button>" in phone.get(f"/activities/{session.activity.activity_id}").text
    assert phone.post(f"{path}/sign-up").status_code == 303
    assert "已报名" in phone.get("/activities").text
    other = phone_of(web, scene, "lan")
    assert "候补" in other.post(f"{path}/sign-up", follow_redirects=True).text
    assert phone.post(f"{path}/cancel-sign-up").status_code == 303
    assert "已报名" in other.get("/activities").text
    anonymous = web.test_client()
    assert "登录后报名" in anonymous.get(f"/activities/{session.activity.activity_id}").text


def test_posters_are_printed_with_a_serial_and_revoked(web: Flask, staff: FlaskClient, scene: Scene) -> None:
    session = scene.session(mode=Mode.POSTER)
    path = staff.post(f"/staff/sessions/{session.session_id}/posters").headers["Location"]
    page = staff.get(path)
    assert "海报第 1 号" in page.text
    assert "<svg" in page.text
    token = tokens.poster(scene.do(service.ensure_qr_key), session.session_id, 1)
    phone = phone_of(web, scene, "wei")
    with clock.at(time_of("9:00")):
        phone.get(f"/a/{token}")
        assert "等组织者确认" in phone.post("/a/check").text
        assert staff.post(f"{path}/revoke").status_code == 303
        assert phone.get(f"/a/{token}").status_code == 410
    assert "已作废" in staff.get(f"/staff/sessions/{session.session_id}").text
    assert staff.get(f"/staff/sessions/{session.session_id}/posters/99").status_code == 404


def test_the_sign_off_page_lists_doubts_first_keeps_what_was_typed_and_pays_once(web: Flask, scene: Scene) -> None:
    session = scene.session()
    staff = _signed_in(web, scene, scene.do(make_login, "staff", scene.branches["NS-01"]), "11:40")
    scene.stay(session, "wei")
    scene.scan(session, "lan", "9:00")
    wei, lan = (scene.people[name].resident_id for name in ("wei", "lan"))
    path = f"/staff/sessions/{session.session_id}/sign-off"
    with clock.at(time_of("11:45")):
        page = staff.get(path).text
        assert page.index("欧阳兰") < page.index("陈薇")
        assert "没有签退" in page
        assert re.search(rf'value="{wei}" checked', page)
        assert not re.search(rf'value="{lan}" checked', page)
        form = {"present": [wei, lan], f"minutes_{lan}": "140", "head_count": "3"}
        assert "还有 1 人没有签退，签退到 12:30 截止" in page
        early = staff.post(path, data=form)
        assert (early.status_code, "还有 1 人没有签退，签退到 12:30 截止" in early.text) == (409, True)
        assert 'value="140"' in early.text
        form["closes_early"] = "1"
        wrong = staff.post(path, data=form)
        assert (wrong.status_code, "您点的人数是 3，名单上确认了 2 人" in wrong.text) == (422, True)
        assert 'value="140"' in wrong.text
        assert staff.post(path, data={**form, f"minutes_{lan}": "999", "head_count": "2"}).status_code == 422
        assert staff.post(path, data={**form, "head_count": "many"}).status_code == 422
        assert scene.holds("wei") == (0, 0)
        assert staff.post(path, data={**form, "head_count": "2"}).status_code == 303
        assert "签字结果" in staff.post(path, data={**form, "head_count": "2"}).text
        done = staff.get(path).text
    assert scene.look(queries.get_session, session.session_id).state is State.SIGNED_OFF
    assert (scene.holds("wei"), scene.holds("lan")) == ((30, 150), (25, 140))
    assert "合计 4 笔" in done
    assert "140" in done or "2小时20分" in done


def test_the_sign_off_page_says_from_when_it_can_be_signed(web: Flask, scene: Scene) -> None:
    session = scene.session()
    staff = _signed_in(web, scene, scene.do(make_login, "staff", scene.branches["NS-01"]), "9:40")
    scene.scan(session, "wei", "9:00")
    path = f"/staff/sessions/{session.session_id}/sign-off"
    for hour, sentence in (("9:45", "请在 11:00 以后再签字"), ("11:20", "或在 11:30 活动结束后再签字")):
        with clock.at(time_of(hour)):
            assert sentence in staff.get(path).text
            refused = staff.post(path, data={"head_count": "0", "closes_early": "1"})
            assert (refused.status_code, sentence in refused.text) == (409, True)
    with clock.at(time_of("11:31")):
        assert "现在就截止签退" in staff.get(path).text


def test_an_auditor_reads_the_result_of_a_session_and_signs_nothing(web: Flask, scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    path = f"/staff/sessions/{session.session_id}/sign-off"
    auditor = _signed_in(web, scene, scene.do(make_login, "auditor", scene.branches["NS"]), "11:40")
    with clock.at(time_of("11:45")):
        assert "签字并发放积分" not in auditor.get(path).text
        wei = scene.people["wei"].resident_id
        assert auditor.post(path, data={"present": wei, "head_count": "1"}).status_code == 403
    scene.sign(session, "wei")
    with clock.at(time_of("11:50")):
        assert "签字结果" in auditor.get(path).text
    assert scene.holds("wei") == (30, 150)


def test_a_session_moves_and_is_called_off(staff: FlaskClient, scene: Scene) -> None:
    session = scene.session()
    path = f"/staff/sessions/{session.session_id}"
    hours = {"on": "2026-11-22", "starts": "10:00", "ends": "11:00", "in_before": "60"}
    assert staff.post(path, data=hours).status_code == 303
    moved = scene.look(queries.get_session, session.session_id)
    assert (moved.starts_at, moved.windows.in_before) == (START + timedelta(hours=25), 60)
    assert staff.post(path, data={**hours, "in_before": "9999"}).status_code == 422
    assert staff.post(f"{path}/cancel").status_code == 303
    assert scene.look(queries.get_session, session.session_id).state is State.CANCELLED


def test_jobs_close_what_was_forgotten_and_drop_old_receipts(scene: Scene) -> None:
    from moralbank.activities import jobs

    session = scene.session()
    scene.scan(session, "wei", "9:00")
    key = scene.do(service.ensure_qr_key)
    with clock.at(START):
        opened = scene.look(receipts.open_token, tokens.rotating(key, session.session_id, 0, START), clock.now())
        scene.database.join(receipts.keep_receipts, opened)
    with clock.at(START + timedelta(days=2)):
        assert (jobs.close_forgotten(scene.database), jobs.close_forgotten(scene.database)) == (1, 0)
        assert (jobs.purge_receipts(scene.database), jobs.purge_receipts(scene.database)) == (1, 0)


def test_the_slips_of_a_crowd_come_on_several_pages(web: Flask, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moralbank.activities.slip_views.PAGE", 2)
    session = scene.session()
    people = ("wei", "lan", "bo")
    scene.stay(session, *people)
    made = [award for award in scene.sign(session, *people).awards if award.entry_id]
    staff, path = web.test_client(), f"/staff/sessions/{session.session_id}/slips"
    sign_in(staff, scene.do(make_login, "staff", scene.branches["NS-01"]))
    pages, at = [], f"{path}?page=1"
    while at:
        page = staff.get(at).text
        pages.append(page.count('<article class="slip'))
        following = re.search(r'rel="next" href="([^"]+)"', page)
        at = following[1] if following else ""
    assert sum(pages) == len(made) > 2
    assert max(pages) == 2
    assert "没有积分" in staff.get(f"{path}?page=99").text
