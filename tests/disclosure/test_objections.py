"""Somebody says that something is wrong, somebody else answers in time, and what waits goes on waiting."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient

from moralbank import clock
from moralbank.db import Database
from moralbank.disclosure import service as notices
from moralbank.disclosure.values import Kind, Period
from moralbank.messages import queries as messages
from moralbank.objections import errors, queries, service
from moralbank.objections.service import Doubt
from tests._people import form, make_login, sign_in
from tests.disclosure.conftest import IN_NOVEMBER, OCTOBER, Town


@pytest.fixture
def at_the_desk(town: Town):
    with clock.at(IN_NOVEMBER):
        yield town


def test_a_resident_objects_to_a_line_of_their_own_and_is_answered(
    client: FlaskClient, database: Database, at_the_desk: Town
) -> None:
    town = at_the_desk
    zhang = town.agreed[2]
    login = database.transact(make_login, "resident", town.station, resident_id=zhang.resident_id)
    sign_in(client, login)
    assert 'href="/me/passbook/points/1/objection"' in client.get("/me/passbook/points/1").text
    assert form(client, "/me/passbook/points/1/objection").status_code == 422
    assert form(client, "/me/passbook/points/9/objection", {"words": "没有这一行"}).status_code == 404
    assert form(client, "/me/passbook/points/1/objection", {"words": "那天服务了两小时"}).status_code == 303
    assert "您已经提过" in form(client, "/me/passbook/points/1/objection", {"words": "再说一遍"}).text
    assert (
        "2026-11-11 以前" in client.get("/me/passbook/points/1/objection").text
        or "11月11日" in client.get("/me/passbook/points/1/objection").text
    )
    sign_in(client, town.wu)
    assert "那天服务了两小时" in client.get("/staff/objections").text
    page = client.get("/staff/objections/1").text
    assert "张*三" in page
    assert "张建三" not in page
    assert form(client, "/staff/objections/1/assign").status_code == 303
    assert "请选择成立还是不成立" in form(client, "/staff/objections/1/answer", {"words": "是的", "outcome": "?"}).text
    given = {"outcome": "upheld", "words": "您说得对，会补记。"}
    assert form(client, "/staff/objections/1/answer", given).status_code == 303
    assert form(client, "/staff/objections/1/answer", given).status_code == 409
    sign_in(client, login)
    assert "您说得对，会补记。" in client.get("/me/objections").text
    with database.reading() as db:
        assert [one.kind for one in messages.list_messages(db, resident_id=zhang.resident_id)] == ["objection"]


def test_who_made_the_line_does_not_answer(client: FlaskClient, database: Database, at_the_desk: Town) -> None:
    town = at_the_desk
    zhang = town.agreed[2]
    actor = f"staff:{town.wu.login_id}"
    doubt = Doubt(zhang.book_id, zhang.branch_id, "line", "1:1:1:1", "不对", actor)
    made = database.transact(service.object_to, zhang.resident_id, doubt)
    with pytest.raises(errors.AnsweringOwnAct):
        database.transact(service.answer, made.objection_id, is_right=False, words="没错", actor=actor)
    other = f"staff:{town.chen.login_id}"
    assert database.transact(service.answer, made.objection_id, is_right=False, words="核对过", actor=other)


def test_anybody_objects_to_a_notice_with_a_name_and_a_contact(
    client: FlaskClient, database: Database, at_the_desk: Town
) -> None:
    town = at_the_desk
    chen, wu = (f"staff:{login.login_id}" for login in (town.chen, town.wu))
    made = database.transact(notices.draft, town.station.branch_id, Kind.TOTALS, Period.month(OCTOBER), actor=chen)
    database.transact(notices.publish, made.notice_id, actor=wu)
    path = f"/notices/{made.notice_id}/objection"
    assert (
        "请留一个电话或地址" in form(client, path, {"words": "人数不对", "from_name": "刘女士", "contact": "139"}).text
    )
    given = {"words": "人数不对", "from_name": "刘女士", "contact": "13900001111"}
    assert form(client, path, given).status_code == 303
    stranger = database.transact(make_login, "staff", town.tree["XX-01"])
    sign_in(client, stranger)
    assert client.get("/staff/objections/1").status_code == 403
    sign_in(client, town.wu)
    assert "13900001111" in client.get("/staff/objections/1").text
    with database.reading() as db:
        assert queries.count_open_about(db, "notice", [str(made.notice_id)]) == 1
    database.transact(service.answer, 1, is_right=False, words="核对过", actor=wu)
    with clock.at(IN_NOVEMBER + timedelta(days=91)):
        assert database.transact(service.forget_contacts) == 1
        assert "13900001111" not in client.get("/staff/objections/1").text


def test_the_days_to_answer_are_working_days() -> None:
    assert service.answer_by(date(2026, 11, 4)) == date(2026, 11, 11)
    assert service.answer_by(date(2026, 11, 6)) == date(2026, 11, 13)


def test_what_was_taken_back_or_forgotten_says_nothing_more(database: Database, at_the_desk: Town) -> None:
    zhang = at_the_desk.agreed[2]
    doubt = Doubt(zhang.book_id, zhang.branch_id, "late_entry", "7", "他没有来")
    made = database.transact(service.object_to, zhang.resident_id, doubt)
    with database.reading() as db:
        assert queries.count_open_about(db, "late_entry", ["7"]) == 1
    with pytest.raises(errors.UnknownObjection):
        database.transact(service.withdraw, made.objection_id, zhang.resident_id + 1)
    database.transact(service.withdraw, made.objection_id, zhang.resident_id)
    database.transact(service.forget, zhang.resident_id)
    with database.reading() as db:
        assert queries.count_open_about(db, "late_entry", ["7"]) == 0
        assert queries.get_objection(db, made.objection_id).words == ""
