"""Minors whom a roster brings: they are in the books with all they had, and move nothing before a guardian agrees."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from moralbank import clock, ledger
from moralbank.activities import cards, checkin, service, signoff, verdicts
from moralbank.activities.checkin import Scan
from moralbank.activities.signoff import Decision
from moralbank.activities.values import Direction, Means, Plan
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.earning import load_rules, packaged_rules
from moralbank.redemptions import codes
from moralbank.redemptions.errors import ResidentNotActive
from moralbank.residents import import_queries, importing, jobs, queries
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.errors import GuardianMissing
from moralbank.residents.queries import Resident
from tests._people import give_reason, make_login, sign_in
from tests.residents.conftest import STAFF

BORN_ON = clock.today().replace(day=1) - timedelta(days=365 * 11)
ROSTER = (
    "姓名,手机号,所属驿站,期初积分,出生日期\n"
    f"周小雨,13800000001,南山驿站,40,{BORN_ON}\n周明,13800000001,南山驿站,5,1980-01-01\n"
)


@dataclass
class Station:
    """Xiaoyu, eleven, and her father Ming, as the roster brought them."""

    database: Database
    branch: Branch
    import_id: int

    def do(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.database.transact(act, *args, **kwargs)

    def look(self, read: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.reading() as db:
            return read(db, *args, **kwargs)

    @property
    def xiaoyu(self) -> Resident:
        (found,) = self.look(queries.list_by_name, "周小雨")
        return found

    def let_father_agree(self) -> None:
        found = self.xiaoyu
        person = Person(
            found.name,
            found.branch_id,
            found.phone,
            born_on=found.born_on,
            guardian_name="周明",
            guardian_relation="父亲",
        )
        self.do(residents.correct, found.resident_id, person, actor=STAFF)

    def session(self, starts_at: Any, **changes: Any) -> int:
        plan = Plan(
            **{"title": "河岸清洁", "rule_code": "V01", "place": "河岸", **changes}, branch_id=self.branch.branch_id
        )
        activity = self.do(service.create_activity, plan, actor=STAFF)
        session = self.do(service.add_session, activity.activity_id, starts_at, starts_at + timedelta(hours=2))
        self.do(service.publish_activity, activity.activity_id)
        return session.session_id


@pytest.fixture
def station(database: Database, street: dict[str, Branch]) -> Station:
    database.transact(load_rules, packaged_rules(), actor="system", consultation="居民议事会 2025-12-20 通过")
    branch = street["NS-01"]
    import_id = jobs.read_roster(database, branch, io.BytesIO(ROSTER.encode()), "minors.csv", actor=STAFF)
    station = Station(database, branch, import_id)
    assert station.look(import_queries.count_awaiting_guardian, import_id) == 1
    database.transact(importing.confirm_import, import_id, actor=STAFF)
    jobs.run_import(database, import_id)
    return station


def test_a_minor_keeps_what_the_old_books_owed_and_waits_for_a_guardian(station: Station) -> None:
    xiaoyu = station.xiaoyu
    account = (xiaoyu.book_id, xiaoyu.account_id, ledger.Unit.POINTS)
    assert station.look(ledger.balance, *account).balance == 40
    assert (xiaoyu.awaits_guardian, xiaoyu.is_active) == (True, False)
    within = [station.branch.branch_id]
    assert station.look(queries.list_residents, within, awaits_guardian=True) == [xiaoyu]
    assert station.look(queries.count_residents, within, awaits_guardian=True) == 1
    assert station.look(import_queries.count_awaiting_guardian, station.import_id) == 1
    station.let_father_agree()
    assert station.xiaoyu.is_active
    assert station.look(queries.list_residents, within, awaits_guardian=True) == []
    assert station.look(import_queries.count_awaiting_guardian, station.import_id) == 0


def test_a_minor_checks_in_once_a_guardian_agreed(station: Station) -> None:
    now = clock.now()
    session_id = station.session(now)
    card = station.look(queries.find_card, station.xiaoyu.resident_id).number
    for code in (card, station.xiaoyu.number):
        answer = station.look(cards.read_code, code, station.branch.book_id)
        assert answer.verdict == verdicts.NO_GUARDIAN
    station.let_father_agree()
    who = station.look(cards.read_code, card, station.branch.book_id)
    scan = Scan(session_id, who, Means.DESK_CARD, "scan-1", STAFF, direction=Direction.IN)
    assert station.do(checkin.check_in, scan).verdict == verdicts.OK


def test_a_minor_is_credited_for_nothing_before_a_guardian_agreed(station: Station) -> None:
    (ming,) = station.look(queries.list_by_name, "周明")
    now = clock.now()
    session_id = station.session(now, leader_resident_id=station.xiaoyu.resident_id)
    for who in (station.xiaoyu, ming):
        for direction, at in ((Direction.IN, now), (Direction.OUT, now + timedelta(hours=2))):
            nonce = f"{who.number}:{direction}"
            scan = Scan(session_id, who.resident_id, Means.DESK_CARD, nonce, STAFF, at, direction)
            answer = station.do(checkin.check_in, scan)
            assert (answer.verdict == verdicts.NO_GUARDIAN) == (who == station.xiaoyu)
    with clock.at(now + timedelta(hours=4)):
        awards = station.do(signoff.sign_off, session_id, [Decision(ming.resident_id)], 1, actor=STAFF).awards
    assert {(award.resident_id, award.kind, award.reason, award.points) for award in awards} == {
        (ming.resident_id, "attendance", "awarded", 20),
        (ming.resident_id, "first-service", "awarded", 5),
    }


def test_a_minor_spends_once_a_guardian_agreed(station: Station) -> None:
    with pytest.raises(ResidentNotActive):
        station.do(codes.issue_code, station.xiaoyu.resident_id)
    with pytest.raises(GuardianMissing):
        station.do(residents.set_pin, station.xiaoyu.resident_id, by=None, actor=STAFF)
    station.let_father_agree()
    assert station.do(residents.set_pin, station.xiaoyu.resident_id, by=None, actor=STAFF)
    assert station.do(codes.issue_code, station.xiaoyu.resident_id).number


def test_who_comes_of_age_needs_no_guardian(station: Station) -> None:
    xiaoyu = station.xiaoyu
    grown = date(BORN_ON.year + 18, BORN_ON.month, BORN_ON.day)
    with clock.at(clock.end_of(grown - timedelta(days=1)) - timedelta(hours=1)):
        assert xiaoyu.awaits_guardian
    with clock.at(clock.end_of(grown) - timedelta(hours=1)):
        assert not xiaoyu.awaits_guardian
        assert station.look(queries.count_residents, [station.branch.branch_id], awaits_guardian=True) == 0


def test_pages_name_the_minors_and_what_to_do(client: Any, station: Station) -> None:
    login = station.do(make_login, "staff", station.branch)
    sign_in(client, login)
    roster = client.get(f"/staff/roster/{station.import_id}").text
    assert "其中 1 人未满 18 岁" in roster
    found = client.get("/staff/residents?status=guardian").text
    assert "周小雨" in found
    assert "周明" not in found
    give_reason(client, station.xiaoyu.resident_id)
    page = client.get(f"/staff/residents/{station.xiaoyu.resident_id}").text
    assert "还没有登记监护人的同意" in page
    assert "开通登录" not in page
