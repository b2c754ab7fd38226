"""The record of deeds: written with the act, kept as it is, read by those it is about and by those who watch."""

from __future__ import annotations

import hmac
import json
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from moralbank import clock
from moralbank.access import deed_queries, deeds, service
from moralbank.access.deed_queries import DeedFilter, DeedLine
from moralbank.access.deeds import Deed, Kind, Reason
from moralbank.access.models import access_deed_notes, access_deeds
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from moralbank.transparency import Log, facts, leaf_hash
from tests._people import PASSWORD, MadeLogin, bearer, form, give_reason, make_login, sign_in

EVERY = DeedFilter()


@pytest.fixture
def zhang(database: Database, tree: dict[str, Branch]) -> Resident:
    """Zhang Guiying, who saves at Nanshan station."""
    person = Person(name="张桂英", branch_id=tree["NS-01"].branch_id, phone="13800000001")
    return database.transact(residents.enrol, person, actor="staff:1")


@pytest.fixture
def wang(database: Database, tree: dict[str, Branch]) -> MadeLogin:
    """Wang Fang, who works at Nanshan station."""
    return database.transact(make_login, "staff", tree["NS-01"], name="wang-fang")


@pytest.fixture
def staff(app: Flask, wang: MadeLogin) -> FlaskClient:
    client = app.test_client()
    sign_in(client, wang)
    return client


def read(database: Database, book_id: int, which: DeedFilter = EVERY) -> list[DeedLine]:
    with database.reading() as db:
        return deed_queries.list_deeds(db, book_id, which)


def leaves(database: Database, book_id: int) -> list[bytes]:
    with database.reading() as db:
        return [leaf for _no, leaf in facts.list_leaves(db, book_id, Log.ACCESS, 1, 1000)]


def looks(database: Database, resident: Resident) -> list[DeedLine]:
    with database.reading() as db:
        return deed_queries.list_lookers(db, resident.resident_id)


def test_nobody_sees_a_person_before_the_reason_is_written_down(
    staff: FlaskClient, database: Database, zhang: Resident
) -> None:
    path = f"/staff/residents/{zhang.resident_id}"
    answer = staff.get(path)
    assert answer.status_code == 303
    asked = staff.get(answer.location).text
    assert "张桂英" not in asked
    assert "13800000001" not in asked
    assert "张*英" in asked
    assert looks(database, zhang) == []

    answer = form(staff, answer.location, {"reason": "answer", "next": path})
    assert (answer.status_code, answer.location) == (303, path)
    assert "13800000001" in staff.get(path).text
    [look] = looks(database, zhang)
    assert (look.kind, look.reason, look.branch_id) == (Kind.VIEW, Reason.ANSWER, zhang.branch_id)


def test_a_reason_holds_a_quarter_of_an_hour_for_that_person_only(
    staff: FlaskClient, database: Database, zhang: Resident
) -> None:
    person = Person(name="李建国", branch_id=zhang.branch_id, phone="13800000002")
    li = database.transact(residents.enrol, person, actor="staff:1")
    give_reason(staff, zhang.resident_id)
    for _ in range(3):
        assert staff.get(f"/staff/residents/{zhang.resident_id}/edit").status_code == 200
    assert len(looks(database, zhang)) == 1, "one sitting is one look"
    assert staff.get(f"/staff/residents/{li.resident_id}").status_code == 303
    with clock.at(clock.now() + timedelta(minutes=16)):
        assert staff.get(f"/staff/residents/{zhang.resident_id}").status_code == 303


def test_a_reason_kept_for_the_sitting_asks_no_more_and_notes_each_person(
    staff: FlaskClient, database: Database, zhang: Resident
) -> None:
    person = Person(name="李建国", branch_id=zhang.branch_id, phone="13800000002")
    li = database.transact(residents.enrol, person, actor="staff:1")
    form(staff, f"/staff/residents/{zhang.resident_id}/reason", {"reason": "desk", "sitting": "1"})
    assert staff.get(f"/staff/residents/{li.resident_id}").status_code == 200
    [look] = looks(database, li)
    assert look.reason is Reason.DESK


def test_an_act_at_the_desk_needs_no_reason_and_is_noted_as_one(
    staff: FlaskClient, database: Database, zhang: Resident
) -> None:
    path = f"/staff/residents/{zhang.resident_id}"
    answer = form(staff, f"{path}/consents", {"kind": "photo", "given": "1"})
    assert staff.get(answer.location).status_code == 200
    [look] = looks(database, zhang)
    assert look.reason is Reason.ACT


@pytest.mark.parametrize(
    "given", [{}, {"reason": "curiosity"}, {"reason": "session"}, {"reason": "other", "note": " "}]
)
def test_a_reason_that_is_none_opens_nothing(
    staff: FlaskClient, database: Database, zhang: Resident, given: dict[str, str]
) -> None:
    answer = form(staff, f"/staff/residents/{zhang.resident_id}/reason", given)
    assert answer.status_code == 422
    assert "请选一个事由" in answer.text
    assert looks(database, zhang) == []


def test_what_is_written_as_a_reason_stands_apart_and_can_be_forgotten(
    staff: FlaskClient, database: Database, zhang: Resident
) -> None:
    form(staff, f"/staff/residents/{zhang.resident_id}/reason", {"reason": "other", "note": "女儿来问张桂英的账"})
    [look] = looks(database, zhang)
    assert look.note == "女儿来问张桂英的账"
    with database.reading() as db:
        [note] = db.execute(sa.select(access_deed_notes)).all()
    [leaf] = [leaf for leaf in leaves(database, zhang.book_id) if leaf_hash(leaf).hex() == look.leaf_hash]
    stated = json.loads(leaf)
    assert stated.pop("m") == hmac.digest(bytes(note.salt), note.note.encode(), "sha256").hex()
    own = {name: stated.pop(name) for name in ("v", "book", "log", "at", "no")}
    assert own["log"] == Log.ACCESS
    assert stated == {"k": "view", "by": look.actor, "br": zhang.branch_id, "a": zhang.account_id, "why": "other"}

    assert database.transact(deeds.forget_notes, zhang.resident_id) == 1
    [look] = looks(database, zhang)
    assert (look.note, look.reason) == ("", Reason.OTHER)
    assert leaf in leaves(database, zhang.book_id)


def test_a_list_is_one_deed_with_its_count_and_no_word_that_was_typed(
    staff: FlaskClient, database: Database, zhang: Resident
) -> None:
    assert staff.get("/staff/residents?q=张桂英&status=active").status_code == 200
    [deed] = read(database, zhang.book_id, DeedFilter(kind=Kind.LIST))
    assert (deed.people, deed.about, deed.resident_id) == (1, "residents:search:active", None)


def test_staff_are_noted_when_they_come_in_and_when_they_are_refused(
    app: Flask, database: Database, wang: MadeLogin, zhang: Resident
) -> None:
    client = app.test_client()
    assert form(client, "/login", {"identifier": "wang-fang", "secret": "wrong horse"}).status_code == 401
    assert form(client, "/login", {"identifier": "nobody", "secret": "wrong horse"}).status_code == 401
    assert form(client, "/login", {"identifier": "wang-fang", "secret": PASSWORD}).status_code == 303
    found = [(deed.kind, deed.actor) for deed in read(database, zhang.book_id, DeedFilter(login_id=wang.login_id))]
    assert found == [(Kind.LOGIN, f"staff:{wang.login_id}"), (Kind.REFUSED, f"staff:{wang.login_id}")]


def test_a_resident_who_comes_in_is_nobodys_deed(app: Flask, database: Database, zhang: Resident) -> None:
    before = len(read(database, zhang.book_id))
    sign_in(app.test_client(), database.transact(make_login, "resident", zhang.branch_id, None, zhang.resident_id))
    assert len(read(database, zhang.book_id)) == before


def test_roles_and_secrets_are_noted_in_the_transaction_that_changes_them(
    database: Database, tree: dict[str, Branch], wang: MadeLogin, zhang: Resident
) -> None:
    admin = database.transact(make_login, "admin", tree["NS-00"])
    database.transact(service.reset_secret, wang.login_id, by=admin.principal)
    [deed] = read(database, zhang.book_id, DeedFilter(kind=Kind.SECRET))
    assert (deed.actor, deed.about) == (f"admin:{admin.login_id}", f"login:{wang.login_id}")

    def undone(db: sa.Connection) -> None:
        service.reset_secret(db, wang.login_id, by=admin.principal)
        raise RuntimeError("the power fails before the commit")

    with pytest.raises(RuntimeError):
        database.transact(undone)
    assert len(read(database, zhang.book_id, DeedFilter(kind=Kind.SECRET))) == 1


def test_a_deed_of_the_whole_bank_belongs_to_the_first_book(database: Database, tree: dict[str, Branch]) -> None:
    first = tree["NS-00"].book_id
    assert first is not None
    database.transact(deeds.record, Deed("admin:7", Kind.SETTING, about="rules"))
    database.transact(deeds.record, Deed("admin:7", Kind.SETTING, tree["DZ"].branch_id, about="branch:1"))
    assert [deed.about for deed in read(database, first, DeedFilter(login_id=7))] == ["branch:1", "rules"]


def test_a_deed_before_there_is_a_book_is_kept_without_a_leaf(database: Database) -> None:
    database.transact(deeds.record, Deed("system", Kind.ROLE, about="login:1"))
    with database.reading() as db:
        [row] = db.execute(sa.select(access_deeds)).all()
    assert (row.book_id, row.leaf_hash, row.login_id) == (None, None, None)


@pytest.mark.parametrize("statement", ["UPDATE access_deeds SET reason = 'act'", "DELETE FROM access_deeds"])
def test_the_database_refuses_to_change_a_deed(database: Database, zhang: Resident, statement: str) -> None:
    database.transact(deeds.record, Deed("staff:9", Kind.VIEW, zhang.branch_id))
    with pytest.raises(sa.exc.DBAPIError):
        database.transact(lambda db: db.execute(sa.text(statement)))


def test_a_resident_reads_who_looked_and_staff_do_not(
    app: Flask, staff: FlaskClient, database: Database, zhang: Resident
) -> None:
    give_reason(staff, zhang.resident_id, "correct")
    own = app.test_client()
    sign_in(own, database.transact(make_login, "resident", zhang.branch_id, None, zhang.resident_id))
    page = own.get("/me/profile/lookers").text
    assert "wang-fang" in page
    assert "核对、更正资料" in page
    assert "南山驿站" in page
    assert "/me/profile/lookers" in own.get("/me/profile").text
    assert staff.get("/me/profile/lookers").status_code == 403


def test_an_auditor_filters_the_deeds_page_by_page(
    app: Flask, staff: FlaskClient, database: Database, tree: dict[str, Branch], zhang: Resident
) -> None:
    give_reason(staff, zhang.resident_id)
    for number in range(120):
        database.transact(deeds.record, Deed("staff:77", Kind.SETTING, zhang.branch_id, about=f"offer:{number}"))
    auditor = app.test_client()
    sign_in(auditor, database.transact(make_login, "auditor", tree["NS-00"]))
    page = auditor.get("/audit/deeds?login=77").text
    assert "共 120 条" in page
    seen = re.findall(r"兑换项目 (\d+)", page)
    while following := re.search(r'rel="next" href="([^"]+)"', page):
        page = auditor.get(following[1].replace("&amp;", "&")).text
        seen += re.findall(r"兑换项目 (\d+)", page)
    assert [int(number) for number in seen] == list(range(119, -1, -1))
    looked = auditor.get(f"/audit/deeds?kind=view&holder={zhang.number}").text
    assert "张*英" in looked
    assert "张桂英" not in looked
    assert auditor.get("/audit/deeds?kind=gossip").status_code == 422
    assert auditor.get("/audit/deeds?holder=99999999").status_code == 422
    assert staff.get("/audit/deeds").status_code == 403


def test_an_auditor_of_a_station_reads_the_deeds_of_that_station(
    app: Flask, database: Database, tree: dict[str, Branch]
) -> None:
    for code in ("NS-01", "NS-02", "XX-01"):
        database.transact(deeds.record, Deed("staff:77", Kind.SETTING, tree[code].branch_id, about=f"branch:{code}"))
    auditor = app.test_client()
    sign_in(auditor, database.transact(make_login, "auditor", tree["NS-02"]))
    page = auditor.get("/audit/deeds?login=77").text
    assert "NS-02" in page
    assert "NS-01" not in page
    assert auditor.get("/audit/deeds?book=XX-00").status_code == 404


def test_the_api_gives_auditors_the_deeds_and_notes_what_programs_read(
    app: Flask, database: Database, tree: dict[str, Branch], wang: MadeLogin, zhang: Resident
) -> None:
    client = app.test_client()
    headers = database.transact(bearer, wang, "residents:read")
    assert client.get(f"/api/v1/residents/{zhang.resident_id}", headers=headers).status_code == 200
    assert client.get("/api/v1/residents", headers=headers).status_code == 200
    auditor = database.transact(make_login, "auditor", tree["NS-00"])
    watching = database.transact(bearer, auditor, "audit:read")
    found = client.get(f"/api/v1/deeds?book=NS-00&login={wang.login_id}&limit=1", headers=watching).json
    [deed] = found["items"]
    assert (deed["kind"], deed["people"], deed["actor"]) == ("list", 1, f"staff:{wang.login_id}")
    [deed] = client.get(found["next"], headers=watching).json["items"]
    assert (deed["kind"], deed["reason"], deed["resident_id"]) == ("view", "program", zhang.resident_id)
    assert client.get("/api/v1/deeds?book=XX-00", headers=watching).status_code == 404
    assert client.get("/api/v1/deeds?book=NS-00", headers=headers).status_code == 403
