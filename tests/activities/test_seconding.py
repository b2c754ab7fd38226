"""A sign-off in which the leader's word stands for much waits until somebody else has looked at it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moralbank import clock, ledger
from moralbank.activities import queries, seconding
from moralbank.activities.errors import SecondOwn, SignOffDecided, SignOffHeld, UnknownHeldSignOff
from moralbank.activities.seconding import Held
from moralbank.activities.signoff import OVERRIDES_MAX, Decision, SignOff, overridden
from moralbank.activities.values import Means, State
from moralbank.approvals.errors import NotYours
from moralbank.approvals.service import Hand
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from tests._people import form, make_login, sign_in
from tests.activities.conftest import END, Scene
from tests.redemptions.test_races import at_once, kinds

LEADER, OTHER = Hand("staff:901", 901, "周敏"), Hand("staff:902", 902, "何监督")
MORE = OVERRIDES_MAX + 1
#: Check-out is over.
AFTER = END + timedelta(hours=2)


def crowd(scene: Scene, people: int) -> list[str]:
    """Enrol people and let them come and go by scan."""
    branch = scene.branches["NS-01"].branch_id
    for place in range(people):
        scene.people[f"n{place}"] = scene.do(residents.enrol, Person(f"邻居{place}", branch), actor="system")
    return [f"n{place}" for place in range(people)]


def sign(scene: Scene, session, names, by_word: int, hand: Hand = LEADER, minutes: int = 120):
    """Confirm everybody, so many of them with minutes that no scan says."""
    decisions = [
        Decision(scene.people[name].resident_id, minutes if place < by_word else None)
        for place, name in enumerate(names)
    ]
    with clock.at(AFTER):
        return scene.do(seconding.sign_off, hand, session.session_id, decisions, len(names))


@pytest.fixture
def held(scene: Scene):
    """A session of six with one override too many, which waits."""
    session, names = scene.session(), crowd(scene, 6)
    scene.stay(session, *names)
    assert isinstance(sign(scene, session, names, MORE), Held)
    return session


def later(scene: Scene, verb, *given, **named):
    with clock.at(AFTER):
        return scene.do(verb, *given, **named)


def test_three_by_the_leaders_word_are_signed_and_four_wait(scene: Scene) -> None:
    session, names = scene.session(), crowd(scene, 6)
    scene.stay(session, *names)
    held = sign(scene, session, names, MORE)
    assert isinstance(held, Held)
    assert (held.overridden, held.asked_by) == (MORE, "staff:901")
    assert scene.holds("n0") == (0, 0)
    assert scene.look(queries.get_session, session.session_id).state is State.OPEN
    with pytest.raises(SignOffHeld):
        sign(scene, session, names, 0)
    scene.do(seconding.withdraw, LEADER, session.session_id)
    done = sign(scene, session, names, OVERRIDES_MAX)
    assert isinstance(done, SignOff)
    assert scene.holds("n0")[1] == 120


def test_a_tenth_of_a_large_session_needs_nobody_and_more_than_it_does(scene: Scene) -> None:
    session, names = scene.session(), crowd(scene, 40)
    scene.stay(session, *names)
    assert isinstance(sign(scene, session, names, 5), Held)
    scene.do(seconding.withdraw, LEADER, session.session_id)
    assert isinstance(sign(scene, session, names, 4), SignOff)


def test_the_second_person_credits_everybody_as_the_leader_said_and_both_are_in_the_leaf(scene, held) -> None:
    done = later(scene, seconding.agree, OTHER, held.session_id)
    again = later(scene, seconding.agree, OTHER, held.session_id)
    assert (again.is_repeat, again.awards) == (True, done.awards)
    assert [award.grade for award in done.awards if award.kind == "attendance"].count("B") == MORE
    assert (scene.holds("n0")[1], scene.holds("n5")[1]) == (120, 150)
    who = scene.people["n0"]
    with scene.database.reading() as db:
        [line] = ledger.history(db, who.book_id, who.account_id, ledger.Unit.MINUTES, limit=1)
        entry = ledger.get_entry(db, who.book_id, line.entry_id)
    assert (entry.actor, entry.checker) == ("staff:901", "staff:902")
    assert scene.look(seconding.find_last, held.session_id).decided_by == "staff:902"


def test_who_signed_or_bears_the_name_does_not_agree(scene, held) -> None:
    own = Hand(f"admin:{LEADER.login_id}", LEADER.login_id, "别名")
    for verb in (seconding.agree, lambda db, hand, which: seconding.send_back(db, hand, which, "不对")):
        with pytest.raises(SecondOwn):
            later(scene, verb, own, held.session_id)
    with pytest.raises(NotYours):
        scene.do(seconding.withdraw, OTHER, held.session_id)
    assert scene.holds("n0") == (0, 0)


def test_what_is_returned_credits_nobody_and_is_signed_anew(scene, held) -> None:
    back = later(scene, seconding.send_back, OTHER, held.session_id, "四个人都提前走了")
    assert (back.state, back.reason, scene.holds("n0")) == ("returned", "四个人都提前走了", (0, 0))
    with pytest.raises(SignOffDecided):
        later(scene, seconding.agree, OTHER, held.session_id)
    with pytest.raises(UnknownHeldSignOff):
        later(scene, seconding.agree, OTHER, scene.session().session_id)
    assert isinstance(sign(scene, held, [f"n{n}" for n in range(6)], 0), SignOff)


def test_of_two_who_agree_at_once_one_credits(scene, held) -> None:
    third = Hand("staff:903", 903, "王芳")

    def agree(hand):
        return later(scene, seconding.agree, hand, held.session_id)

    results = at_once(lambda: agree(OTHER), lambda: agree(third))
    assert kinds(results) == ["SignOff", "SignOff"]
    assert sorted(one.is_repeat for one in results) == [False, True]
    assert scene.holds("n0")[1] == 120


def test_what_counts_as_the_leaders_word() -> None:
    class Row:
        def __init__(self, minutes, *scans):
            self.presence, self.scans = type("P", (), {"minutes": minutes}), scans

    def scan(reason, means):
        return type("S", (), {"reason": reason, "means": means})

    rows = {
        1: Row(150, scan(None, Means.DESK_CARD)),
        2: Row(150, scan("没带卡", Means.DESK_DIGITS)),
        3: Row(150, scan("纸质签到表 1 号", Means.PAPER)),
        4: Row(150),
        5: Row(150),
    }
    said = [Decision(1), Decision(2), Decision(3), Decision(4, 150), Decision(5, 149)]
    assert overridden(rows, said) == [2, 5]


def test_the_page_shows_whose_minutes_are_by_word_and_the_second_person_decides(app, scene, held) -> None:
    with clock.at(AFTER):
        _decide_on_the_page(app, scene, held)


def _decide_on_the_page(app, scene: Scene, held) -> None:
    first, second, third = (app.test_client() for _ in range(3))
    for client in (first, second, third):
        sign_in(client, scene.do(make_login, "staff", scene.branches["NS-01"]))
    path = f"/staff/sessions/{held.session_id}/sign-off"
    page = second.get(path).text
    assert "复核签字" in page
    assert page.count(">改动<") == MORE
    assert form(second, f"{path}/return", {"reason": ""}).status_code == 422
    assert form(second, f"{path}/return", {"own": "1"}).status_code == 403
    form(second, f"{path}/return", {"reason": "请核对时长"})
    assert "请核对时长" in first.get(path).text
    who = [str(scene.people[f"n{place}"].resident_id) for place in range(6)]
    given = {"present": who, "head_count": "6"} | {f"minutes_{one}": "100" for one in who[:MORE]}
    form(first, path, given)
    assert "撤回来改" in first.get(path).text
    assert form(first, f"{path}/agree", {}).status_code == 403
    assert form(third, f"{path}/agree", {}).status_code == 303
    assert scene.holds("n0")[1] == 100
    assert "复核" in third.get(path).text
