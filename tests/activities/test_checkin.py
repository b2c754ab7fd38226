"""Scans become check-ins once, whatever is scanned how often and on however many phones."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from moralbank import clock
from moralbank.activities import cards, checkin, queries, receipts, service, tokens, verdicts
from moralbank.activities.answers import Answer
from moralbank.activities.checkin import Scan
from moralbank.activities.errors import OtherBank, ReasonMissing, SessionOver, UnknownScan
from moralbank.activities.models import checkins
from moralbank.activities.models import receipts as receipt_rows
from moralbank.activities.values import Direction, Doubt, Means, Mode, Receipt
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import find_card
from tests.activities.conftest import END, STAFF, START, Scene, in_this_context, time_of


def open_code(scene: Scene, text: str, clock_time: str) -> Receipt | Answer:
    with clock.at(time_of(clock_time)):
        return scene.look(receipts.open_token, text, clock.now())


def receipt_cookie(scene: Scene, session, clock_time: str = "9:00") -> str:
    key = scene.do(service.ensure_qr_key)
    receipt = open_code(scene, tokens.rotating(key, session.session_id, 0, time_of(clock_time)), clock_time)
    assert isinstance(receipt, Receipt)
    return scene.database.join(receipts.keep_receipts, receipt)


def use(scene: Scene, cookie: str, who: str, clock_time: str, device: str | None = None) -> Answer:
    with clock.at(time_of(clock_time)):
        claim = receipts.Claim(cookie, scene.people[who].resident_id, f"resident:{who}", device)
        return scene.database.join(receipts.use_receipts, claim)


def test_one_scan_in_and_one_scan_out(scene: Scene) -> None:
    session = scene.session()
    came = scene.scan(session, "wei", "8:55")
    left = scene.scan(session, "wei", "11:32")
    assert (came.verdict.code, left.verdict.code) == ("ok", "ok")
    assert (came.scan.direction, left.scan.direction) == (Direction.IN, Direction.OUT)
    assert left.facts["minutes"] == 150


def test_a_second_scan_is_answered_with_the_first_time(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "8:55")
    again = scene.scan(session, "wei", "9:10")
    assert again.verdict.code == "already"
    assert again.facts["at"] == time_of("8:55")
    assert scene.look(queries.count_present, session.session_id) == 1


def test_the_same_nonce_gets_the_same_answer_and_is_counted_once(scene: Scene) -> None:
    session = scene.session()
    first = scene.scan(session, "wei", "8:55", nonce="n1")
    again = scene.scan(session, "wei", "9:20", nonce="n1")
    assert again.verdict.code == "replayed"
    assert again.scan == first.scan


@pytest.mark.parametrize(
    ("clock_time", "code"),
    [("8:29", "not_open"), ("8:30", "ok"), ("9:30", "ok"), ("9:31", "closed"), ("13:00", "closed")],
)
def test_the_hours_of_checking_in(scene: Scene, clock_time: str, code: str) -> None:
    assert scene.scan(scene.session(), "wei", clock_time).verdict.code == code


def test_an_answer_about_the_hours_names_them(scene: Scene) -> None:
    session = scene.session()
    assert scene.scan(session, "wei", "8:00").facts["opens"] == time_of("8:30")
    assert scene.scan(session, "wei", "10:00").facts["closes"] == time_of("9:30")


def test_who_repeats_a_scan_that_waits_is_told_that_it_waits(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "9:40", override="公交晚点")
    assert scene.scan(session, "wei", "9:50").verdict.code == "pending"


def test_staff_count_somebody_outside_the_hours_with_a_reason_and_the_leader_has_to_look(scene: Scene) -> None:
    session = scene.session()
    answer = scene.scan(session, "wei", "10:00", override="公交晚点")
    assert answer.verdict.code == "pending"
    assert (answer.scan.is_pending, answer.scan.doubt, answer.scan.reason) == (True, Doubt.OVERRIDE, "公交晚点")
    with pytest.raises(ReasonMissing):
        scene.scan(session, "lan", "10:00", override=" ")


def test_nobody_checks_in_to_a_draft_a_cancelled_or_an_unknown_session(scene: Scene) -> None:
    activity = scene.do(service.create_activity, scene.plan(), actor=STAFF)
    draft = scene.do(service.add_session, activity.activity_id, START, END)
    assert scene.scan(draft, "wei", "9:00").verdict.code == "closed"
    cancelled = scene.session()
    scene.do(service.cancel_session, cancelled.session_id)
    assert scene.scan(cancelled, "wei", "9:00").verdict.code == "closed"
    with clock.at(time_of("9:00")):
        answer = scene.database.join(
            checkin.check_in_many, Scan(9999, scene.people["wei"].resident_id, Means.DESK_CARD, "x", STAFF)
        )
    assert answer.verdict.code == "unknown"


def test_where_sign_up_is_needed_others_are_told_so_unless_staff_let_them_in(scene: Scene) -> None:
    session = scene.session(needs_signup=True)
    scene.do(service.sign_up, session.session_id, scene.people["lan"].resident_id)
    assert scene.scan(session, "wei", "9:00").verdict.code == "not_registered"
    assert scene.scan(session, "lan", "9:00").verdict.code == "ok"
    assert scene.scan(session, "bo", "9:00", override="替补").verdict.code == "pending"


def test_a_full_house_keeps_the_places_of_those_who_signed_up(scene: Scene) -> None:
    session = scene.session(capacity=2)
    scene.do(service.sign_up, session.session_id, scene.people["lan"].resident_id)
    assert scene.scan(session, "wei", "9:00").verdict.code == "ok"
    assert scene.scan(session, "bo", "9:00").verdict.code == "full"
    assert scene.scan(session, "lan", "9:00").verdict.code == "ok"


def test_checking_out_without_having_checked_in_waits_for_the_leader(scene: Scene) -> None:
    answer = scene.scan(scene.session(), "wei", "11:30", direction=Direction.OUT)
    assert (answer.verdict.code, answer.scan.doubt) == ("pending", Doubt.NO_IN)


def test_one_phone_is_good_for_one_resident_and_the_others_are_looked_at(scene: Scene) -> None:
    session = scene.session()
    codes = [
        scene.scan(session, who, "9:00", device="phone-1", means=Means.ROTATING).verdict.code
        for who in ("wei", "lan", "bo", "yong")
    ]
    assert codes == ["ok", "review", "review", "review"]
    assert scene.scan(session, "qiang", "9:01", device="phone-2", means=Means.ROTATING).verdict.code == "ok"


def test_who_is_in_two_places_at_once_is_looked_at(scene: Scene) -> None:
    here, there = scene.session(), scene.session(START + timedelta(minutes=60), title="读书会")
    assert scene.scan(here, "wei", "9:00").verdict.code == "ok"
    assert scene.scan(there, "wei", "10:00").verdict.code == "review"


def test_a_mis_scan_is_undone_and_the_person_can_come_again(scene: Scene) -> None:
    session = scene.session()
    wrong = scene.scan(session, "wei", "9:00")
    scene.do(checkin.undo, session.session_id, wrong.scan.checkin_id, actor=STAFF)
    assert scene.look(queries.count_present, session.session_id) == 0
    assert scene.scan(session, "wei", "9:01").verdict.code == "ok"
    with pytest.raises(UnknownScan):
        scene.do(checkin.undo, session.session_id, wrong.scan.checkin_id, actor=STAFF)


def test_only_the_last_scan_of_a_person_is_undone_and_none_after_the_sign_off(scene: Scene) -> None:
    session = scene.session()
    came = scene.scan(session, "wei", "9:00")
    left = scene.scan(session, "wei", "11:30")
    with pytest.raises(UnknownScan):
        scene.do(checkin.undo, session.session_id, came.scan.checkin_id, actor=STAFF)
    scene.sign(session, "wei")
    with pytest.raises(SessionOver):
        scene.do(checkin.undo, session.session_id, left.scan.checkin_id, actor=STAFF)


def test_forgotten_check_outs_are_closed_once_at_the_planned_end_when_the_hours_are_over(scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "9:00")
    scene.stay(session, "lan")
    assert scene.do(checkin.close_forgotten, time_of("12:30")) == 0
    assert scene.do(checkin.close_forgotten, time_of("12:31")) == 1
    assert scene.do(checkin.close_forgotten, time_of("12:31")) == 0
    last = scene.look(queries.list_scans, session.session_id, scene.people["wei"].resident_id)[-1]
    assert (last.at, last.means, last.is_pending) == (END, Means.PLANNED_END, True)


def test_opening_a_code_a_hundred_times_books_nothing(scene: Scene) -> None:
    session = scene.session()
    for _ in range(100):
        receipt_cookie(scene, session)
    assert scene.look(queries.count_present, session.session_id) == 0


def test_the_time_of_the_scan_counts_and_not_that_of_the_login_after_it(scene: Scene) -> None:
    session = scene.session()
    cookie = receipt_cookie(scene, session, "9:28")
    answer = use(scene, cookie, "wei", "9:36")
    assert (answer.verdict.code, answer.scan.at) == ("ok", time_of("9:28"))


def test_a_receipt_is_good_for_ten_minutes_one_person_and_one_check_in(scene: Scene) -> None:
    session = scene.session()
    assert use(scene, receipt_cookie(scene, session), "wei", "9:10").verdict.code == "expired"
    cookie = receipt_cookie(scene, session)
    assert use(scene, cookie, "wei", "9:05").verdict.code == "ok"
    assert use(scene, cookie, "wei", "9:25").verdict.code == "replayed"
    assert use(scene, cookie, "lan", "9:06").verdict.code == "expired"
    assert use(scene, "made up", "lan", "9:06").verdict.code == "expired"


def test_a_code_dies_after_thirty_seconds_and_belongs_to_a_screen(scene: Scene) -> None:
    session, desk = scene.session(), scene.session(mode=Mode.DESK, title="评理")
    key = scene.do(service.ensure_qr_key)
    text = tokens.rotating(key, session.session_id, 0, time_of("9:00"))
    assert isinstance(open_code(scene, text, "9:00:20"), Receipt)
    assert open_code(scene, text, "9:00:31").verdict.code == "expired"
    assert open_code(scene, tokens.rotating(key, desk.session_id, 0, START), "9:00").verdict.code == "forged"
    assert open_code(scene, tokens.rotating(key, 4242, 0, START), "9:00").verdict.code == "unknown"


def test_a_poster_never_credits_by_itself_and_can_be_revoked(scene: Scene) -> None:
    session, other = scene.session(mode=Mode.POSTER), scene.session(mode=Mode.POSTER, title="另一场")
    key = scene.do(service.ensure_qr_key)
    poster = scene.do(service.print_poster, session.session_id, actor=STAFF)
    text = tokens.poster(key, session.session_id, poster.serial)
    receipt = open_code(scene, text, "9:00")
    assert receipt.means is Means.POSTER
    answer = use(scene, scene.database.join(receipts.keep_receipts, receipt), "wei", "9:01")
    assert (answer.verdict.code, answer.scan.doubt) == ("pending", Doubt.POSTER)
    assert open_code(scene, tokens.poster(key, other.session_id, poster.serial), "9:00").verdict.code == "forged"
    scene.do(service.revoke_poster, session.session_id, poster.serial, actor=STAFF)
    assert open_code(scene, text, "9:02").verdict.code == "expired"


def test_a_new_key_leaves_hanging_posters_good(scene: Scene) -> None:
    session = scene.session(mode=Mode.POSTER)
    poster = scene.do(service.print_poster, session.session_id, actor=STAFF)
    old = tokens.poster(scene.do(service.ensure_qr_key), session.session_id, poster.serial)
    new = scene.do(service.rotate_qr_key)
    assert scene.do(service.ensure_qr_key) == new
    assert isinstance(open_code(scene, old, "9:00"), Receipt)


def test_cards_and_numbers_are_known_and_everything_else_is_named_for_what_it_is(scene: Scene) -> None:
    wei = scene.people["wei"]
    number = scene.look(find_card, wei.resident_id).number
    assert scene.look(cards.read_code, number, wei.book_id) == wei.resident_id
    assert scene.look(cards.read_code, f" {wei.number} ", wei.book_id) == wei.resident_id
    scene.do(residents.revoke_card, wei.resident_id, "丢了", actor=STAFF)
    revoked = scene.look(cards.read_code, number, wei.book_id)
    assert (revoked.verdict.code, revoked.facts["tail"]) == ("revoked_card", number[-4:])
    assert scene.look(cards.read_code, "134567890123456789", wei.book_id).facts["app"] == "wechat"
    assert scene.look(cards.read_code, "284567890123456789", wei.book_id).facts["app"] == "alipay"
    assert scene.look(cards.read_code, "714567890123456789", wei.book_id).facts["app"] == "payment"
    for text in ("", "abc", "00000000", "123", "7" * 24, "'; DROP"):
        assert scene.look(cards.read_code, text, wei.book_id).verdict.code == "unknown"


def test_thirty_two_phones_at_once_make_one_check_in(scene: Scene) -> None:
    session = scene.session()
    wei = scene.people["wei"].resident_id

    def post(number: int) -> str:
        scan = Scan(session.session_id, wei, Means.ROTATING, f"phone:{number}", "resident:1")
        return scene.database.join(checkin.check_in_many, scan).verdict.code

    with clock.at(START), ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(in_this_context(post), range(32)))
    assert sorted(codes) == ["already"] * 31 + ["ok"]
    assert len(scene.look(queries.list_scans, session.session_id, wei)) == 1


def test_thirty_two_claims_of_one_receipt_make_one_check_in_for_one_person(scene: Scene) -> None:
    session = scene.session()
    cookie = receipt_cookie(scene, session)
    names = [("wei", "lan", "bo", "yong")[number % 4] for number in range(32)]
    with ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(in_this_context(lambda name: use(scene, cookie, name, "9:01").verdict.code), names))
    assert codes.count("ok") == 1
    assert set(codes) <= {"ok", "replayed", "expired"}
    assert scene.look(queries.count_present, session.session_id) == 1


def test_the_last_place_goes_to_one_of_many_at_once(scene: Scene) -> None:
    session = scene.session(capacity=2)
    names = ["wei", "lan", "bo", "yong", "qiang"]
    with ThreadPoolExecutor(5) as pool:
        codes = list(pool.map(in_this_context(lambda name: scene.scan(session, name, "9:00").verdict.code), names))
    assert sorted(codes) == ["full", "full", "full", "ok", "ok"]


@pytest.mark.timeout(120)
def test_a_thousand_random_posts_give_one_credit_for_each_person_and_session(scene: Scene) -> None:
    """Duplicates, replays and out-of-order posts, from eight threads."""
    rng = random.Random(20261121)
    sessions = [scene.session(START + timedelta(hours=hour), 120, title=f"第{hour}场") for hour in (0, 3, 6)]
    posts = []
    for number in range(1000):
        session, who = rng.choice(sessions), rng.choice(list(scene.people))
        direction = rng.choice([None, Direction.IN, Direction.OUT])
        minute = rng.randrange(-20, 20) if direction is Direction.IN else rng.randrange(95, 160)
        posts.append((session, who, direction, minute, f"post:{rng.randrange(400) if number % 3 == 0 else number}"))
    rng.shuffle(posts)

    def send(post) -> str:
        session, who, direction, minute, nonce = post
        resident_id = scene.people[who].resident_id
        at = session.starts_at + timedelta(minutes=minute)
        scan = Scan(session.session_id, resident_id, Means.ROTATING, nonce, "resident:1", at, direction)
        return scene.database.join(checkin.check_in_many, scan).verdict.code

    with clock.at(END + timedelta(hours=12)), ThreadPoolExecutor(8) as pool:
        list(pool.map(in_this_context(send), posts))
    with scene.database.reading() as db:
        present = {
            (row.session_id, row.resident_id)
            for row in db.execute(sa.select(checkins.c.session_id, checkins.c.resident_id).distinct())
        }
        rows = db.execute(sa.select(sa.func.count()).select_from(checkins)).scalar_one()
        gates = sa.select(checkins.c.session_id, checkins.c.resident_id, checkins.c.direction, checkins.c.visit_no)
        assert rows == len({tuple(row) for row in db.execute(gates)})
        assert db.execute(sa.select(sa.func.count()).select_from(receipt_rows)).scalar_one() == 0
    credited = set()
    for session in sessions:
        names = [name for name, one in scene.people.items() if (session.session_id, one.resident_id) in present]
        scene.sign(session, *names)
        result = scene.sign(session, *names)
        credited |= {(a.session_id, a.resident_id) for a in result.awards if a.kind == "attendance"}
        assert len([a for a in result.awards if a.kind == "attendance"]) == len(names)
    assert credited == present


def test_who_saves_in_another_book_is_told_at_the_door_and_not_at_the_sign_off(scene: Scene) -> None:
    session = scene.session()
    stranger = scene.do(
        residents.enrol, Person("外来客", scene.branches["XX-00"].branch_id, "13800000099"), actor=STAFF
    )
    scene.people["stranger"] = stranger
    assert scene.scan(session, "stranger", "9:00").verdict.title == verdicts.OTHER_BANK.title
    with clock.at(time_of("8:00")), pytest.raises(OtherBank):
        scene.do(service.sign_up, session.session_id, stranger.resident_id)
    assert scene.look(queries.count_present, session.session_id) == 0
