"""Late entries: two people, a tenth of the month, three working days, and no point before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from moralbank import clock, ledger
from moralbank.activities import jobs, late, late_queries, service
from moralbank.activities.errors import (
    AlreadyEntered,
    BadInterval,
    LateElsewhere,
    LateEntryOver,
    QuotaUsedUp,
    ScansOnRecord,
    SessionNotSigned,
)
from moralbank.activities.late import Late
from moralbank.activities.late_queries import LateEntry, LateState
from moralbank.activities.values import Session
from moralbank.approvals import errors as approvals_errors
from moralbank.approvals import service as approvals
from moralbank.approvals.service import Hand, hand_of
from moralbank.messages.queries import list_messages
from moralbank.messages.wording import words
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.errors import GuardianMissing
from tests._people import make_login
from tests.activities.conftest import END, START, Scene

#: The Monday after that Saturday, on which staff enters what was forgotten.
MONDAY = START + timedelta(days=2)
#: Tuesday to Thursday nobody objected.
FRIDAY = datetime(2026, 11, 27, 0, 0, tzinfo=clock.TIMEZONE)


class Office:
    """Chen asks and Wu checks at the station; Lin looks after the hub above it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        station, hub = scene.branches["NS-01"], scene.branches["NS-00"]
        self.chen, self.wu, self.lin = (
            hand_of(scene.do(make_login, "staff", place).principal, "staff") for place in (station, station, hub)
        )

    def ask(self, session: Session, who: str, *, by: Hand | None = None, **changes: object) -> LateEntry:
        wanted = Late(
            session.session_id, self.scene.people[who].resident_id, session.starts_at, session.ends_at,
            "手机没电", "签名表第 3 行",
        )  # fmt: skip
        with clock.at(MONDAY):
            return self.scene.do(late.ask_late_entry, by or self.chen, replace(wanted, **changes))

    def approve(self, entry: LateEntry, *, by: Hand | None = None, at: datetime = MONDAY) -> None:
        with clock.at(at):
            self.scene.do(approvals.approve, by or self.wu, entry.request.request_id)

    def run_job(self, at: datetime = FRIDAY) -> int:
        with clock.at(at):
            return jobs.post_late(self.scene.database)

    def told(self, who: str) -> list[str]:
        """Return what somebody's inbox says, the first first."""
        resident_id = self.scene.people[who].resident_id
        found = self.scene.look(list_messages, resident_id=resident_id)
        return [words(one.kind, one.facts).text for one in reversed(found)]

    def state(self, entry: LateEntry, at: datetime = MONDAY) -> LateState:
        with clock.at(at):
            return self.scene.look(late_queries.get_late_entry, entry.late_id).state


@pytest.fixture
def office(scene: Scene) -> Office:
    return Office(scene)


def signed(scene: Scene, *names: str, **changes: object) -> Session:
    """A session that was signed off with these people."""
    session = scene.session(**changes)  # type: ignore[arg-type]
    scene.stay(session, *names)
    scene.sign(session, *names)
    return scene.look(service.queries.get_session, session.session_id)


def test_it_posts_as_grade_c_by_both_people_once_three_working_days_have_passed(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei")
    entry = office.ask(session, "lan")
    assert office.state(entry) is LateState.ASKED
    office.approve(entry)
    assert office.state(entry) is LateState.NOTICE
    assert office.run_job(FRIDAY - timedelta(seconds=1)) == 0
    assert scene.holds("lan") == (0, 0)
    assert office.run_job() == 1
    assert office.run_job() == 0
    assert scene.holds("lan") == (30, 150)  # 25 for two and a half hours, 5 for the first time.
    lan = scene.people["lan"]
    lines = scene.look(ledger.history, lan.book_id, lan.account_id, ledger.Unit.POINTS)
    assert {line.grade for line in lines} == {"C"}
    entries = [scene.look(ledger.get_entry, lan.book_id, line.entry_id) for line in lines]
    assert {(one.actor, one.checker) for one in entries} == {(office.chen.actor, office.wu.actor)}
    assert office.state(entry) is LateState.POSTED
    announced, posted = office.told("lan")
    assert "11月21日" in announced
    assert "30 分" in posted


@pytest.mark.parametrize(
    ("decided", "posts"),
    [
        (datetime(2026, 11, 23, 10), date(2026, 11, 27)),  # Monday: Tuesday, Wednesday, Thursday, then Friday.
        (datetime(2026, 11, 26, 23), date(2026, 12, 2)),  # Thursday: Friday, Monday, Tuesday, then Wednesday.
        (datetime(2026, 11, 28, 10), date(2026, 12, 3)),  # Saturday counts from Monday.
    ],
)
def test_the_notice_period_is_three_whole_working_days_after_the_day_of_the_decision(
    decided: datetime, posts: date
) -> None:
    assert late_queries.end_of_notice(decided.replace(tzinfo=clock.TIMEZONE)) == clock.start_of(posts)


def test_nobody_agrees_to_what_they_asked_for(scene: Scene, office: Office) -> None:
    entry = office.ask(signed(scene, "wei"), "lan")
    with pytest.raises(approvals_errors.OwnRequest):
        office.approve(entry, by=office.chen)
    assert office.run_job(FRIDAY + timedelta(days=30)) == 0
    assert scene.holds("lan") == (0, 0)


def test_for_the_leaders_home_somebody_from_above_the_branch_must_agree(scene: Scene, office: Office) -> None:
    session = signed(scene, "lan", leader_resident_id=scene.people["qiang"].resident_id)
    entry = office.ask(session, "wei")
    assert entry.is_related
    with pytest.raises(approvals_errors.NeedsOutside):
        office.approve(entry)
    office.approve(entry, by=office.lin)
    assert office.state(entry) is LateState.NOTICE


def test_a_strangers_entry_needs_nobody_from_above(scene: Scene, office: Office) -> None:
    entry = office.ask(signed(scene, "wei", leader_resident_id=scene.people["qiang"].resident_id), "lan")
    assert not entry.is_related


def test_a_tenth_of_the_months_awards_may_be_entered_late_and_the_refusal_says_the_figures(
    scene: Scene, office: Office
) -> None:
    station = scene.branches["NS-01"].branch_id
    for number in range(20):
        person = Person(f"邻居{'甲乙丙丁戊己庚辛壬癸'[number % 10]}{'一二'[number // 10]}", station)
        scene.people[f"n{number}"] = scene.do(residents.enrol, person, actor="admin:1")
    session = signed(scene, *(f"n{number}" for number in range(20)))
    office.ask(session, "wei")
    second = office.ask(session, "lan")
    with pytest.raises(QuotaUsedUp) as refusal:
        office.ask(session, "bo")
    assert refusal.value.fields == {"branch": "南山驿站", "month": "2026-11", "awards": 20, "most": 2, "used": 2}
    with clock.at(MONDAY):
        scene.do(late.withdraw, office.chen, second.late_id)
    office.ask(session, "bo")  # What was withdrawn takes no place.


def test_a_small_station_may_still_mend_one(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei")
    office.ask(session, "lan")
    with pytest.raises(QuotaUsedUp):
        office.ask(session, "bo")


def test_a_resident_who_objects_stops_it_before_and_after_the_approval(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei")
    first = office.ask(session, "lan")
    with clock.at(MONDAY):
        scene.do(late.object_to, first.late_id, "那天我不在", actor="resident:9")
    assert office.state(first) is LateState.OBJECTED
    with pytest.raises(approvals_errors.AlreadyDecided):
        office.approve(first)
    second = office.ask(session, "lan")
    office.approve(second)
    with clock.at(MONDAY):
        scene.do(late.object_to, second.late_id, "那天我不在", actor="resident:9")
    assert office.run_job() == 0
    assert scene.holds("lan") == (0, 0)
    with clock.at(FRIDAY), pytest.raises(LateEntryOver):
        scene.do(late.object_to, second.late_id, "还是不对", actor="resident:9")


def test_only_who_asked_withdraws_and_only_before_it_posts(scene: Scene, office: Office) -> None:
    entry = office.ask(signed(scene, "wei"), "lan")
    office.approve(entry)
    with clock.at(MONDAY), pytest.raises(approvals_errors.NotYours):
        scene.do(late.withdraw, office.wu, entry.late_id)
    office.run_job()
    with clock.at(FRIDAY), pytest.raises(LateEntryOver):
        scene.do(late.withdraw, office.chen, entry.late_id)
    assert scene.holds("lan") == (30, 150)


def test_what_nobody_looked_at_for_72_hours_lapses_and_frees_its_place(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei")
    entry = office.ask(session, "lan")
    assert office.state(entry, MONDAY + timedelta(hours=73)) is LateState.LAPSED
    with clock.at(MONDAY + timedelta(hours=73)):
        assert scene.look(late_queries.quota_of, session.activity.branch_id, date(2026, 11, 1)).used == 0


def test_refusals_change_nothing(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei")
    unsigned = scene.session(START + timedelta(days=1))
    both = scene.session(title="同时的讲座")
    scene.stay(both, "bo")
    child = Person(
        "小宝", session.activity.branch_id, born_on=date(2015, 5, 5), guardian_name="妈", guardian_relation="母"
    )
    scene.people["child"] = scene.do(residents.enrol, child, actor="admin:1")
    with pytest.raises(SessionNotSigned):
        office.ask(unsigned, "lan")
    with pytest.raises(ScansOnRecord):
        office.ask(session, "wei")
    with pytest.raises(LateElsewhere):
        office.ask(session, "bo")
    with pytest.raises(BadInterval):  # Under 60 % of the plan nothing would be credited.
        office.ask(session, "lan", left_at=START + timedelta(minutes=89))
    with pytest.raises(BadInterval):
        office.ask(session, "lan", left_at=END + timedelta(minutes=1))
    assert scene.look(late_queries.list_late_entries, ["/"]) == []
    office.ask(session, "lan", left_at=START + timedelta(minutes=90))
    with pytest.raises(AlreadyEntered):
        office.ask(session, "lan")


def test_a_minor_without_a_guardian_on_record_is_not_entered(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei")
    kid = Person("小宝", session.activity.branch_id, born_on=date(2015, 5, 5))
    [made] = scene.do(residents.enrol_many, scene.people["wei"].book_id, [kid], actor="admin:1")
    scene.people["kid"] = scene.look(residents.queries.get_resident, made.resident_id)
    with pytest.raises(GuardianMissing):
        office.ask(session, "kid")


def test_nobody_is_entered_late_for_two_sessions_of_the_same_hours(scene: Scene, office: Office) -> None:
    session, other = signed(scene, "wei"), signed(scene, "bo", title="同时的讲座")
    office.ask(session, "lan")
    with pytest.raises(LateElsewhere):
        office.ask(other, "lan")


def test_the_share_of_each_grade_is_counted_by_branch_without_what_was_taken_back(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei", "qiang", "bo")
    office.approve(office.ask(session, "lan"))
    office.run_job()
    november = (date(2026, 11, 1), date(2026, 11, 30))
    branch = session.activity.branch_id
    [grades] = scene.look(late_queries.grades_of, [branch], *november)
    assert (grades.counts, grades.total, grades.late_permille) == ({"A": 3, "C": 1}, 4, 250)
    bo = scene.people["bo"]
    [*_, award] = scene.look(ledger.history, bo.book_id, bo.account_id, ledger.Unit.MINUTES)
    request = scene.do(approvals.ask_reversal, office.chen, bo.book_id, award.entry_id, "登记错了")
    scene.do(approvals.approve, office.wu, request.request_id)
    [grades] = scene.look(late_queries.grades_of, [branch], *november)
    assert grades.counts == {"A": 2, "C": 1}


def test_a_cap_reached_meanwhile_leaves_the_entry_void_and_says_why(scene: Scene, office: Office) -> None:
    session = signed(scene, "wei")
    entry = office.ask(session, "lan")
    office.approve(entry)
    elsewhere = scene.session(title="同时的讲座")
    scene.stay(elsewhere, "lan")
    scene.sign(elsewhere, "lan")
    office.run_job()
    assert office.state(entry, FRIDAY) is LateState.VOID
    assert scene.look(late_queries.get_late_entry, entry.late_id).note == "overlap"
    assert scene.holds("lan") == (30, 150)
