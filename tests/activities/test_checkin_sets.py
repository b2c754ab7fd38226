"""Scans that come together: each is answered as if it had come in its turn, and the set shares its statements."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock
from moralbank.activities import checkin, queries, receipts, service
from moralbank.activities.answers import Answer
from moralbank.activities.checkin import Scan
from moralbank.activities.models import checkins
from moralbank.activities.values import Direction, Means, Receipt, Session
from moralbank.errors import MoralBankError
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from tests._trips import counted
from tests.activities.conftest import STAFF, START, Scene, time_of

SIZES = (1, 2, 7, 64)


@pytest.fixture
def crowd(scene: Scene) -> list[int]:
    """Twenty residents of the station, and one who saves in another bank."""

    def enrol(db: sa.Connection) -> list[int]:
        here, elsewhere = scene.branches["NS-01"].branch_id, scene.branches["XX-00"].branch_id
        people = [Person(f"赵{number}", here) for number in range(20)] + [Person("外来客", elsewhere)]
        return [residents.enrol(db, person, actor=STAFF).resident_id for person in people]

    return scene.do(enrol)


def card(session: Session, resident_id: int, nonce: str, **changes: object) -> Scan:
    return Scan(session.session_id, resident_id, Means.DESK_CARD, nonce, STAFF, **changes)  # type: ignore[arg-type]


def told(answer: Answer | MoralBankError) -> str:
    return answer.code if isinstance(answer, MoralBankError) else answer.verdict.code


def check_in(scene: Scene, scans: Sequence[Scan], clock_time: str = "9:00") -> list[str]:
    with clock.at(time_of(clock_time)):
        return [told(answer) for answer in scene.do(checkin.check_in_many, scans)]


def test_everybody_in_a_set_is_counted_and_refusals_leave_neighbours_alone(scene: Scene, crowd: list[int]) -> None:
    session = scene.session()
    scans = [card(session, who, f"n{who}") for who in crowd]
    scans.insert(3, card(session, crowd[0], "blank", override=" "))
    scans.insert(5, card(session, 9999, "nobody"))
    scans.insert(7, Scan(9999, crowd[0], Means.DESK_CARD, "nowhere", STAFF))
    codes = check_in(scene, scans)
    assert Counter(codes) == {"ok": 20, "unknown": 2, "override-reason-missing": 1, "resident-unknown": 1}
    assert codes[-1] == "unknown", "who saves in another bank is refused at the door"
    assert scene.look(queries.count_present, session.session_id) == 20


def test_who_stands_twice_in_a_set_meets_the_own_first_scan(scene: Scene, crowd: list[int]) -> None:
    session, other = scene.session(), scene.session(title="另一场")
    one, two, *_ = crowd
    scans = [
        card(session, one, "n1"),
        card(session, one, "n2"),
        card(session, one, "n1"),
        card(session, two, "n1"),
        card(other, one, "n3"),
        card(session, one, "n4", at=time_of("11:30")),
    ]
    assert check_in(scene, scans) == ["ok", "already", "replayed", "expired", "review", "ok"]


def test_a_sessions_last_places_go_to_the_first_who_asked(scene: Scene, crowd: list[int]) -> None:
    session = scene.session(capacity=3)
    scene.do(service.sign_up, session.session_id, crowd[4])
    scans = [card(session, who, f"n{who}") for who in crowd[:6]]
    early = card(session, crowd[0], "early", at=time_of("8:00"))
    assert check_in(scene, [early, *scans]) == ["not_open", "ok", "ok", "full", "full", "ok", "full"]


def test_a_phone_stays_with_the_first_of_a_set_who_used_it(scene: Scene, crowd: list[int]) -> None:
    session = scene.session()
    by_phone = [card(session, who, f"n{who}", device="phone") for who in reversed(crowd[:4])]
    assert check_in(scene, by_phone) == ["ok", "review", "review", "review"]
    leaving = [card(session, who, f"o{who}", device="phone") for who in reversed(crowd[:4])]
    assert check_in(scene, leaving, "11:30") == ["ok", "review", "review", "review"]


def test_the_nonce_of_a_scan_that_was_undone_is_spent(scene: Scene, crowd: list[int]) -> None:
    session = scene.session(capacity=1)
    wrong = scene.do(checkin.check_in, card(session, crowd[0], "n1", at=START))
    scene.do(checkin.undo, session.session_id, wrong.scan.checkin_id, actor=STAFF)
    scans = [card(session, crowd[0], "n1"), card(session, crowd[1], "n2"), card(session, crowd[0], "n3")]
    assert check_in(scene, scans) == ["expired", "ok", "full"], "a spent scan takes no place"


class Morning:
    """The same random scans at sessions of a week of their own, so that two mornings can be compared."""

    def __init__(self, scene: Scene, crowd: list[int], week: int, seed: int) -> None:
        self._scene, self._crowd, self._week, self._random = scene, crowd, week, random.Random(seed)
        self.start = START + timedelta(weeks=week)
        capped, listed = {"capacity": 4}, {"needs_signup": True, "capacity": 3}
        half = timedelta(minutes=75)
        self._sessions = [
            scene.session(self.start),
            scene.session(self.start, **capped),
            scene.session(self.start + half, **listed),
            scene.session(self.start + 4 * half),
        ]
        for who in crowd[:4]:
            scene.do(service.sign_up, self._sessions[1].session_id, who)
            scene.do(service.sign_up, self._sessions[2].session_id, who)
        spent = scene.do(checkin.check_in, card(self._sessions[0], crowd[5], self._nonce(0), at=self.start))
        scene.do(checkin.undo, self._sessions[0].session_id, spent.scan.checkin_id, actor=STAFF)

    def _nonce(self, number: int) -> str:
        return f"{self._week}:{number}"

    def scans(self, number: int) -> list[Scan]:
        pick = self._random
        return [
            Scan(
                session_id=pick.choice(self._sessions).session_id,
                resident_id=pick.choice(self._crowd[:12] + self._crowd[-1:]),
                means=pick.choice([Means.ROTATING, Means.POSTER, Means.DESK_CARD]),
                nonce=self._nonce(pick.choice([place, place, place, place // 3])),
                actor=STAFF,
                at=self.start + timedelta(minutes=pick.choice([-20, 0, 1, 10, 20, 80, 125, 150, 155, 160])),
                direction=pick.choice([None, None, Direction.IN, Direction.OUT]),
                device=pick.choice([None, None, "phone-1", "phone-2"]),
                override=pick.choice([None] * 8 + ["公交晚点", " "]),
            )
            for place in range(number)
        ]

    def told(self, answer: Answer | MoralBankError) -> tuple[object, ...]:
        if isinstance(answer, MoralBankError):
            return (answer.code,)
        scan = answer.scan
        scanned = scan and (
            scan.direction,
            scan.visit_no,
            scan.at - self.start,
            scan.doubt,
            scan.is_pending,
            scan.nonce,
        )
        return answer.verdict.title, answer.verdict.code, scanned and (*scanned[:-1], scanned[-1].split(":")[1])

    def standing(self) -> set[tuple[object, ...]]:
        ids = [session.session_id for session in self._sessions]
        query = sa.select(checkins).where(checkins.c.session_id.in_(ids), checkins.c.undone_at.is_(None))
        with self._scene.database.reading() as db:
            return {
                (
                    ids.index(row.session_id),
                    row.resident_id,
                    row.direction,
                    row.visit_no,
                    row.at - self.start,
                    row.doubt,
                )
                for row in db.execute(query)
            }


@pytest.mark.parametrize("seed", [1, 2])
def test_a_set_comes_to_the_same_as_its_scans_one_by_one(scene: Scene, crowd: list[int], seed: int) -> None:
    def outcome(week: int, size: int) -> tuple[list[tuple[object, ...]], set[tuple[object, ...]]]:
        morning = Morning(scene, crowd, week, seed)
        scans = morning.scans(128)
        with clock.at(morning.start):
            parts = [scans[first : first + size] for first in range(0, len(scans), size)]
            answers = [answer for part in parts for answer in scene.do(checkin.check_in_many, part)]
        return [morning.told(answer) for answer in answers], morning.standing()

    alone, *together = [outcome(week, size) for week, size in enumerate(SIZES)]
    assert {"ok", "already", "review", "pending", "full", "not_registered", "closed"} <= {
        one[1] for one in alone[0] if len(one) > 1
    }
    assert together == [alone] * len(together)


def test_phones_that_claim_together_are_answered_one_by_one(scene: Scene, crowd: list[int]) -> None:
    session = scene.session()

    def receipt(expires: str) -> Receipt:
        return Receipt("", session.session_id, 0, None, Means.ROTATING, START, time_of(expires), None)

    good, late = scene.do(receipts.keep_receipts, [receipt("9:10"), receipt("9:00")])
    claims = [
        receipts.Claim(cookie, who, f"resident:{who}", None)
        for cookie, who in ((late, crowd[0]), (good, crowd[1]), (good, crowd[2]), (good, crowd[1]), ("?", crowd[3]))
    ]
    with clock.at(time_of("9:05")):
        answers = scene.do(receipts.use_receipts, claims)
    assert [told(answer) for answer in answers] == ["expired", "ok", "expired", "replayed", "expired"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no round trips.
def test_a_large_set_takes_no_more_round_trips_than_a_small_one(scene: Scene, crowd: list[int]) -> None:
    def count(number: int) -> int:
        session = scene.session(START + timedelta(weeks=number), capacity=100)
        scans = [card(session, who, f"{number}:{who}", device=f"phone-{who}", at=session.starts_at) for who in crowd]
        with counted() as trips:
            assert set(check_in(scene, scans[:number])) == {"ok"}
        return len(trips)

    # BEGIN, the doors, what scans are judged by, the places, what is written, COMMIT.
    assert count(2) == count(18) == 6
