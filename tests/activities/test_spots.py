"""Spot checks: whoever is inside answers with one tap, and who doesn't is listed, never punished."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moralbank import clock
from moralbank.activities import signoff, spots
from moralbank.activities.errors import (
    NotInside,
    SpotCheckOpen,
    SpotCheckOver,
    SpotChecksUsedUp,
)
from moralbank.activities.values import Direction, Doubt, Session
from tests.activities.conftest import END, STAFF, START, Scene, time_of


@pytest.fixture
def session(scene: Scene) -> Session:
    """Wei, Qiang and Lan have come; Bo came and left before ten."""
    session = scene.session()
    for who in ("wei", "qiang", "lan", "bo"):
        scene.scan(session, who, "9:00", direction=Direction.IN)
    scene.scan(session, "bo", "9:40", direction=Direction.OUT, override="要接孩子")
    return session


def begin(scene: Scene, session: Session, at: str = "10:00") -> spots.SpotCheck:
    with clock.at(time_of(at)):
        return scene.do(spots.open_spot_check, session.session_id, actor=STAFF)


def tap(scene: Scene, check: spots.SpotCheck, who: str, at: str = "10:01", device: str | None = None) -> None:
    with clock.at(time_of(at)):
        resident_id = scene.people[who].resident_id
        scene.do(spots.answer, check.spot_id, resident_id, actor="resident:1", device=device)


def doubts(scene: Scene, session: Session) -> dict[str, set[Doubt]]:
    names = {person.resident_id: name for name, person in scene.people.items()}
    return {names[row.resident.resident_id]: set(row.presence.doubts) for row in scene.look(signoff.roster, session)}


def test_who_does_not_answer_in_two_minutes_is_a_doubt_and_who_had_left_is_not_asked(
    scene: Scene, session: Session
) -> None:
    check = begin(scene, session)
    tap(scene, check, "wei")
    tap(scene, check, "wei")  # A nervous thumb.
    with pytest.raises(NotInside):
        tap(scene, check, "bo")
    with pytest.raises(SpotCheckOver):
        tap(scene, check, "lan", "10:02")
    found = doubts(scene, session)
    assert {name for name, theirs in found.items() if Doubt.NO_ANSWER in theirs} == {"qiang", "lan"}


def test_staff_ticks_whom_they_see_for_ten_minutes_but_nobody_who_was_outside(scene: Scene, session: Session) -> None:
    check = begin(scene, session)
    ids = {name: person.resident_id for name, person in scene.people.items()}
    with clock.at(time_of("10:09")):
        assert scene.do(spots.tick, check.spot_id, [ids["lan"], ids["bo"], ids["yong"]], actor=STAFF) == 1
    with clock.at(time_of("10:10")), pytest.raises(SpotCheckOver):
        scene.do(spots.tick, check.spot_id, [ids["qiang"]], actor=STAFF)
    [one] = scene.look(spots.list_rounds, session.session_id)
    assert (one.answered, one.missing) == ({ids["lan"]}, {ids["wei"], ids["qiang"]})


def test_one_phone_answers_for_one_person(scene: Scene, session: Session) -> None:
    check = begin(scene, session)
    tap(scene, check, "lan", device="a")
    tap(scene, check, "wei", "10:01:30", device="a")
    [one] = scene.look(spots.list_rounds, session.session_id)
    assert one.borrowed == {scene.people["wei"].resident_id}
    assert scene.people["wei"].resident_id in one.missing


def test_nothing_is_taken_from_who_did_not_answer_once_the_leader_confirms_them(scene: Scene, session: Session) -> None:
    begin(scene, session)
    for who in ("wei", "qiang", "lan"):
        scene.scan(session, who, "11:30", direction=Direction.OUT)
    scene.sign(session, "wei", "qiang", "lan")
    assert [scene.holds(who) for who in ("wei", "qiang", "lan")] == [(30, 150)] * 3


def test_it_is_opened_only_while_the_session_runs_one_at_a_time_and_five_times_at_most(
    scene: Scene, session: Session
) -> None:
    for at in ("8:59", "11:30"):
        with pytest.raises(SpotCheckOver):
            begin(scene, session, at)
    begin(scene, session)
    with pytest.raises(SpotCheckOpen):
        begin(scene, session, "10:01")
    for at in ("10:02", "10:04", "10:06", "10:08"):
        begin(scene, session, at)
    with pytest.raises(SpotChecksUsedUp):
        begin(scene, session, "10:30")


def test_a_phone_is_asked_only_while_it_can_answer(scene: Scene, session: Session) -> None:
    check = begin(scene, session)
    with clock.at(time_of("10:01")):
        assert scene.look(spots.list_open_for, scene.people["wei"].resident_id) == [check]
        assert scene.look(spots.list_open_for, scene.people["bo"].resident_id) == []
    tap(scene, check, "wei")
    with clock.at(time_of("10:01")):
        assert scene.look(spots.list_open_for, scene.people["wei"].resident_id) == []


def test_the_suggested_time_lies_in_the_middle_half_and_depends_on_the_banks_secret(session: Session) -> None:
    drawn = {spots.suggested_at(session, bytes([n])) for n in range(30)}
    quarter = (END - START) / 4
    assert all(START + quarter <= at <= END - quarter for at in drawn)
    assert len(drawn) > 20
    assert max(drawn) - min(drawn) > timedelta(minutes=30)
