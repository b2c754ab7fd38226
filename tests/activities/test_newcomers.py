"""First registration on a scan, and a station's standing code, which leads somewhere and credits nothing."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moralbank import clock
from moralbank.activities import signoff
from moralbank.activities.models import checkins, receipts
from moralbank.activities.values import Direction, Doubt, Means, Session
from moralbank.residents import queries as residents
from moralbank.residents.enrolment import Person, enrol_many
from moralbank.residents.values import Consent
from tests._people import make_login, sign_in
from tests.activities.conftest import Scene, time_of
from tests.activities.test_pages import code, web

__all__ = ["web"]

ANNA = {"name": "安娜", "phone": "13911112222", "secret": "482915"}


def scanned(web: Flask, scene: Scene, session: Session, at: str = "9:00") -> FlaskClient:
    """A phone that never was here and has just scanned the screen."""
    phone = web.test_client()
    with clock.at(time_of(at)):
        page = phone.get(code(scene, session, at), follow_redirects=True)
    assert "第一次来" in page.text
    return phone


def register(browser: FlaskClient, at: str = "9:08", **changes: str):
    with clock.at(time_of(at)):
        return browser.post("/a/register", data=ANNA | changes)


def test_three_fields_make_a_depositor_and_the_scan_keeps_its_time(web: Flask, scene: Scene) -> None:
    session = scene.session()
    phone = scanned(web, scene, session)
    with clock.at(time_of("9:01")):
        assert phone.get("/a/register").text.count("<input id=") == 3
    done = register(phone)
    assert (done.status_code, done.location) == (303, "/a/check")
    with clock.at(time_of("9:09")):
        assert "签到成功" in phone.post("/a/check").text
    [row] = scene.look(signoff.roster, session)
    assert row.presence.came_at == time_of("9:00")
    assert Doubt.NEWCOMER in row.presence.doubts
    assert scene.look(residents.consenting, Consent.RECORD, [row.resident.resident_id])
    assert not scene.look(residents.consenting, Consent.NOTICE, [row.resident.resident_id])


def test_who_registered_before_this_session_is_no_newcomer(web: Flask, scene: Scene) -> None:
    register(scanned(web, scene, scene.session()))
    later = scene.session(time_of("9:00") + timedelta(days=7))
    [anna] = scene.look(residents.list_by_phone, ANNA["phone"])
    scene.people["anna"] = anna
    scene.scan(later, "anna", "9:00", at=later.starts_at, direction=Direction.IN)
    [row] = scene.look(signoff.roster, later)
    assert Doubt.NEWCOMER not in row.presence.doubts


def test_without_a_good_scan_there_is_nothing_to_register_for(web: Flask, scene: Scene) -> None:
    session = scene.session()
    with clock.at(time_of("9:00")):
        assert web.test_client().get("/a/register").status_code == 409
        assert web.test_client().post("/a/register", data=ANNA).status_code == 409
    phone = scanned(web, scene, session)
    assert register(phone, "9:11").status_code == 409
    assert scene.look(residents.list_by_phone, ANNA["phone"]) == []


def test_one_scan_registers_one_person(web: Flask, scene: Scene) -> None:
    phone = scanned(web, scene, scene.session())
    register(phone)
    with clock.at(time_of("9:08")):
        phone.post("/logout")
    assert register(phone, name="别人", phone="13911113333").status_code == 409
    assert scene.look(residents.list_by_phone, "13911113333") == []


def test_wrong_fields_are_said_and_who_is_known_is_sent_to_the_login(web: Flask, scene: Scene) -> None:
    phone = scanned(web, scene, scene.session())
    assert register(phone, phone="12").status_code == 422
    weak = register(phone, secret="111111")
    assert weak.status_code == 422
    assert "安娜" in weak.text
    known = register(phone, name="陈薇", phone="13800000001")
    assert (known.status_code, "请直接登录" in known.text) == (409, True)
    assert scene.people["wei"].number not in known.text


def test_nobody_tries_out_who_is_a_depositor(web: Flask, scene: Scene) -> None:
    phone = scanned(web, scene, scene.session())
    answers = [register(phone, name="陈薇", phone="13800000001").status_code for _ in range(6)]
    assert answers[-1] == 429


def test_the_standing_code_shows_today_and_credits_nothing(web: Flask, scene: Scene) -> None:
    scene.session()
    scene.session(time_of("9:00") + timedelta(days=1), title="明天的活动")
    phone = web.test_client()
    with clock.at(time_of("9:00")):
        for _ in range(100):
            page = phone.get("/at/NS-01").text
        assert "河岸清洁" in page
        assert "请扫活动现场屏幕上的二维码" in page
        assert "明天的活动" not in page
        assert "今天没有活动" in phone.get("/at/NS-02").text
        assert phone.get("/at/NS").status_code == 404
    with scene.database.reading() as db:
        for table in (receipts, checkins):
            assert db.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


def test_staff_prints_the_standing_code_of_their_own_station(web: Flask, scene: Scene) -> None:
    client = web.test_client()
    with clock.at(time_of("8:00")):
        sign_in(client, scene.do(make_login, "staff", scene.branches["NS-01"]))
        assert "/at/NS-01" in client.get(f"/staff/branches/{scene.branches['NS-01'].branch_id}/standing-code").text
        assert client.get(f"/staff/branches/{scene.branches['XX-01'].branch_id}/standing-code").status_code == 403


def test_a_minor_without_a_guardian_on_record_checks_in_by_no_means(scene: Scene) -> None:
    kid = Person("小宝", scene.branches["NS-01"].branch_id, born_on=date(2015, 5, 5))
    [made] = scene.do(enrol_many, scene.people["wei"].book_id, [kid], actor="admin:1")
    scene.people["kid"] = scene.look(residents.get_resident, made.resident_id)
    session = scene.session()
    for means in (Means.ROTATING, Means.DESK_CARD):
        answer = scene.scan(session, "kid", "9:00", means=means)
        assert (answer.verdict.code, answer.scan) == ("not_registered", None)
