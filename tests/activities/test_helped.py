"""Sessions in somebody's home: the helped person's code, their word in and out, and ratings that tell of nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from moralbank import clock
from moralbank.activities import helped, jobs, queries, receipts, service, signoff, tokens
from moralbank.activities.answers import Answer
from moralbank.activities.errors import HelpedRevoked, HelpedThemselves, NotHelpedHere, UnknownScan
from moralbank.activities.helped import Helped
from moralbank.activities.receipts import Claim
from moralbank.activities.values import Doubt, Mode, Session
from tests._people import make_login, sign_in
from tests.activities.conftest import END, START, Scene, time_of
from tests.activities.test_pages import phone_of, web

__all__ = ["web"]


class Home:
    """Grandmother Lan is helped at home on Saturday from nine to half past eleven."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.session: Session = scene.session(mode=Mode.BENEFICIARY, title="助老服务", place="和平里 3 栋 502")
        lan = scene.people["lan"].resident_id
        self.lan: Helped
        self.lan, self.secret = scene.do(helped.add_helped, self.session.session_id, resident_id=lan)
        self.key = scene.do(service.ensure_qr_key)

    def scan(self, who: str, at: str, text: str | None = None) -> Answer:
        instant = time_of(at)
        code = text or tokens.rotating(self.key, self.session.session_id, self.lan.number, instant)
        with clock.at(instant):
            opened = self.scene.look(receipts.open_token, code, instant)
            if isinstance(opened, Answer):
                return opened
            cookie = self.scene.database.join(receipts.keep_receipts, opened)
            claim = Claim(cookie, self.scene.people[who].resident_id, "resident:1", None)
            return self.scene.database.join(receipts.use_receipts, claim)

    def confirm(self, answer: Answer, rating: int | None = None) -> None:
        assert answer.scan is not None
        with clock.at(time_of("11:30")):
            self.scene.do(helped.confirm, self.lan, answer.scan.checkin_id, rating)

    def rows(self) -> list[signoff.RosterRow]:
        return self.scene.look(signoff.roster, self.session)


@pytest.fixture
def home(scene: Scene) -> Home:
    return Home(scene)


def test_scans_wait_for_the_helped_persons_word_and_are_grade_a_with_it(scene: Scene, home: Home) -> None:
    came = home.scan("wei", "9:00")
    assert came.verdict.code == "pending"
    left = home.scan("wei", "11:30")
    [row] = home.rows()
    assert (row.presence.doubts, row.presence.grade) == ((Doubt.HELPED,), "B")
    home.confirm(came)
    home.confirm(left)
    [row] = home.rows()
    assert (row.presence.doubts, row.presence.grade) == ((), "A")
    scene.sign(home.session, "wei")
    assert scene.holds("wei") == (30, 150)


def test_without_their_word_the_leader_decides_and_it_is_grade_b(scene: Scene, home: Home) -> None:
    card = tokens.helped_card(home.key, home.session.session_id, home.lan.number, home.lan.helped_id)
    assert home.scan("wei", "9:00", card).verdict.code == "pending"
    home.scan("wei", "11:30", card)
    result = scene.sign(home.session, "wei")
    assert {award.grade for award in result.awards if award.kind == "attendance"} == {"B"}


def test_no_other_code_opens_a_session_at_home(scene: Scene, home: Home) -> None:
    session_id, number = home.session.session_id, home.lan.number
    nobody = tokens.rotating(home.key, session_id, 0, START)
    another = tokens.helped_card(home.key, session_id, number, home.lan.helped_id + 1)
    assert [home.scan("wei", "9:00", text).verdict.code for text in (nobody, another)] == ["forged", "forged"]
    elsewhere = scene.session()
    card = tokens.helped_card(home.key, elsewhere.session_id, number, home.lan.helped_id)
    assert home.scan("wei", "9:00", card).verdict.code == "forged"
    lost = tokens.helped_card(home.key, session_id, number, home.lan.helped_id)
    scene.do(helped.revoke, session_id, home.lan.helped_id)
    with pytest.raises(HelpedRevoked):
        scene.do(helped.renew_secret, session_id, home.lan.helped_id)
    assert [home.scan("wei", "9:00", text).verdict.code for text in (None, lost)] == ["expired", "expired"]
    assert scene.look(helped.find_by_secret, home.secret) is None


def test_nobody_is_helped_where_the_code_hangs_on_the_wall(scene: Scene) -> None:
    with pytest.raises(NotHelpedHere):
        scene.do(helped.add_helped, scene.session().session_id, label="刘奶奶")


def test_the_helped_person_confirms_neither_themselves_nor_scans_of_others_codes(scene: Scene, home: Home) -> None:
    with pytest.raises(HelpedThemselves):
        home.confirm(home.scan("lan", "9:00"))
    other, _ = scene.do(helped.add_helped, home.session.session_id, label="刘奶奶")
    answer = home.scan("wei", "9:00")
    assert answer.scan is not None
    with clock.at(time_of("9:05")), pytest.raises(UnknownScan):
        scene.do(helped.confirm, other, answer.scan.checkin_id)


def test_ratings_are_added_up_without_who_and_shown_from_five_on(scene: Scene, home: Home) -> None:
    activity_id = home.session.activity.activity_id
    came, left = home.scan("wei", "9:00"), home.scan("wei", "11:30")
    home.confirm(came, 3)  # Coming is not rated.
    home.confirm(left, 3)
    home.confirm(left, 1)  # Only the first counts.
    assert scene.look(helped.ratings_of, activity_id) == {}
    for who in ("qiang", "bo", "yong"):
        home.scan(who, "9:00")
        home.confirm(home.scan(who, "11:30"), 2)
    assert scene.look(helped.ratings_of, activity_id) == {}
    columns = {column.name for column in helped.ratings.c}
    assert columns == {"activity_id", "month", "rating", "times"}
    scene.do(lambda db: db.execute(sa.update(helped.ratings).values(times=helped.ratings.c.times + 1)))
    assert scene.look(helped.ratings_of, activity_id) == {3: 2, 2: 4}


def test_no_address_is_kept_and_no_public_page_tells_who_is_helped(web: Flask, scene: Scene, home: Home) -> None:
    activity = scene.look(queries.get_activity, home.session.activity.activity_id)
    assert activity.place == "上门服务"
    client = web.test_client()
    with clock.at(time_of("9:00")):
        for path in ("/activities", f"/activities/{activity.activity_id}"):
            page = client.get(path).text
            assert "助老服务" in page
            assert not any(word in page for word in ("欧阳兰", "欧阳*", "和平里"))
    home.scan("wei", "9:00")
    home.scan("wei", "11:30")
    scene.sign(home.session, "wei")
    wei = scene.people["wei"]
    phone = phone_of(web, scene, "wei")
    with clock.at(END):
        assert "欧阳" not in phone.get("/me/passbook").text
    assert wei.name


def test_the_page_shows_the_code_who_waits_and_takes_the_word_with_one_tap(
    web: Flask, scene: Scene, home: Home
) -> None:
    client, path = web.test_client(), f"/h/{home.secret}"
    home.scan("wei", "9:00")
    with clock.at(time_of("9:01")):
        page = client.get(path)
        assert "<svg" in page.text
        assert "陈* 09:00 到了" in page.text
        [visit] = scene.look(helped.list_visits, home.lan)
        done = client.post(f"{path}/confirm", data={"checkin_id": visit.scan.checkin_id}, follow_redirects=True)
        assert "已确认：陈* 09:00" in done.text
        assert client.post(f"{path}/confirm", data={"checkin_id": "9999"}).status_code == 404
        assert client.get("/h/guessed").status_code == 404
    with clock.at(END + helped.PAGE_LIVES):
        assert client.get(path).status_code == 404


def test_staff_names_who_is_helped_and_sees_the_address_once(web: Flask, scene: Scene, home: Home) -> None:
    client, login = web.test_client(), scene.do(make_login, "staff", scene.branches["NS-01"])
    path = f"/staff/sessions/{home.session.session_id}/helped"
    with clock.at(time_of("8:00")):
        sign_in(client, login)
        assert client.post(path, data={}).status_code == 422
        shown = client.post(path, data={"label": "刘奶奶"}).text
        assert "/h/" in shown
        again = client.get(path).text
        assert "刘奶奶" in again
        assert "/h/" not in again
        card = client.get(f"{path}/{home.lan.helped_id}/card").text
        assert "欧阳" not in card
        renewed = client.post(f"{path}/{home.lan.helped_id}/renew").text
        assert "/h/" in renewed
    assert scene.look(helped.find_by_secret, home.secret) is None


def test_the_name_of_who_is_no_resident_goes_a_month_after_the_session(scene: Scene, home: Home) -> None:
    made, _ = scene.do(helped.add_helped, home.session.session_id, label="刘奶奶")
    with clock.at(END + helped.LABEL_LIVES):
        assert jobs.forget_helped(scene.database) == 0
    with clock.at(END + helped.LABEL_LIVES.__mul__(2)):
        assert jobs.forget_helped(scene.database) == 1
    assert scene.look(helped.find_helped, made.helped_id) == replace(made, label="")
