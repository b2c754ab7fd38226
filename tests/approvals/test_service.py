"""One asks, another checks: who may, what it does, and what nobody may do, whatever comes at the same moment."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from moralbank import clock, ledger
from moralbank.access import deed_queries
from moralbank.approvals import errors, jobs, queries, service
from moralbank.approvals.models import requests
from moralbank.errors import MoralBankError
from tests.approvals.conftest import DAY, Desk


def decided(desk: Desk, request) -> queries.Request:
    return desk.read(queries.get_request, request.request_id)


class TestReversal:
    def test_two_people_take_an_award_back_and_both_are_in_the_leaf(self, desk: Desk) -> None:
        entry_id = desk.award(50, 120)
        asked = desk.ask(entry_id)
        assert desk.balance == 50, "asking changes nothing"
        done = desk.approve(asked)
        assert (desk.balance, done.state) == (0, "approved")
        entry = desk.read(ledger.get_entry, desk.zhang.book_id, done.posted_entry_id)
        fields = json.loads(entry.leaf_bytes)
        assert fields["by"] == f"staff:{desk.chen.login_id}"
        assert fields["ok"] == f"staff:{desk.wu.login_id}"
        assert entry.reverses == entry_id
        assert entry.private == {"activity": "河岸清洁", "place": "洛水河岸", "reason": "签到人登记错了"}
        assert {leg.amount for leg in entry.legs} == {50, -50, 120, -120}

    def test_the_maker_does_not_check_in_whatever_role(self, desk: Desk) -> None:
        asked = desk.ask(desk.award(50))
        for role in ("staff", "admin"):
            with pytest.raises(errors.OwnRequest):
                desk.do(service.approve, desk.hand(desk.chen, role), asked.request_id)
            with pytest.raises(errors.OwnRequest):
                desk.do(service.refuse, desk.hand(desk.chen, role), asked.request_id, "不对")
        assert (desk.balance, decided(desk, asked).state) == (50, "waiting")

    def test_nobody_asks_or_checks_about_themselves_or_their_household(self, desk: Desk) -> None:
        entry_id = desk.award(50)
        with pytest.raises(errors.OwnAffair):
            desk.do(service.ask_reversal, desk.hand(desk.wife), desk.zhang.book_id, entry_id, "不对")
        asked = desk.ask(entry_id)
        with pytest.raises(errors.OwnAffair):
            desk.approve(asked, desk.wife)
        own = desk.do(service.ask_adjustment, desk.hand(desk.chen), desk.wang.resident_id, 5, "漏记了一次")
        with pytest.raises(errors.OwnAffair):
            desk.approve(own, desk.wife)

    def test_two_logins_of_one_name_are_not_two_people(self, desk: Desk) -> None:
        asked = desk.ask(desk.award(50))
        with pytest.raises(errors.SamePerson):
            desk.do(service.approve, desk.hand(desk.twin, "admin"), asked.request_id)

    def test_approving_twice_by_the_same_person_is_the_same_answer(self, desk: Desk) -> None:
        asked = desk.ask(desk.award(50))
        assert desk.approve(asked) == desk.approve(asked)
        with pytest.raises(errors.AlreadyDecided):
            desk.approve(asked, desk.lin)

    def test_what_was_refused_or_withdrawn_can_be_asked_again(self, desk: Desk) -> None:
        entry_id = desk.award(50)
        refused = desk.ask(entry_id)
        desk.do(service.refuse, desk.hand(desk.wu), refused.request_id, "当天名单没有错")
        withdrawn = desk.ask(entry_id)
        desk.do(service.withdraw, desk.hand(desk.chen), withdrawn.request_id)
        for one in (refused, withdrawn):
            with pytest.raises(errors.AlreadyDecided):
                desk.approve(one)
        assert (desk.balance, decided(desk, refused).answer) == (50, "当天名单没有错")
        assert desk.approve(desk.ask(entry_id)).state == "approved"

    def test_only_the_maker_withdraws(self, desk: Desk) -> None:
        asked = desk.ask(desk.award(50))
        with pytest.raises(errors.NotYours):
            desk.do(service.withdraw, desk.hand(desk.wu), asked.request_id)

    def test_after_72_hours_nobody_approves_whether_the_job_came_or_not(self, desk: Desk) -> None:
        entry_id = desk.award(50)
        asked = desk.ask(entry_id)
        desk.now += timedelta(hours=72)
        with pytest.raises(errors.RequestLapsed):
            desk.approve(asked)
        with clock.at(desk.now):
            assert jobs.lapse(desk.database) == 1
            assert jobs.lapse(desk.database) == 0
        with pytest.raises(errors.RequestLapsed):
            desk.approve(asked)
        assert (desk.balance, decided(desk, asked).state) == (50, "lapsed")
        assert desk.approve(desk.ask(entry_id)).state == "approved"

    def test_a_lapsed_request_does_not_stand_in_the_way_before_the_job_came(self, desk: Desk) -> None:
        entry_id = desk.award(50)
        desk.ask(entry_id)
        desk.now += timedelta(hours=72)
        assert desk.ask(entry_id).is_waiting

    def test_one_request_per_line_and_none_for_what_is_reversed(self, desk: Desk) -> None:
        entry_id = desk.award(50)
        asked = desk.ask(entry_id)
        with pytest.raises(errors.AlreadyAsked):
            desk.do(service.ask_reversal, desk.hand(desk.lin), desk.zhang.book_id, entry_id, "登记错")
        desk.approve(asked)
        with pytest.raises(ledger.AlreadyReversed):
            desk.ask(entry_id)

    def test_only_what_a_resident_was_given_is_askable(self, desk: Desk) -> None:
        desk.award(50)
        spent = desk.spend(20)
        with pytest.raises(errors.NotAskable):
            desk.ask(spent.entry_id)
        done = desk.approve(desk.ask(desk.award(10)))
        with pytest.raises(errors.NotAskable):
            desk.ask(done.posted_entry_id)

    def test_the_checkers_decision_is_a_deed_about_the_resident(self, desk: Desk) -> None:
        desk.approve(desk.ask(desk.award(50)))
        found = desk.read(lambda db: db.execute(sa.text("SELECT kind, about FROM access_deeds")).all())
        assert ("approve", "approval:1") in [tuple(row) for row in found]
        assert deed_queries is not None


class TestAdjustment:
    def test_two_people_give_points_that_expire_like_any_other(self, desk: Desk) -> None:
        asked = desk.do(service.ask_adjustment, desk.hand(desk.chen), desk.zhang.resident_id, 30, "漏记了一次")
        done = desk.approve(asked, desk.lin)
        entry = desk.read(ledger.get_entry, desk.zhang.book_id, done.posted_entry_id)
        assert (entry.kind, entry.checker, desk.balance) == ("adjustment", f"staff:{desk.lin.login_id}", 30)
        [leg] = [leg for leg in entry.legs if leg.account == desk.zhang.account_id]
        assert leg.expires_on == clock.months_after(clock.local(desk.now).date(), 36)


class TestTheDatabase:
    """Past the service, with statements of our own."""

    def write(self, desk: Desk, statement: str) -> None:
        with desk.database.engine.begin() as db:
            db.exec_driver_sql(statement)

    def test_it_refuses_the_maker_as_checker(self, desk: Desk) -> None:
        desk.ask(desk.award(50))
        now = "created_at"
        with pytest.raises(sa.exc.IntegrityError, match="two_people"):
            self.write(
                desk,
                f"UPDATE approvals_requests SET state = 'approved', checker = 'admin:1', "
                f"checker_login_id = maker_login_id, decided_at = {now}",
            )

    def test_it_refuses_a_decision_that_comes_too_late(self, desk: Desk) -> None:
        desk.ask(desk.award(50))
        with pytest.raises(sa.exc.IntegrityError, match="in_time"):
            self.write(
                desk,
                "UPDATE approvals_requests SET state = 'approved', checker = 'admin:0', checker_login_id = 0, "
                "decided_at = expires_at",
            )

    @pytest.mark.parametrize(
        "deed",
        [
            "UPDATE approvals_requests SET state = 'refused'",
            "UPDATE approvals_requests SET checker_login_id = 7",
            "UPDATE approvals_requests SET maker = 'staff:7'",
            "UPDATE approvals_requests SET posted_entry_id = NULL",
            "DELETE FROM approvals_requests",
            "UPDATE approvals_offsets SET missing_points = missing_points + 1",
            "UPDATE approvals_offsets SET offset_points = offset_points - 1",
            "DELETE FROM approvals_offsets",
        ],
    )
    def test_what_was_decided_stands(self, desk: Desk, deed: str) -> None:
        entry_id = desk.award(50)
        desk.spend(30)
        desk.approve(desk.ask(entry_id))
        desk.award(10)
        with pytest.raises(sa.exc.DBAPIError, match=r"stands|decides|violates"):
            self.write(desk, deed)

    def test_what_was_written_about_a_person_can_be_blanked(self, desk: Desk) -> None:
        asked = desk.approve(desk.ask(desk.award(50)))
        assert desk.do(service.forget, desk.zhang.resident_id) == 1
        assert decided(desk, asked).reason == ""


class TestRaces:
    def race(self, *acts) -> list[str]:
        together = Barrier(len(acts))

        def run(act) -> str:
            together.wait()
            try:
                return act().state
            except MoralBankError as refusal:
                return refusal.code

        with ThreadPoolExecutor(len(acts)) as pool:
            return sorted(pool.map(run, acts))

    def test_two_checkers_at_once_post_one_entry(self, desk: Desk) -> None:
        asked = desk.ask(desk.award(50))
        outcomes = self.race(*[lambda who=who: desk.approve(asked, who) for who in (desk.wu, desk.lin) * 4])
        assert desk.lines == [("award", 50), ("reversal", -50)]
        assert set(outcomes) == {"approved", "approval-already-decided"}

    def test_approve_and_withdraw_at_once_have_one_winner(self, desk: Desk) -> None:
        for _ in range(4):
            before = desk.balance
            asked = desk.ask(desk.award(50))
            outcomes = self.race(
                lambda asked=asked: desk.approve(asked),
                lambda asked=asked: desk.do(service.withdraw, desk.hand(desk.chen), asked.request_id),
            )
            state = decided(desk, asked).state
            assert outcomes == sorted([state, "approval-already-decided"])
            assert desk.balance == before + (0 if state == "approved" else 50)

    def test_two_who_ask_at_once_make_one_request(self, desk: Desk) -> None:
        entry_id = desk.award(50)
        outcomes = self.race(
            *[
                lambda who=who: desk.do(service.ask_reversal, desk.hand(who), desk.zhang.book_id, entry_id, "登记错了")
                for who in (desk.chen, desk.wu, desk.lin) * 2
            ]
        )
        assert outcomes == ["approval-already-asked"] * 5 + ["waiting"]


def test_staff_see_what_waits_at_their_branches_and_not_their_own(desk: Desk) -> None:
    desk.ask(desk.award(50))

    def waiting(login) -> int:
        return desk.read(queries.count_waiting, login.principal.paths("staff"), login.login_id)

    assert [waiting(login) for login in (desk.chen, desk.wu, desk.lin, desk.sun)] == [0, 1, 1, 0]
    assert len(desk.read(queries.list_requests, desk.wu.principal.paths("staff"), state="waiting")) == 1
    assert desk.read(queries.list_requests, desk.sun.principal.paths("staff")) == []
    desk.now += 4 * DAY
    assert waiting(desk.wu) == 0
    assert len(desk.read(queries.list_requests, desk.wu.principal.paths("staff"), state="lapsed")) == 1
    assert requests.name == "approvals_requests"
