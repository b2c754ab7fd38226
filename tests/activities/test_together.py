"""One phone, one scan, several of the family: each has a check-in of their own, and the leader sees who scanned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from moralbank import clock
from moralbank.access import queries as access
from moralbank.activities import receipts, signoff, together
from moralbank.activities.together import Party
from moralbank.activities.values import Direction, Doubt, Means, Receipt
from moralbank.behalf import errors, service
from moralbank.behalf.service import Appointment
from moralbank.behalf.values import Basis, Limits, Scope
from moralbank.messages.queries import list_messages
from tests._people import MadeLogin, form, make_login, sign_in
from tests.activities.conftest import Scene, time_of


@pytest.fixture
def wei(scene: Scene) -> MadeLogin:
    """Wei's login, on whose phone her husband Qiang and old Bo are too."""
    login = scene.do(make_login, "resident", scene.branches["NS-01"], resident_id=scene.people["wei"].resident_id)
    for who in ("qiang", "bo"):
        link(scene, login, who)
    return login


def link(scene: Scene, login: MadeLogin, who: str) -> int:
    held = scene.look(access.get_login, login.login_id)
    person = scene.people[who].resident_id
    return scene.do(service.link_family, held, person, Basis.PAPER, actor="staff:1").link_id


def links_of(scene: Scene, login: MadeLogin) -> dict[int, int]:
    """Return link by resident."""
    return {link.resident_id: link.link_id for link in scene.look(service.queries.list_held, login.login_id)}


def come(scene: Scene, session, login: MadeLogin, at: str, *names: str, cookie: str = "", device: str = "weis"):
    """Let the owner ("me") and others be counted by one scan; return the cookie and who was told what."""
    instant = time_of(at)
    with clock.at(instant):
        if not cookie:
            scanned = Receipt(
                "", session.session_id, 0, None, Means.ROTATING, instant, instant + receipts.RECEIPT_LIFE, None
            )
            cookie = scene.database.join(receipts.keep_receipts, scanned)
        known = links_of(scene, login)
        chosen = [known[scene.people[name].resident_id] for name in names if name != "me"]
        role = "resident" if login.principal.resident_id else "helper"
        actor = login.principal.actor(role)
        party = Party(cookie, login.login_id, login.principal.resident_id, "me" in names, chosen, actor, device)
        came = scene.do(together.check_in_together, party)
    return cookie, [(one.person.name, one.answer.verdict.code) for one in came]


def doubts(scene: Scene, session) -> dict[str, tuple[Doubt, ...]]:
    return {row.resident.name: row.presence.doubts for row in scene.look(signoff.roster, session)}


def test_three_of_a_family_come_and_go_by_one_scan_each_with_their_own_credit(scene: Scene, wei: MadeLogin) -> None:
    session = scene.session()
    cookie, said = come(scene, session, wei, "9:00", "me", "qiang", "bo")
    assert said == [("陈薇", "ok"), ("刘强", "pending"), ("王博", "pending")]
    assert come(scene, session, wei, "9:01", "me", "qiang", "bo", cookie=cookie)[1] == [
        ("陈薇", "replayed"), ("刘强", "pending"), ("王博", "pending"),
    ]  # fmt: skip
    come(scene, session, wei, "11:30", "me", "qiang", "bo")
    assert doubts(scene, session) == {"刘强": (Doubt.ACTED,), "王博": (Doubt.ACTED,), "陈薇": ()}
    signed = scene.sign(session, "wei", "qiang", "bo")
    awards = [(one.grade, one.points) for one in signed.awards if one.kind == "attendance"]
    assert sorted(awards) == [("A", 25), ("B", 25), ("B", 25)]
    for name, kinds in (("qiang", ["acted_check_in"] * 2), ("wei", [])):
        found = scene.look(list_messages, resident_id=scene.people[name].resident_id)
        assert [one.kind for one in found if one.kind == "acted_check_in"] == kinds


def test_the_owner_who_comes_after_the_others_is_flagged_and_a_stranger_is_sent_to_staff(
    scene: Scene, wei: MadeLogin
) -> None:
    session = scene.session()
    come(scene, session, wei, "9:00", "bo")
    assert come(scene, session, wei, "9:05", "me")[1] == [("陈薇", "pending")]
    answer = scene.scan(session, "lan", "9:06", means=Means.ROTATING, device="weis")
    assert answer.verdict.code == "review"
    assert doubts(scene, session)["欧阳兰"][0] is Doubt.SAME_DEVICE
    # On a phone that was a stranger's first, family is no excuse.
    scene.scan(session, "yong", "9:07", means=Means.ROTATING, device="yongs")
    assert come(scene, session, wei, "9:08", "qiang", device="yongs")[1] == [("刘强", "review")]


def test_a_scan_is_the_phones_for_ten_minutes_and_for_whoever_is_chosen_next(scene: Scene, wei: MadeLogin) -> None:
    session = scene.session()
    cookie, _ = come(scene, session, wei, "9:00", "bo")
    assert come(scene, session, wei, "9:02", "qiang", cookie=cookie)[1] == [("刘强", "pending")]
    lan = scene.do(make_login, "resident", scene.branches["NS-01"], resident_id=scene.people["lan"].resident_id)
    assert come(scene, session, lan, "9:03", "me", cookie=cookie)[1] == [("欧阳兰", "expired")]
    _late, _ = come(scene, session, wei, "9:10", "bo")
    with clock.at(time_of("9:21")):
        party = Party("nothing", wei.login_id, wei.principal.resident_id, True, [], "resident:1", None)
        [one] = scene.do(together.check_in_together, party)
    assert one.answer.verdict.code == "expired"


def test_a_helper_scans_for_whom_they_may_and_for_nobody_else(scene: Scene) -> None:
    session, today = scene.session(), clock.today()
    carer = scene.do(make_login, "helper", scene.branches["NS-01"])

    def appoint(who: str, scope: Scope) -> None:
        until = today + timedelta(days=30)
        wanted = Appointment(
            scene.people[who].resident_id, carer.name or "", "", scope, Limits(1, 1, 1), today, "夹 1", until
        )
        scene.do(service.appoint, wanted, by=None, actor="staff:1")

    appoint("bo", Scope())
    appoint("lan", Scope(may_check_in=False))
    assert come(scene, session, carer, "9:00", "bo")[1] == [("王博", "pending")]
    [row] = scene.look(signoff.roster, session)
    assert [scan.actor for scan in row.scans] == [f"helper:{carer.login_id}"]
    with pytest.raises(errors.BeyondScope):
        come(scene, session, carer, "9:01", "lan")
    bo = links_of(scene, carer)[scene.people["bo"].resident_id]
    scene.do(service.end_link, bo, actor="staff:1")
    with pytest.raises(errors.LinkEnded):
        scene.do(together.check_in_together, Party("c", carer.login_id, None, False, [bo], "helper:1", None))


def test_the_pages_ask_who_is_there_and_name_each(app, scene: Scene, wei: MadeLogin) -> None:
    session = scene.session()
    phone = app.test_client()
    with clock.at(time_of("9:00")):
        sign_in(phone, wei)
        scanned = Receipt("", session.session_id, 0, Direction.IN, Means.ROTATING, clock.now(), time_of("9:10"), None)
        phone.set_cookie("receipt", scene.database.join(receipts.keep_receipts, scanned), path="/a")
        landing = phone.get("/a/check").text
        assert "这次有谁" in landing
        assert "刘强" in landing
        chosen = ["me", *(str(one) for one in links_of(scene, wei).values())]
        page = form(phone, "/a/check", {"who": chosen})
    assert page.status_code == 200
    for name in ("陈薇", "刘强", "王博"):
        assert f"{name} ·" in page.text


def test_a_helper_who_is_no_resident_comes_for_nobody_of_their_own(app, scene: Scene) -> None:
    phone = app.test_client()
    with clock.at(time_of("9:00")):
        sign_in(phone, scene.do(make_login, "helper", scene.branches["NS-01"]))
        assert form(phone, "/a/check", {"who": "me"}).status_code == 303
