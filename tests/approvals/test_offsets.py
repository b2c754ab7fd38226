"""What was spent before it could be taken back: offset from a year of awards, then let go; never below zero."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moralbank import clock, db, ledger
from moralbank.approvals import jobs, queries
from moralbank.errors import MoralBankError
from tests.approvals.conftest import Desk, make_desk

YEAR = timedelta(days=366)


def settled(desk: Desk, request) -> int:
    """What was taken back, offset and let go of a request, which is all there was."""
    done = desk.read(queries.get_request, request.request_id)
    taken = 0
    if done.posted_entry_id:
        entry = desk.read(ledger.get_entry, desk.zhang.book_id, done.posted_entry_id)
        taken = -sum(leg.amount for leg in entry.legs if leg.n and leg.unit is ledger.Unit.POINTS)
    offset = desk.offset(request)
    return taken + (offset.offset_points + offset.written_off_points if offset else 0)


def let_go(desk: Desk) -> None:
    desk.now += YEAR
    with clock.at(desk.now):
        jobs.lapse(desk.database)


def test_what_is_there_is_taken_and_the_rest_offset_from_later_awards(desk: Desk) -> None:
    entry_id = desk.award(50, 120)
    desk.spend(40)
    asked = desk.ask(entry_id)
    desk.approve(asked)
    assert (desk.balance, desk.offset(asked).rest_points) == (0, 40)
    desk.award(25)
    assert (desk.balance, desk.offset(asked).rest_points) == (0, 15)
    desk.award(25)
    assert (desk.balance, desk.offset(asked).rest_points) == (10, 0)
    desk.award(25)
    assert desk.balance == 35
    assert desk.lines == [
        ("award", 50), ("redemption", -40), ("reversal", -10),
        ("award", 25), ("offset", -25), ("award", 25), ("offset", -15), ("award", 25),
    ]  # fmt: skip
    assert settled(desk, asked) == 50


def test_an_offset_names_both_people_the_award_and_why(desk: Desk) -> None:
    entry_id = desk.award(50)
    desk.spend(50)
    done = desk.approve(desk.ask(entry_id))
    assert done.posted_entry_id is None, "nothing was left to take"
    desk.award(20)
    [line] = desk.read(ledger.history, desk.zhang.book_id, desk.zhang.account_id, ledger.Unit.POINTS, limit=1)
    assert (line.kind, line.actor, line.checker) == ("offset", done.maker, done.checker)
    assert (line.source, line.private["reason"]) == (("offset", f"{entry_id.hex}:1"), "签到人登记错了")


def test_after_twelve_months_the_rest_is_let_go(desk: Desk) -> None:
    entry_id = desk.award(50)
    desk.spend(50)
    asked = desk.ask(entry_id)
    desk.approve(asked)
    desk.award(20)
    desk.now += YEAR
    desk.award(30)
    assert desk.balance == 30, "the year is over, whether the job came or not"
    let_go(desk)
    assert (desk.offset(asked).offset_points, desk.offset(asked).written_off_points) == (20, 30)
    assert settled(desk, asked) == 50
    desk.award(30)
    assert desk.balance == 60


def test_two_shortfalls_are_offset_one_after_the_other(desk: Desk) -> None:
    first, second = desk.award(30), desk.award(40)
    desk.spend(70)
    asked = [desk.ask(entry_id) for entry_id in (first, second)]
    for one in asked:
        desk.approve(one)
    desk.award(50)
    assert [desk.offset(one).rest_points for one in asked] == [0, 20]
    assert desk.balance == 0


def test_what_was_taken_back_counts_towards_no_cap_though_nothing_was_left(desk: Desk) -> None:
    entry_id = desk.award(50)
    desk.spend(50)
    desk.approve(desk.ask(entry_id))
    assert desk.read(queries.taken_back, desk.zhang.book_id, [desk.zhang.resident_id]) == {entry_id}


def test_spending_and_awards_at_the_moment_of_approval_lose_and_invent_nothing(desk: Desk) -> None:
    for _ in range(3):
        entry_id = desk.award(50)
        asked = desk.ask(entry_id)
        before = desk.balance
        together = Barrier(9)

        def act(place: int, asked=asked, together=together) -> int:
            """Return what it added to the balance, apart from reversal and offsets."""
            together.wait()
            try:
                if place == 0:
                    desk.approve(asked)
                elif place % 2:
                    desk.spend(15)
                    return -15
                else:
                    desk.award(10)
                    return 10
            except MoralBankError:
                return 0
            return 0

        with ThreadPoolExecutor(9) as pool:
            moved = sum(pool.map(act, range(9)))
        offset = desk.offset(asked)
        rest = offset.missing_points - offset.offset_points if offset else 0
        assert settled(desk, asked) + rest == 50
        assert desk.balance == before + moved - settled(desk, asked)
        assert desk.balance == 0 or rest == 0, "nothing is kept while something is missing"


deeds = st.lists(
    st.tuples(st.sampled_from(["award", "spend", "reverse", "wait"]), st.integers(1, 60)), min_size=2, max_size=16
)


@settings(max_examples=20, deadline=None)
@given(deeds=deeds)
def test_taken_offset_and_let_go_are_always_what_was_given(migrated_sqlite, deeds: list) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated_sqlite, f"{folder}/books.db")
        database = db.Database(f"sqlite:///{folder}/books.db")
        desk = database.transact(make_desk, database)
        standing, asked = [], []
        for deed, amount in deeds:
            if deed == "award":
                standing.append((desk.award(amount), amount))
            elif deed == "spend" and desk.balance:
                desk.spend(min(amount, desk.balance))
            elif deed == "reverse" and standing:
                entry_id, points = standing.pop(amount % len(standing))
                one = desk.ask(entry_id)
                desk.approve(one)
                asked.append((one, points))
            elif deed == "wait":
                desk.now += timedelta(days=amount)
            assert desk.balance >= 0
        for one, points in asked:
            offset = desk.offset(one)
            rest = offset.missing_points - offset.offset_points - offset.written_off_points if offset else 0
            assert settled(desk, one) + rest == points
        let_go(desk)
        assert all(settled(desk, one) == points for one, points in asked)
        with database.reading() as reading:
            assert ledger.verify(reading, desk.zhang.book_id).is_sound
        database.dispose()


class TestTheVerifier:
    @pytest.mark.parametrize(
        ("points", "source", "what"),
        [
            (21, None, "offsets take more than was given"),
            (5, "7" * 32 + ":1", "it offsets what can't be offset"),
            (5, "nonsense", "it offsets what can't be offset"),
        ],
    )
    def test_an_offset_that_takes_too_much_or_from_nothing_is_named(
        self, database_url: str, points: int, source: str | None, what: str
    ) -> None:
        """Two people can post it past the service; the verifier still says so."""
        database = db.Database(database_url)
        desk = database.transact(make_desk, database)
        entry_id = desk.award(50)
        desk.spend(20)
        desk.approve(desk.ask(entry_id))
        desk.award(60)
        book, account = desk.zhang.book_id, desk.zhang.account_id
        with database.reading() as reading:
            assert ledger.verify(reading, book).is_sound
            issuer = ledger.internal_account(reading, book, ledger.AccountKind.ISSUER)
        legs = (ledger.Leg(account, ledger.Unit.POINTS, -points), ledger.Leg(issuer, ledger.Unit.POINTS, points))
        about = ("offset", source or f"{entry_id.hex}:2")
        draft = ledger.Draft(book, "offset", legs, "x", "staff:1", source=about, checker="staff:2")
        posted = database.transact(ledger.post, draft)
        with database.reading() as reading:
            fault = ledger.verify(reading, book).first_fault
        assert (fault.what, fault.entry_id) == (what, posted.entry_id)
        database.dispose()
