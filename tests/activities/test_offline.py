"""Phones without a network: every scan on record once, nobody credited twice, what is doubtful waits for people."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask

from moralbank import clock
from moralbank.activities import queries, reviews, signoff, snapshot
from moralbank.activities import service as activities
from moralbank.activities.models import checkins, device_scans
from moralbank.activities.signoff import Decision
from moralbank.activities.values import Direction, Means, Session
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import find_card
from tests._people import make_login, sign_in
from tests.activities._phones import Phone
from tests.activities.conftest import START, Scene, time_of
from tests.activities.test_pages import Browser


@pytest.fixture
def staff(app: Flask, scene: Scene) -> Browser:
    app.test_client_class = Browser
    return signed_in(app, scene)


@contextmanager
def at(staff: Browser, scene: Scene, instant: datetime) -> Iterator[None]:
    """Let it be this time, with staff who have just come in: who does nothing for two hours is signed out."""
    with clock.at(instant):
        sign_in(staff, scene.do(make_login, "staff", scene.branches["NS-01"]))
        yield


def signed_in(app: Flask, scene: Scene, branch: str = "NS-01") -> Any:
    client = app.test_client()
    with clock.at(time_of("8:00")):
        sign_in(client, scene.do(make_login, "staff", scene.branches[branch]))
    return client


def card_of(scene: Scene, who: str) -> str:
    card = scene.look(find_card, scene.people[who].resident_id)
    return str(card.number)


def phone_of(staff: Browser, session: Session, **changes: Any) -> Phone:
    phone = Phone(staff, session.session_id, **changes)
    with clock.at(time_of("8:05")):
        assert phone.register().status_code == 200
    return phone


def rows_of(scene: Scene, session: Session) -> list[Any]:
    mine = device_scans.c.session_id == session.session_id
    return scene.look(lambda db: db.execute(sa.select(device_scans).where(mine)).all())


def standing(scene: Scene, session: Session, who: str) -> list[tuple[str, str]]:
    scans = scene.look(queries.list_scans, session.session_id, scene.people[who].resident_id)
    return [(scan.direction.value, f"{clock.local(scan.at):%H:%M}") for scan in scans]


def enrol_many(scene: Scene, number: int) -> list[tuple[int, str]]:
    """Return so many more residents with their cards."""

    def enrol(db: sa.Connection) -> list[tuple[int, str]]:
        made = []
        for place in range(number):
            person = Person(f"居民{place}", scene.branches["NS-01"].branch_id)
            resident = residents.enrol(db, person, actor="admin:1")
            card = find_card(db, resident.resident_id)
            assert card is not None
            made.append((resident.resident_id, card.number))
        return made

    return scene.do(enrol)


def test_two_phones_keep_500_scans_and_each_is_on_record_once(staff: Browser, scene: Scene) -> None:
    """An overlap of a fifth, one reload, one lost answer, one clock an hour wrong."""
    session, dice = scene.session(), random.Random(7)
    people = enrol_many(scene, 200)
    good, wrong = phone_of(staff, session), phone_of(staff, session, behind=timedelta(hours=1))
    ours, theirs = people[:120], people[80:]  # 40 of 200 are scanned by both.
    for phone, crowd in ((good, ours), (wrong, theirs)):
        order = [card for _, card in crowd]
        order += dice.choices(order, k=250 - len(order))
        for place, card in enumerate(order):
            phone.scan(card, START + timedelta(seconds=4 * place))
    assert len(good.queue) + len(wrong.queue) == 500
    with at(staff, scene, time_of("9:30")):
        assert good.send(is_answer_lost=True) == []
        good.queue = json.loads(json.dumps(good.queue))  # A reload: what is left is what was written down.
        wrong.send(most=70)
        told = good.send()
        assert wrong.send() == []
    assert (good.queue, wrong.queue) == ([], [])
    assert Counter(item["state"] for item in told) == {"counted": 120, "already": 130}
    rows = rows_of(scene, session)
    assert len(rows) == len({row.nonce for row in rows}) == 500
    assert Counter(row.state for row in rows) == {"counted": 120, "already": 130, "review": 250}
    assert {row.cause for row in rows if row.state == "review"} == {"clock"}
    on_record = scene.look(queries.scans_by_resident, session.session_id)
    assert {who: len(scans) for who, scans in on_record.items()} == dict.fromkeys((who for who, _ in ours), 1)
    with clock.at(session.out_until + timedelta(minutes=1)):
        decisions = [Decision(who, 120) for who in on_record]
        hands = {"actor": "staff:1", "second": "staff:2"}  # All minutes are the leader's: nobody checked out.
        signed = scene.do(signoff.sign_off, session.session_id, decisions, len(decisions), **hands)
    credited = Counter(award.resident_id for award in signed.awards if award.kind == "attendance" and award.entry_id)
    assert set(credited.values()) == {1}
    assert len(credited) == 120


def test_the_earlier_of_two_phones_counts_whichever_comes_first(staff: Browser, scene: Scene) -> None:
    session = scene.session()
    one, other = phone_of(staff, session), phone_of(staff, session)
    card = card_of(scene, "lan")
    one.scan(card, time_of("9:05"))
    other.scan(card, time_of("9:10"))
    other.scan(card, time_of("11:20"))
    one.scan(card, time_of("11:28"))
    with at(staff, scene, time_of("11:40")):
        assert [item["state"] for item in other.send()] == ["counted", "counted"]
        assert standing(scene, session, "lan") == [("in", "09:10"), ("out", "11:20")]
        assert [item["state"] for item in one.send()] == ["counted", "already"]
    assert standing(scene, session, "lan") == [("in", "09:05"), ("out", "11:20")]
    assert sorted(row.state for row in rows_of(scene, session)) == ["already", "already", "counted", "counted"]


def test_a_check_out_that_comes_in_first_waits_and_counts_once_the_check_in_is_there(
    staff: Browser, scene: Scene
) -> None:
    session = scene.session()
    came, left = phone_of(staff, session), phone_of(staff, session)
    came.scan(card_of(scene, "bo"), time_of("9:00"))
    left.scan(card_of(scene, "bo"), time_of("11:30"))
    with at(staff, scene, time_of("13:00")):  # The planned end was written for nobody: nobody had come.
        assert [(item["state"], item["cause"]) for item in left.send()] == [("review", "window")]
        assert [item["state"] for item in came.send()] == ["counted"]
    assert standing(scene, session, "bo") == [("in", "09:00"), ("out", "11:30")]
    assert {row.state for row in rows_of(scene, session)} == {"counted"}


def test_a_scan_that_was_booked_but_not_answered_is_the_same_scan_in_the_batch(staff: Browser, scene: Scene) -> None:
    session = scene.session()
    phone, card = phone_of(staff, session), card_of(scene, "wei")
    nonce = phone.scan(card, time_of("9:00"))
    with clock.at(time_of("9:00")):
        page = staff.post(f"/staff/desk/{session.session_id}", data={"code": card, "nonce": nonce, "typed": "scan"})
        assert "签到成功" in page.text
    with clock.at(time_of("9:01")):
        assert [item["state"] for item in phone.send()] == ["counted"]
    assert standing(scene, session, "wei") == [("in", "09:00")]


def test_what_is_doubtful_waits_without_credit_and_staff_decide_each_with_a_reason(
    staff: Browser, scene: Scene
) -> None:
    session = scene.session()
    phone = phone_of(staff, session)
    lost = card_of(scene, "wei")
    scene.do(residents.revoke_card, scene.people["wei"].resident_id, "lost", actor="staff:1")
    phone.scan(lost, time_of("9:00"))
    phone.scan("709999999999999999999999", time_of("9:00"))
    phone.scan(card_of(scene, "bo"), time_of("8:00"))
    phone.scan("x' OR 1=1", time_of("9:01"))
    with clock.at(time_of("9:40")):
        told = phone.send()
        assert [item["cause"] for item in told] == ["revoked", "unknown", "window", "unknown"]
        assert scene.look(queries.count_present, session.session_id) == 0
        page = staff.get("/staff/reviews")
        for words in ("这张卡已挂失", "70…9999", "不在扫码时间内", "陈薇", "王博"):
            assert words in page.text
        assert "待核对签到 <span" in staff.get("/staff/activities").text
        assert "还有 4 次离线签到没有核对" in staff.get(f"/staff/sessions/{session.session_id}/sign-off").text
        by_cause = {(row.cause, row.code): row.scan_id for row in rows_of(scene, session)}

        def decide(cause: str, code: str | None, deed: str, **fields: str):
            return staff.post(f"/staff/reviews/{by_cause[cause, code]}/{deed}", data=fields)

        assert decide("window", None, "accept").status_code == 422
        assert decide("window", None, "accept", reason="来得早，我见过").status_code == 303
        assert decide("window", None, "accept", reason="again").status_code == 409
        assert decide("unknown", "70…9999", "accept", reason="卡打错了").status_code == 422
        number = scene.people["lan"].number
        assert decide("unknown", "70…9999", "accept", reason="卡打错了", number=number).status_code == 303
        assert decide("unknown", "x' OR 1=1", "dismiss", reason="不是卡").status_code == 303
        assert decide("revoked", None, "dismiss", reason="本人说没来").status_code == 303
        assert "没有要核对的签到" in staff.get("/staff/reviews").text
    [early] = scene.look(queries.list_scans, session.session_id, scene.people["bo"].resident_id)
    assert (early.at, early.is_pending, early.reason) == (time_of("8:00"), True, "来得早，我见过")
    assert standing(scene, session, "lan") == [("in", "09:00")]
    assert standing(scene, session, "wei") == []


def test_scans_are_taken_for_72_hours_and_after_the_signature_people_must_look(staff: Browser, scene: Scene) -> None:
    session, signed = scene.session(), scene.session(title="敬老院理发")
    phone, other = phone_of(staff, session), phone_of(staff, signed)
    scene.stay(signed, "wei")
    scene.sign(signed, "wei")
    phone.scan(card_of(scene, "lan"), time_of("9:00"))
    other.scan(card_of(scene, "bo"), time_of("9:00"))
    with at(staff, scene, session.ends_at + timedelta(hours=71)):
        assert [item["state"] for item in phone.send()] == ["counted"]
        assert [item["cause"] for item in other.send()] == ["signed-off"]
    phone.scan(card_of(scene, "bo"), time_of("9:02"))
    with at(staff, scene, session.ends_at + timedelta(hours=73)):
        assert [item["cause"] for item in phone.send()] == ["late"]
        late = next(row.scan_id for row in rows_of(scene, session) if row.cause == "late")
        assert staff.post(f"/staff/reviews/{late}/accept", data={"reason": "他来过"}).status_code == 409
    [late_one] = scene.look(queries.list_scans, session.session_id, scene.people["lan"].resident_id)
    assert late_one.means is Means.DESK_CARD


def test_a_foreign_hand_a_broken_chain_and_a_revoked_phone_count_nothing(
    app: Flask, staff: Browser, scene: Scene
) -> None:
    session = scene.session()
    phone, card = phone_of(staff, session), card_of(scene, "wei")
    phone.scan(card, time_of("9:00"))
    with clock.at(time_of("9:05")):
        assert phone.send_batch(phone.queue, signed=b"something else").status_code == 422
        assert Phone(staff, session.session_id, device_id=99).send_batch(phone.queue).status_code == 404
        assert phone.send_batch([phone.queue[0] | {"seq": 0}]).status_code == 422
        assert rows_of(scene, session) == []
        stranger = Phone(signed_in(app, scene, "XX-01"), session.session_id, key=phone.key, device_id=phone.device_id)
        assert stranger.register().status_code == 403
        stranger.device_id = phone.device_id
        assert stranger.send_batch(phone.queue).json["items"][0]["state"] == "kept"
        assert [item["state"] for item in phone.send()] == ["counted"]
        phone.last = "f" * 64
        phone.scan(card_of(scene, "lan"), time_of("9:03"))
        assert [item["cause"] for item in phone.send()] == ["chain"]
        assert staff.post(f"/staff/devices/{phone.device_id}/revoke").status_code == 303
        phone.scan(card_of(scene, "bo"), time_of("9:04"))
        assert [item["cause"] for item in phone.send()] == ["device"]
        assert "已停用" in staff.get("/staff/devices").text


def test_a_roster_in_a_thiefs_hand_tells_of_nobody_and_a_card_opens_its_holder(staff: Browser, scene: Scene) -> None:
    session = scene.session()
    scene.do(activities.sign_up, session.session_id, scene.people["wei"].resident_id)
    with clock.at(time_of("8:30")):
        answer = staff.get(f"/staff/desk/{session.session_id}/roster")
        other = staff.get(f"/staff/desk/{session.session_id}/roster").json
    roster = answer.json
    assert not roster["entries"].keys() & other["entries"].keys()  # What one phone lost says nothing about another's.
    assert len(roster["entries"]) == len(scene.people)
    for name, person in scene.people.items():
        for secret in (person.name, person.number, person.phone or "13800000001", card_of(scene, name)):
            assert secret not in answer.text
            assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] not in answer.text
    assert len({len(sealed) for sealed in roster["entries"].values()}) == 1
    salt, card = base64.b64decode(roster["salt"]), card_of(scene, "wei")
    sealed = base64.b64decode(roster["entries"][snapshot.key_of(salt, card)])
    opened = AESGCM(snapshot.secret_of(salt, card)).decrypt(sealed[:12], sealed[12:], None)
    assert json.loads(opened) == {"name": "陈薇", "signup": "going"}
    with pytest.raises(InvalidTag):
        AESGCM(snapshot.secret_of(salt, card_of(scene, "lan"))).decrypt(sealed[:12], sealed[12:], None)
    assert roster["expires_at"] == (session.ends_at + timedelta(hours=24)).isoformat()
    with at(staff, scene, session.ends_at + timedelta(hours=24)):
        assert staff.get(f"/staff/desk/{session.session_id}/roster").status_code == 409


def test_the_kept_desk_bears_no_name_and_its_worker_reaches_staffs_pages_alone(staff: Browser, scene: Scene) -> None:
    session = scene.session()
    scene.scan(session, "wei", "9:00", direction=Direction.IN)
    with clock.at(time_of("9:05")):
        page = staff.get(f"/staff/desk/{session.session_id}/offline")
        assert page.status_code == 200
        assert not any(person.name in page.text for person in scene.people.values())
        worker = staff.get("/staff/worker.js")
    assert worker.content_type.startswith("text/javascript")
    assert "Service-Worker-Allowed" not in worker.headers
    assert scene.look(lambda db: db.execute(sa.select(sa.func.count()).select_from(checkins)).scalar()) == 1
    assert scene.look(reviews.count_reviews, [scene.branches["NS-01"].branch_id]) == 0
