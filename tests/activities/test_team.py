"""A team leader signs up several members; each of them sees it and may cancel."""

from __future__ import annotations

import pytest
from flask import Flask

from moralbank import clock
from moralbank.activities import queries, service
from moralbank.activities.errors import SignupClosed, TeamTooLarge
from tests.activities.conftest import START, Scene, time_of
from tests.activities.test_pages import phone_of, web

__all__ = ["web"]


def test_members_are_on_the_list_in_the_order_given_and_the_rest_waits(scene: Scene) -> None:
    session = scene.session(capacity=2)
    leader = scene.people["yong"].resident_id
    numbers = [scene.people[name].number for name in ("wei", "lan", "bo", "wei")]
    states = scene.do(service.sign_up_team, session.session_id, leader, [*numbers, "99999999"])
    assert list(states.values()) == ["going", "going", "waiting", "unknown"]
    by_whom = {one.resident_id: one.signed_up_by for one in scene.look(queries.list_signups, session.session_id)}
    assert set(by_whom.values()) == {leader}
    scene.do(service.cancel_sign_up, session.session_id, scene.people["wei"].resident_id)
    [lan, bo] = scene.look(queries.list_signups, session.session_id)
    assert (lan.state, bo.state) == ("going", "going")


def test_too_many_none_and_too_late_are_refused_and_change_nothing(scene: Scene) -> None:
    session = scene.session()
    leader, wei = scene.people["yong"].resident_id, scene.people["wei"].number
    for numbers in ([], [f"{number:08d}" for number in range(21)]):
        with pytest.raises(TeamTooLarge):
            scene.do(service.sign_up_team, session.session_id, leader, numbers)
    with clock.at(START), pytest.raises(SignupClosed):
        scene.do(service.sign_up_team, session.session_id, leader, [wei])
    assert scene.look(queries.list_signups, session.session_id) == []


def test_the_page_says_of_every_number_what_became_of_it(web: Flask, scene: Scene) -> None:
    session, phone = scene.session(), phone_of(web, scene, "yong")
    numbers = f"{scene.people['wei'].number} 99999999\n{scene.people['lan'].number}"
    with clock.at(time_of("8:00")):
        assert "代大家报名" in phone.get(f"/activities/{session.activity.activity_id}").text
        path = f"/activities/sessions/{session.session_id}/team-sign-up"
        page = phone.post(path, data={"numbers": numbers}, follow_redirects=True).text
        assert "已代 2 人报名" in page
        assert "1 个号码没有报上" in page
        assert phone.post(path, data={"numbers": ""}).status_code == 422
