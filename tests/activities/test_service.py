"""Announcing activities, and who has a place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from moralbank import clock
from moralbank.activities import queries, service
from moralbank.activities.cli import activities
from moralbank.activities.errors import (
    ActivityOver,
    BadPlan,
    BadTimes,
    CodeTaken,
    NoSession,
    NotADraft,
    NotSignedUp,
    SessionHasScans,
    SessionsOpen,
    SessionTaken,
    SignupClosed,
    UnknownPoster,
)
from moralbank.activities.values import State, Status, Windows
from tests.activities.conftest import END, STAFF, START, Scene, in_this_context, time_of


def sign_up(scene: Scene, session, who: str) -> str:
    return scene.do(service.sign_up, session.session_id, scene.people[who].resident_id).state


def test_an_activity_is_a_draft_with_a_code_of_its_own_until_it_has_a_session_and_is_published(
    scene: Scene,
) -> None:
    activity = scene.do(service.create_activity, scene.plan(title=" 河岸清洁 "), actor=STAFF, login_id=7)
    assert (activity.status, activity.title, activity.leader_login_id) == (Status.DRAFT, "河岸清洁", 7)
    assert activity.code == f"H{activity.activity_id:05d}"
    with pytest.raises(NoSession):
        scene.do(service.publish_activity, activity.activity_id)
    scene.do(service.add_session, activity.activity_id, START, END)
    assert scene.do(service.publish_activity, activity.activity_id).status is Status.PUBLISHED
    assert scene.do(service.publish_activity, activity.activity_id).status is Status.PUBLISHED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"place": ""}, "place"),
        ({"capacity": 0}, "capacity"),
        ({"rule_code": "V99"}, "rule_code"),
        ({"rule_code": "P05"}, "rule_code"),
        ({"rule_code": "V10"}, "rule_code"),
        ({"leader_resident_id": 424242}, "leader_number"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_field_by_field(scene: Scene, changes, field: str) -> None:
    with pytest.raises(BadPlan) as refusal:
        scene.do(service.create_activity, scene.plan(**changes), actor=STAFF)
    assert list(refusal.value.errors) == [field]


def test_an_activity_is_held_where_a_book_is_kept(scene: Scene) -> None:
    with pytest.raises(BadPlan):
        scene.do(service.create_activity, scene.plan(branch_id=scene.branches["NS"].branch_id), actor=STAFF)


def test_a_code_is_given_once(scene: Scene) -> None:
    scene.do(service.create_activity, scene.plan(code="A001"), actor=STAFF)
    with pytest.raises(CodeTaken):
        scene.do(service.create_activity, scene.plan(code="A001"), actor=STAFF)


def test_rule_and_branch_stand_once_published_and_nothing_changes_after_cancelling(scene: Scene) -> None:
    activity = scene.session().activity
    plan = scene.plan(title="河岸清洁二组")
    assert scene.do(service.edit_activity, activity.activity_id, plan).title == "河岸清洁二组"
    with pytest.raises(NotADraft):
        scene.do(service.edit_activity, activity.activity_id, replace(plan, rule_code="V02"))
    scene.do(service.cancel_activity, activity.activity_id)
    with pytest.raises(ActivityOver):
        scene.do(service.edit_activity, activity.activity_id, plan)
    (count,) = scene.look(queries.list_sessions, [activity.activity_id])
    assert count.session.state is State.CANCELLED


def test_an_activity_that_people_came_to_can_not_be_cancelled_but_is_closed_when_signed_off(
    scene: Scene,
) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    with pytest.raises(SessionHasScans):
        scene.do(service.cancel_activity, session.activity.activity_id)
    with pytest.raises(SessionsOpen):
        scene.do(service.close_activity, session.activity.activity_id)
    scene.sign(session, "wei")
    assert scene.do(service.close_activity, session.activity.activity_id).status is Status.CLOSED


@pytest.mark.parametrize("minutes", [0, -1, 12 * 60 + 1])
def test_a_session_ends_after_it_starts_and_within_twelve_hours(scene: Scene, minutes: int) -> None:
    activity = scene.session().activity
    start = START + timedelta(days=1)
    with pytest.raises(BadTimes):
        scene.do(service.add_session, activity.activity_id, start, start + timedelta(minutes=minutes))


def test_a_session_moves_with_its_hours_but_not_onto_another(scene: Scene) -> None:
    session = scene.session()
    other = scene.do(
        service.add_session, session.activity.activity_id, START + timedelta(days=1), END + timedelta(days=1)
    )
    with pytest.raises(SessionTaken):
        scene.do(service.edit_session, other.session_id, START, END, Windows())
    with pytest.raises(SessionTaken):
        scene.do(service.add_session, session.activity.activity_id, START, END)
    with pytest.raises(BadTimes):
        scene.do(service.edit_session, other.session_id, START, END, Windows(in_before=-1))
    moved = scene.do(service.edit_session, session.session_id, START, END, Windows(in_before=60, in_after=90))
    assert (moved.in_from, moved.in_until) == (time_of("8:00"), time_of("10:30"))


def test_who_comes_too_late_waits_and_moves_up_in_order(scene: Scene) -> None:
    session = scene.session(capacity=2)
    states = [sign_up(scene, session, who) for who in ("wei", "lan", "bo", "yong")]
    assert states == ["going", "going", "waiting", "waiting"]
    assert sign_up(scene, session, "bo") == "waiting"
    moved = scene.do(service.cancel_sign_up, session.session_id, scene.people["wei"].resident_id)
    assert moved == [scene.people["bo"].resident_id]
    with clock.at(clock.now() + timedelta(minutes=1)):
        assert sign_up(scene, session, "wei") == "waiting"
    order = [(s.resident_id, s.state) for s in scene.look(queries.list_signups, session.session_id)]
    names = {one.resident_id: name for name, one in scene.people.items()}
    assert [(names[who], state) for who, state in order][-1] == ("wei", "waiting")


def test_more_places_let_everybody_in_who_waits(scene: Scene) -> None:
    session = scene.session(capacity=1)
    for who in ("wei", "lan", "bo"):
        sign_up(scene, session, who)
    scene.do(service.edit_activity, session.activity.activity_id, scene.plan(capacity=None))
    assert {signup.state for signup in scene.look(queries.list_signups, session.session_id)} == {"going"}


def test_many_who_sign_up_at_once_never_take_more_places_than_there_are(scene: Scene) -> None:
    session = scene.session(capacity=2)
    with ThreadPoolExecutor(5) as pool:
        states = list(pool.map(in_this_context(lambda who: sign_up(scene, session, who)), scene.people))
    assert sorted(states) == ["going", "going", "waiting", "waiting", "waiting"]


def test_sign_up_ends_when_the_session_begins(scene: Scene) -> None:
    session = scene.session()
    wei = scene.people["wei"].resident_id
    with pytest.raises(NotSignedUp):
        scene.do(service.cancel_sign_up, session.session_id, wei)
    with clock.at(START), pytest.raises(SignupClosed):
        scene.do(service.sign_up, session.session_id, wei)


def test_a_poster_is_revoked_only_where_it_hangs(scene: Scene) -> None:
    session, other = scene.session(), scene.session(title="另一场")
    poster = scene.do(service.print_poster, session.session_id, actor=STAFF)
    with pytest.raises(UnknownPoster):
        scene.do(service.revoke_poster, other.session_id, poster.serial, actor=STAFF)
    scene.do(service.revoke_poster, session.session_id, poster.serial, actor=STAFF)
    assert scene.look(queries.list_posters, session.session_id)[0].revoked_at is not None


def test_lists_show_what_is_to_come_and_what_waits_for_a_signature(scene: Scene) -> None:
    past, coming = scene.session(), scene.session(START + timedelta(days=2), title="下一场")
    branch = [scene.branches["NS-01"].branch_id]
    now = END + timedelta(hours=2)
    assert [c.session.session_id for c in scene.look(queries.list_coming, now)] == [coming.session_id]
    assert [c.session.session_id for c in scene.look(queries.list_to_do, now, branch)] == [past.session_id]
    assert scene.look(queries.list_to_do, now, [scene.branches["XX-01"].branch_id]) == []
    found = scene.look(queries.list_activities, branch, search="下一")
    assert [activity.title for activity in found] == ["下一场"]


def test_the_command_line_changes_the_key_of_the_codes(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scene.do(service.ensure_qr_key)
    monkeypatch.setenv("DATABASE_URL", scene.database.engine.url.render_as_string(hide_password=False))
    result = CliRunner().invoke(activities, ["rotate-key"])
    assert result.output == "key 1 makes the codes from now on\n"
    assert scene.do(service.ensure_qr_key).secret != before.secret
