"""Calendars that phones subscribe to."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from icalendar import Calendar

from moralbank import clock
from moralbank.activities import calendars, service
from tests._people import form, make_login, sign_in
from tests.activities.conftest import START, Scene


def events(answer) -> dict[str, str]:
    """Return the state of each event of a calendar, by its title."""
    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.data)
    return {str(event["SUMMARY"]): str(event["STATUS"]) for event in calendar.walk("VEVENT")}


def phone_of(app: Flask, scene: Scene, who: str) -> FlaskClient:
    one, client = scene.people[who], app.test_client()
    sign_in(client, scene.do(make_login, "resident", one.branch_id, resident_id=one.resident_id))
    return client


def test_a_branchs_calendar_holds_what_is_announced_there_and_below_and_no_draft(app, scene):
    scene.session(title="河岸清洁")
    scene.session(title="隔壁的活动", branch_id=scene.branches["NS-02"].branch_id)
    scene.session(title="外区的活动", branch_id=scene.branches["XX-01"].branch_id)
    scene.session(title="早就过去的", starts_at=START - timedelta(days=40))
    draft = scene.do(service.create_activity, scene.plan(title="还没发布"), actor="staff:1", login_id=1)
    scene.do(service.add_session, draft.activity_id, START, START + timedelta(hours=1))
    client = app.test_client()
    assert events(client.get("/calendar/NS-01.ics")) == {"河岸清洁": "CONFIRMED"}
    assert events(client.get("/calendar/NS-00.ics")) == {"河岸清洁": "CONFIRMED", "隔壁的活动": "CONFIRMED"}
    assert client.get("/calendar/NOWHERE.ics").status_code == 404


def test_times_place_and_page_are_in_the_file_and_the_same_session_keeps_its_id(app, scene):
    session = scene.session(title="读报；喝茶, 慢慢来\n第二行")
    first = app.test_client().get("/calendar/NS-01.ics").data
    [event] = Calendar.from_ical(first).walk("VEVENT")
    assert event["SUMMARY"] == "读报；喝茶, 慢慢来\n第二行"
    assert event.decoded("DTSTART") == session.starts_at
    assert event.decoded("DTEND") == session.ends_at
    assert str(event["LOCATION"]) == "河岸公园"
    assert str(event["URL"]).endswith(f"/activities/{session.activity.activity_id}")
    with clock.at(clock.now() + timedelta(hours=1)):
        [again] = Calendar.from_ical(app.test_client().get("/calendar/NS-01.ics").data).walk("VEVENT")
    assert again["UID"] == event["UID"]


def test_ones_own_calendar_follows_sign_ups_and_a_cancelled_session_says_so(app, scene):
    walk, other = scene.session(title="河岸清洁"), scene.session(title="读报", starts_at=START + timedelta(days=1))
    lan = scene.people["lan"].resident_id
    scene.do(service.sign_up, walk.session_id, lan)
    secret = scene.do(calendars.make_address, lan)
    assert events(app.test_client().get(f"/calendar/mine/{secret}.ics")) == {"河岸清洁": "CONFIRMED"}
    scene.do(service.sign_up, other.session_id, lan)
    scene.do(service.cancel_session, walk.session_id)
    found = events(app.test_client().get(f"/calendar/mine/{secret}.ics"))
    assert found == {"河岸清洁": "CANCELLED", "读报": "CONFIRMED"}


def test_an_address_is_shown_once_and_opens_nothing_after_a_change_or_an_end(app, scene):
    phone, anybody = phone_of(app, scene, "lan"), app.test_client()

    def address() -> str:
        shown = form(phone, "/me/calendar").text
        return "/calendar/mine/" + shown.partition("/calendar/mine/")[2].partition('"')[0]

    first = address()
    assert anybody.get(first).headers["Cache-Control"] == "private, no-store"
    assert first.rpartition("/")[2] not in phone.get("/me/calendar").text
    second = address()
    assert anybody.get(first).status_code == 404
    assert anybody.get(second).status_code == 200
    assert form(phone, "/me/calendar/end").status_code == 303
    assert anybody.get(second).status_code == 404
