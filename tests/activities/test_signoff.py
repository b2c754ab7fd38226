"""The leader's signature credits everybody once, by the rules, and refuses what doesn't add up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from moralbank import clock, earning, ledger
from moralbank.activities import awarding, queries, service, signoff
from moralbank.activities.errors import (
    BadDecision,
    CheckOutOpen,
    HeadCountDiffers,
    NotOnRoster,
    NotStarted,
    OwnAttendance,
    SessionOver,
    StillInside,
)
from moralbank.activities.signoff import Decision
from moralbank.activities.values import Direction, Doubt, Means, State
from moralbank.ledger import Unit
from moralbank.messages.queries import list_messages
from moralbank.messages.wording import words
from tests.activities.conftest import START, Scene, in_this_context, time_of


def award_of(result: signoff.SignOff, scene: Scene, who: str, kind: str = "attendance"):
    wanted = scene.people[who].resident_id
    return next((a for a in result.awards if (a.resident_id, a.kind) == (wanted, kind)), None)


def line_of(scene: Scene, who: str, unit: Unit = Unit.POINTS) -> ledger.Line:
    resident = scene.people[who]
    with scene.database.reading() as db:
        return ledger.history(db, resident.book_id, resident.account_id, unit, newest_first=False)[0]


def test_two_and_a_half_hours_of_cleaning_are_25_points_and_150_minutes_and_five_for_the_first_time(
    scene: Scene,
) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    result = scene.sign(session, "wei")
    award = award_of(result, scene, "wei")
    assert (award.points, award.service_minutes, award.grade, award.reason) == (25, 150, "A", "awarded")
    assert award_of(result, scene, "wei", "first-service").points == 5
    assert scene.holds("wei") == (30, 150)


def test_the_entry_cites_rule_version_grade_session_and_branch_and_the_points_expire_after_36_months(
    scene: Scene,
) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    scene.sign(session, "wei")
    line, wei = line_of(scene, "wei"), scene.people["wei"].resident_id
    assert (line.kind, line.rule, line.grade) == ("award", ("V01", 1), "A")
    assert line.source == ("attendance", f"{session.session_id}:{wei}")
    assert (line.branch, line.occurred_on) == (session.activity.branch_id, date(2026, 11, 21))
    assert line.private == {"activity": "河岸清洁", "place": "河岸公园"}
    assert line.expires_on == date(2029, 11, 21)
    assert line_of(scene, "wei", Unit.MINUTES).entry_id == line.entry_id


def test_points_of_a_leap_day_expire_on_the_last_day_of_february() -> None:
    assert awarding.expiry_of(date(2028, 2, 29)) == date(2031, 2, 28)


def test_signing_off_twice_gives_the_same_result_and_no_second_credit(scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei", "lan")
    first = scene.sign(session, "wei", "lan")
    again = scene.sign(session, "wei", head_count=7)
    assert again.is_repeat
    assert (again.awards, again.session) == (first.awards, first.session)
    assert scene.holds("wei") == (30, 150)


def told(scene: Scene, who: str) -> list[tuple[str, dict[str, object] | None]]:
    found = scene.look(list_messages, resident_id=scene.people[who].resident_id)
    return [(one.kind, one.facts) for one in found]


def test_everybody_is_told_once_of_all_that_a_session_brought_them_and_whoever_got_nothing_is_not(
    scene: Scene,
) -> None:
    session = scene.session()
    scene.stay(session, "wei", "lan")
    scene.sign(session, "wei", "lan", minutes={"lan": 10})
    scene.sign(session, "wei", "lan")
    assert told(scene, "wei") == [("award", {"points": 30})]
    assert told(scene, "lan") == []


def test_who_is_beyond_the_caps_is_told_of_the_minutes_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_points(*given):
        return replace(earning.award(*given), points=0)

    monkeypatch.setattr(awarding, "award", no_points)
    session = scene.session()
    scene.stay(session, "wei")
    scene.sign(session, "wei")
    assert told(scene, "wei") == [("service", {"minutes": 150})]
    said = words("service", {"minutes": 150})
    assert "2小时30分" in said.text.replace(" ", "")


def test_a_sign_off_that_fails_tells_nobody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_given):
        raise RuntimeError

    session = scene.session()
    scene.stay(session, "wei")
    monkeypatch.setattr(signoff, "record", fall)
    with pytest.raises(RuntimeError):
        scene.sign(session, "wei")
    assert told(scene, "wei") == []


def test_thirty_two_signatures_at_once_credit_once(scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei", "lan", "bo")
    with ThreadPoolExecutor(32) as pool:
        sign = in_this_context(lambda _: scene.sign(session, "wei", "lan", "bo"))
        results = list(pool.map(sign, range(32)))
    assert len({result.awards for result in results}) == 1
    assert [result.is_repeat for result in results].count(False) == 1
    assert [scene.holds(name) for name in ("wei", "lan", "bo")] == [(30, 150)] * 3


@pytest.mark.parametrize("head_count", [0, 1, 3])
def test_a_head_count_that_differs_from_the_confirmed_roster_blocks(scene: Scene, head_count: int) -> None:
    session = scene.session()
    scene.stay(session, "wei", "lan")
    with pytest.raises(HeadCountDiffers) as refusal:
        scene.sign(session, "wei", "lan", head_count=head_count)
    assert refusal.value.fields == {"head_count": head_count, "confirmed": 2}
    assert scene.look(queries.get_session, session.session_id).state is State.OPEN
    assert scene.holds("wei") == (0, 0)


def test_who_is_not_confirmed_gets_nothing(scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei", "lan")
    result = scene.sign(session, "wei")
    assert award_of(result, scene, "lan") is None
    assert scene.holds("lan") == (0, 0)


def test_nobody_is_credited_who_was_never_scanned(scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    with pytest.raises(NotOnRoster):
        scene.sign(session, "wei", "lan")


def test_nobody_signs_for_themselves_for_their_family_or_for_their_own_leading(scene: Scene) -> None:
    session = scene.session(leader_resident_id=scene.people["yong"].resident_id)
    scene.stay(session, "wei")
    for signer in ("wei", "qiang", "yong"):
        with pytest.raises(OwnAttendance):
            scene.sign(session, "wei", resident_id=scene.people[signer].resident_id)
    scene.sign(session, "wei", resident_id=scene.people["bo"].resident_id)
    assert scene.holds("wei")[0] == 30


def test_a_missing_check_out_counts_to_the_planned_end_only_once_the_leader_says_so(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "10:00", override="晚到")
    scene.scan(session, "lan", "9:00")
    (first, second) = scene.look(signoff.roster, session)
    assert {Doubt.NO_OUT} <= set(first.presence.doubts) & set(second.presence.doubts)
    result = scene.sign(session, "wei", "lan", minutes={"lan": 95})
    assert [(a.present_minutes, a.grade) for a in result.awards if a.kind == "attendance"] == [(90, "B"), (95, "B")]
    last = scene.look(queries.list_scans, session.session_id, scene.people["lan"].resident_id)[-1]
    assert last.means is Means.PLANNED_END


def test_a_leader_can_not_give_more_than_the_scans_leave_room_for(scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei", leave="11:00")
    scene.scan(session, "lan", "9:30")
    scene.scan(session, "bo", "11:30", direction=Direction.OUT)
    for minutes in ({"wei": 121}, {"lan": 121}, {"bo": 151}, {"bo": -1}):
        with pytest.raises(BadDecision):
            scene.sign(session, "wei", "lan", "bo", minutes=minutes)
    result = scene.sign(session, "wei", "lan", "bo", minutes={"wei": 100, "bo": 100})
    assert [(a.present_minutes, a.grade) for a in result.awards[:3]] == [(100, "B"), (120, "B"), (100, "B")]


def test_under_sixty_percent_goes_to_review_without_points(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "9:00")
    scene.scan(session, "wei", "10:29", direction=Direction.OUT, override="家里有事")
    result = scene.sign(session, "wei")
    award = award_of(result, scene, "wei")
    assert (award.is_review, award.points, award.entry_id, award.reason) == (True, 0, None, "under_planned")
    assert scene.holds("wei") == (0, 0)


def test_it_is_not_signed_before_people_may_leave_nor_while_somebody_is_inside(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "9:00")
    decisions = [Decision(scene.people["wei"].resident_id)]
    with clock.at(time_of("10:30")), pytest.raises(NotStarted):
        scene.do(signoff.sign_off, session.session_id, decisions, 1, actor="staff:1")
    with clock.at(time_of("11:05")), pytest.raises(StillInside):
        scene.do(signoff.sign_off, session.session_id, decisions, 1, actor="staff:1")
    scene.scan(session, "wei", "11:10")
    with clock.at(time_of("11:12")):
        result = scene.do(signoff.sign_off, session.session_id, decisions, 1, actor="staff:1")
    assert result.awards[0].present_minutes == 130


def test_while_somebody_may_still_check_out_it_is_signed_only_by_who_closes_check_out(scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    scene.scan(session, "lan", "9:00")
    decisions = [Decision(scene.people[who].resident_id) for who in ("wei", "lan")]
    signing = (signoff.sign_off, session.session_id, decisions, 2)
    for hour in ("11:30", "11:45", "12:30"):
        with clock.at(time_of(hour)), pytest.raises(CheckOutOpen) as refused:
            scene.do(*signing, actor="staff:1")
        assert refused.value.fields == {"people": 1, "closes": "12:30"}
    assert scene.holds("wei") == (0, 0)
    with clock.at(time_of("11:45")):
        result = scene.do(*signing, actor="staff:1", closes_early=True)
    assert [(a.grade, a.present_minutes) for a in result.awards if a.kind == "attendance"] == [("A", 150), ("B", 150)]


def test_closing_check_out_does_not_let_anybody_sign_before_the_planned_end(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "9:00")
    with clock.at(time_of("11:29")), pytest.raises(StillInside):
        scene.do(signoff.sign_off, session.session_id, [], 0, actor="staff:1", closes_early=True)


def test_after_the_hours_of_check_out_nobody_is_waited_for(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "9:00")
    decisions = [Decision(scene.people["wei"].resident_id)]
    with clock.at(time_of("12:31")):
        assert scene.do(signoff.sign_off, session.session_id, decisions, 1, actor="staff:1").awards


def test_a_session_nobody_came_to_is_signed_with_zero_and_a_cancelled_one_is_not(scene: Scene) -> None:
    session = scene.session()
    assert scene.sign(session).awards == ()
    cancelled = scene.session(title="改期")
    scene.do(service.cancel_session, cancelled.session_id)
    with pytest.raises(SessionOver):
        scene.sign(cancelled)


def test_scans_after_the_signature_come_too_late(scene: Scene) -> None:
    session = scene.session()
    scene.stay(session, "wei")
    scene.sign(session, "wei")
    assert scene.scan(session, "lan", "9:00").verdict.code == "closed"


def test_the_leader_earns_ten_points_for_a_session_and_at_most_twice_a_day(scene: Scene) -> None:
    yong = scene.people["yong"].resident_id
    for hour, points in ((0, 10), (3, 20), (6, 20)):
        session = scene.session(START + timedelta(hours=hour), 60, leader_resident_id=yong)
        scene.scan(session, "wei", f"{9 + hour}:00", direction=Direction.IN)
        scene.scan(session, "wei", f"{10 + hour}:00", direction=Direction.OUT)
        result = scene.sign(session, "wei")
        assert scene.holds("yong") == (points, 0)
    leading = award_of(result, scene, "yong", "leading")
    assert (leading.points, leading.capped_by, leading.reason) == (0, ("times_per_day",), "capped")


def test_a_day_counts_eight_hours_over_all_sessions_and_the_rest_is_capped(scene: Scene) -> None:
    for hour in (0, 5):
        session = scene.session(START + timedelta(hours=hour), 300)
        scene.scan(session, "wei", f"{9 + hour}:00", direction=Direction.IN)
        scene.scan(session, "wei", f"{14 + hour}:00", direction=Direction.OUT)
        result = scene.sign(session, "wei")
    award = award_of(result, scene, "wei")
    assert (award.service_minutes, award.points) == (180, 30)
    assert award.capped_by == ("rule_minutes_per_day",)
    assert scene.holds("wei") == (50 + 30 + 5, 480)


def test_nobody_is_credited_for_two_sessions_of_the_same_hours(scene: Scene) -> None:
    here, there = scene.session(), scene.session(START + timedelta(minutes=60), title="读书会")
    scene.stay(here, "wei")
    scene.scan(there, "wei", "10:00", direction=Direction.IN)
    scene.scan(there, "wei", "12:30", direction=Direction.OUT)
    scene.sign(here, "wei")
    award = award_of(scene.sign(there, "wei"), scene, "wei")
    assert (award.is_review, award.reason, award.entry_id) == (True, "overlap", None)
    assert scene.holds("wei") == (30, 150)


def take_back(scene: Scene, award) -> None:
    scene.do(
        ledger.reverse,
        scene.people["wei"].book_id,
        award.entry_id,
        key=f"back:{award.entry_id}",
        actor="staff:2",
        checker="staff:99",
    )


def test_a_reversed_award_uses_up_no_turn_of_its_rule(scene: Scene) -> None:
    lectures = [scene.session(START + timedelta(days=day), rule_code="P01", title="防诈骗讲座") for day in range(4)]
    results = []
    for day, lecture in enumerate(lectures):
        with clock.at(START + timedelta(days=day)):
            for at in (lecture.starts_at, lecture.ends_at):
                scene.scan(lecture, "wei", "9:00", at=at)
            results.append(award_of(scene.sign(lecture, "wei", now=True), scene, "wei"))
        if day == 2:
            take_back(scene, results[0])
    assert [award.points for award in results] == [5, 5, 0, 5]
    assert results[2].capped_by == ("times_per_month",)
    assert scene.holds("wei") == (10, 0)


def test_reversed_points_leave_room_under_the_months_four_hundred(scene: Scene) -> None:
    results = []
    for day in range(5):
        starts_at = START + timedelta(days=day)
        duty = scene.session(starts_at, 480, rule_code="V06", title="应急值守")
        with clock.at(starts_at):
            for at in (duty.starts_at, duty.ends_at):
                scene.scan(duty, "wei", "9:00", at=at)
            results.append(award_of(scene.sign(duty, "wei", now=True), scene, "wei"))
        if day == 3:
            take_back(scene, results[0])
    # The first day's thanks for the first service are 5 of the 400.
    assert [award.points for award in results] == [160, 160, 75, 0, 160]
    assert results[3].capped_by == ("points_per_month",)
    assert scene.holds("wei")[0] == 400


def test_hours_whose_award_was_reversed_are_credited_where_the_person_really_was(scene: Scene) -> None:
    wrong, right = scene.session(), scene.session(START + timedelta(minutes=60), title="读书会")
    scene.stay(wrong, "wei")
    scene.scan(right, "wei", "10:00", direction=Direction.IN)
    scene.scan(right, "wei", "12:30", direction=Direction.OUT)
    take_back(scene, award_of(scene.sign(wrong, "wei"), scene, "wei"))
    award = award_of(scene.sign(right, "wei"), scene, "wei")
    assert (award.reason, award.points) == ("awarded", 25)


def test_a_first_service_that_was_taken_back_is_thanked_when_it_comes(scene: Scene) -> None:
    wrong, right = scene.session(), scene.session(START + timedelta(hours=3))
    scene.stay(wrong, "wei")
    scene.stay(right, "wei", come="12:00", leave="14:30")
    for kind in ("attendance", "first-service"):
        take_back(scene, award_of(scene.sign(wrong, "wei"), scene, "wei", kind))
    assert award_of(scene.sign(right, "wei"), scene, "wei", "first-service").points == 5
    assert scene.holds("wei") == (30, 150)


def test_a_lecture_earns_points_and_never_minutes(scene: Scene) -> None:
    session = scene.session(rule_code="P01", title="防诈骗讲座")
    scene.stay(session, "wei")
    scene.sign(session, "wei")
    assert scene.holds("wei") == (5, 0)


def test_the_first_service_is_thanked_once(scene: Scene) -> None:
    for hour in (0, 3):
        session = scene.session(START + timedelta(hours=hour), 60)
        scene.scan(session, "wei", f"{9 + hour}:00", direction=Direction.IN)
        scene.scan(session, "wei", f"{10 + hour}:00", direction=Direction.OUT)
        scene.sign(session, "wei")
    assert scene.holds("wei") == (10 + 5 + 10, 120)


def test_pending_scans_count_when_the_leader_confirms_them_as_grade_b(scene: Scene) -> None:
    session = scene.session()
    for clock_time in ("9:00", "11:30"):
        for who in ("wei", "lan"):
            scene.scan(session, who, clock_time, device="phone", means=Means.ROTATING)
    roster = scene.look(signoff.roster, session)
    assert [row.resident.name for row in roster] == ["欧阳兰", "陈薇"]
    assert Doubt.SAME_DEVICE in roster[0].presence.doubts
    result = scene.sign(session, "wei", "lan")
    assert [(a.grade, a.points) for a in result.awards if a.kind == "attendance"] == [("A", 25), ("B", 25)]
