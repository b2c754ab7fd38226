"""The login page: phone, card or name, and the several people behind one phone.

The Zhangs share a phone: grandmother Zhang Guiying with a card, her daughter Zhang Min, and Zhang Ming, who chose
his mother's PIN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from moralbank import clock
from moralbank.access import service as access
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.residents import queries, service
from moralbank.residents.enrolment import Person
from moralbank.residents.values import Status
from tests._people import PASSWORD, form, make_branch_tree, make_login
from tests._worlds import world

PHONE = "13812345678"
PIN, SHARED = "258369", "471208"


@dataclass(frozen=True)
class Zhangs:
    guiying: int
    min: int
    ming: int
    card: str


def make_zhangs(db: Connection, branch: Branch) -> Zhangs:
    made = []
    for name, pin in (("张桂英", PIN), ("张敏", SHARED), ("张明", SHARED)):
        person = Person(branch_id=branch.branch_id, name=name, phone=PHONE)
        resident = service.enrol(db, person, actor="staff:1")
        access.open_resident_login(db, resident.resident_id, branch.branch_id, by=None, secret=pin, must_change=False)
        made.append(resident.resident_id)
    card = queries.find_card(db, made[0])
    assert card is not None
    return Zhangs(*made, card.number)


@world
def tree(database: Database) -> dict[str, Branch]:
    return database.transact(make_branch_tree)


@pytest.fixture
def zhangs(database: Database, tree: dict[str, Branch]) -> Zhangs:
    return database.transact(make_zhangs, tree["NS-01"])


def enter(client: FlaskClient, identifier: str, secret: str, next_path: str = "/sessions") -> TestResponse:
    return form(client, "/login", {"identifier": identifier, "secret": secret, "next": next_path})


def resident_of(client: FlaskClient, database: Database) -> int | None:
    from moralbank.access.queries import find_signed_in

    with client.session_transaction() as cookie:
        token = cookie.get("_user_id", "")
    with database.reading() as db:
        known = find_signed_in(db, token)
    return known.principal.resident_id if known else None


@pytest.mark.parametrize("typed", [PHONE, "138 1234 5678", "１３８１２３４５６７８", f" {PHONE} ", "张桂英"])
def test_a_phone_is_read_however_it_was_typed_and_a_name_does_too(client, database, zhangs, typed: str) -> None:
    answer = enter(client, typed, PIN)
    assert (answer.status_code, answer.location) == (303, "/sessions")
    assert resident_of(client, database) == zhangs.guiying


def test_a_card_leads_to_its_holder_and_a_revoked_one_to_nobody(client, app, database, zhangs) -> None:
    in_fours = " ".join(re.findall("....", zhangs.card))
    assert enter(client, in_fours, PIN).status_code == 303
    assert resident_of(client, database) == zhangs.guiying
    database.transact(service.revoke_card, zhangs.guiying, "丢失", actor="staff:1")
    assert enter(app.test_client(), zhangs.card, PIN).status_code == 401


def test_two_of_a_household_with_one_pin_are_asked_which_of_them_comes(client, database, zhangs) -> None:
    answer = enter(client, PHONE, SHARED)
    assert answer.location == "/login/choose"
    page = client.get("/login/choose").text
    assert "张*" in page
    assert "张敏" not in page
    assert "张明" not in page
    assert page.count('name="login_id"') == 2
    ming = _login_of(database, zhangs.ming)
    answer = form(client, "/login/choose", {"login_id": ming})
    assert answer.location == "/sessions"
    assert resident_of(client, database) == zhangs.ming


def test_nobody_is_chosen_who_did_not_prove_it(client, database, zhangs) -> None:
    enter(client, PHONE, SHARED)
    guiying = _login_of(database, zhangs.guiying)
    for login_id in (guiying, "x", "", 999999):
        assert form(client, "/login/choose", {"login_id": login_id}).location == "/login"
    assert resident_of(client, database) is None


def test_the_choice_is_open_for_five_minutes(client, database, zhangs) -> None:
    enter(client, PHONE, SHARED)
    ming = _login_of(database, zhangs.ming)
    with clock.at(clock.now() + timedelta(minutes=6)):
        assert client.get("/login/choose").location == "/login"
        assert form(client, "/login/choose", {"login_id": ming}).location == "/login"


def test_the_answer_never_says_which_part_was_wrong(client, database, zhangs, tree) -> None:
    staff = database.transact(make_login, "staff", tree["NS-01"], name="wangfang")
    database.transact(access.suspend_login, staff.login_id, by=_root(database))
    tries = [(PHONE, "000001"), ("13900000000", PIN), ("nobody", PASSWORD), ("wangfang", PASSWORD), ("", "")]
    answers = [enter(client, identifier, secret) for identifier, secret in tries]
    assert {answer.status_code for answer in answers} == {401}
    alerts = {re.search(r'role="alert">(.*?)</div></div>', answer.text, re.S)[1] for answer in answers}
    assert len(alerts) == 1


def test_the_fifth_wrong_pin_locks_the_phone_even_for_the_right_one(client, app, database, zhangs) -> None:
    for _ in range(5):
        assert enter(client, PHONE, "000001").status_code == 401
    answer = enter(app.test_client(), PHONE, PIN)
    assert answer.status_code == 429
    assert "15 分钟后再试" in answer.text
    with clock.at(clock.now() + timedelta(minutes=15, seconds=1)):
        assert enter(client, PHONE, PIN).status_code == 303


def test_an_unknown_phone_locks_like_a_known_one(client, database, tree) -> None:
    statuses = [enter(client, "13900000000", "000001").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


@pytest.mark.parametrize(
    "target", ["//evil.example/x", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_a_login_leads_nowhere_else(client, zhangs, target: str) -> None:
    assert enter(client, PHONE, PIN, target).location == "/"


def test_who_left_comes_in_no_more(client, database, zhangs) -> None:
    database.transact(service.set_status, zhangs.guiying, Status.LEFT, "搬走了", actor="staff:1")
    assert enter(client, PHONE, PIN).status_code == 401


def test_one_who_is_signed_in_is_not_asked_again_and_goes_out_by_a_form(client, zhangs) -> None:
    enter(client, PHONE, PIN)
    assert client.get("/login?next=/sessions").location == "/sessions"
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").status_code == 400
    assert form(client, "/logout").location == "/login"
    assert client.get("/sessions").status_code == 303


def test_a_copied_cookie_is_worth_nothing_after_signing_out(client, app, zhangs) -> None:
    enter(client, PHONE, PIN)
    with client.session_transaction() as cookie:
        copied = dict(cookie)
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie.update(copied)
    assert thief.get("/sessions").status_code == 200
    form(client, "/logout")
    assert thief.get("/sessions").status_code == 303


@pytest.mark.parametrize("typed", ["x" * 5000, "٣٤٥", "%", "1" * 24])
def test_whatever_is_typed_is_an_ordinary_no(client, zhangs, typed: str) -> None:
    assert enter(client, typed, typed).status_code == 401


def _login_of(database: Database, resident_id: int) -> int:
    from moralbank.access.queries import find_resident_login

    with database.reading() as db:
        login = find_resident_login(db, resident_id)
    assert login is not None
    return login.login_id


def _root(database: Database):
    return database.transact(make_login, "admin", None).principal
