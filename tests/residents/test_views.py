"""Staff's pages of residents and rosters, and a resident's own page, as a browser without JavaScript uses them."""

from __future__ import annotations

import io
import re
import time
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from moralbank import clock
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.residents import import_queries, importing, queries, service
from moralbank.residents.enrolment import Person
from moralbank.residents.import_queries import State
from moralbank.residents.queries import Resident
from moralbank.residents.values import Consent
from tests._people import form, give_reason, make_login, sign_in
from tests.residents.conftest import STAFF

ROSTER = """道德银行登记表
姓名,手机号,所属驿站,期初积分
张桂英,13800000001,南山驿站,25
李建国,13800000002,育苗驿站,
,13800000003,南山驿站,5
赵六,12,南山驿站,5
"""


@pytest.fixture
def staff(app: Flask, database: Database, street: dict[str, Branch]) -> FlaskClient:
    """Wang Fang, who works at Nanshan station."""
    return signed_in(app, database, "staff", street["NS-01"])


@pytest.fixture
def hub_staff(app: Flask, database: Database, street: dict[str, Branch]) -> FlaskClient:
    """Chen Jie, who works at the hub and so for all its stations."""
    return signed_in(app, database, "staff", street["NS-00"])


@pytest.fixture
def zhang(database: Database, street: dict[str, Branch]) -> Resident:
    """Zhang Guiying, who saves at Nanshan station."""
    person = Person(name="张桂英", branch_id=street["NS-01"].branch_id, phone="13800000001", household_code="H1")
    return database.transact(service.enrol, person, actor=STAFF)


@pytest.fixture
def stranger(database: Database, street: dict[str, Branch]) -> Resident:
    """Sun Li, of the same household, who saves at another station."""
    person = Person(name="孙丽", branch_id=street["NS-02"].branch_id, phone="13800000009", household_code="H1")
    return database.transact(service.enrol, person, actor=STAFF)


def signed_in(app: Flask, database: Database, role: str, branch: Branch) -> FlaskClient:
    client = app.test_client()
    sign_in(client, database.transact(make_login, role, branch))
    return client


def test_the_list_shows_only_people_of_ones_branches(staff: FlaskClient, zhang: Resident, stranger: Resident) -> None:
    page = staff.get("/staff/residents").text
    assert "张桂英" in page
    assert "138****0001" in page
    assert "13800000001" not in page
    assert "孙丽" not in page
    assert "孙丽" not in staff.get("/staff/residents?q=0009").text
    assert staff.get(f"/staff/residents?branch={stranger.branch_id}").status_code == 403


def test_the_list_goes_on_where_its_page_ends(
    staff: FlaskClient, database: Database, street: dict[str, Branch]
) -> None:
    for place in range(60):
        person = Person(name="王" + chr(0x4E00 + place), branch_id=street["NS-01"].branch_id)
        database.transact(service.enrol, person, actor=STAFF)
    first = staff.get("/staff/residents").text
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    names = re.findall(r">(王.)</a>", first + staff.get(following.replace("&amp;", "&")).text)
    assert len(names) == len(set(names)) == 60
    assert "共 60 人" in first


def test_somebody_is_enrolled_through_the_form(
    staff: FlaskClient, database: Database, street: dict[str, Branch]
) -> None:
    given = {
        "name": "阿卜杜拉•买买提",
        "phone": "138-0000-0005",
        "branch_id": street["NS-01"].branch_id,
        "born_on": "1980-02-29",
        "sex": "male",
        "household_code": "H9",
        "party_member": "1",
        "consents": ["record", "photo"],
    }
    answer = form(staff, "/staff/residents/new", given)
    assert answer.status_code == 303
    page = staff.get(answer.location).text
    assert "阿卜杜拉·买买提" in page
    with database.reading() as db:
        (resident,) = queries.list_residents(db, [street["NS-01"].branch_id])
        agreed = {line.kind for line in queries.list_consents(db, resident.resident_id)}
    assert (resident.phone, resident.party_member, resident.household_code) == ("13800000005", True, "H9")
    assert agreed == {Consent.RECORD, Consent.PHOTO}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "请填写这一项"),
        ({"name": "=cmd"}, "不能以 =、+、- 或 @ 开头"),
        ({"name": "张3"}, "不像姓名"),
        ({"name": "张" * 51}, "50 个字"),
        ({"phone": "12345"}, "手机号要 11 位数字"),
        ({"born_on": "2999-01-01"}, "不能晚于今天"),
        ({"born_on": f"{clock.today() - timedelta(days=4000)}"}, "要由监护人同意"),
    ],
)
def test_a_refused_form_keeps_what_was_typed_and_says_what_to_mend(
    staff: FlaskClient, street: dict[str, Branch], changes: dict[str, str], words: str
) -> None:
    given = {"name": "张三", "phone": "13800000005", "branch_id": street["NS-01"].branch_id, "grid": "05-06"}
    answer = form(staff, "/staff/residents/new", given | changes)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="05-06"' in answer.text


def test_somebody_enrolled_twice_is_named_by_number(
    staff: FlaskClient, street: dict[str, Branch], zhang: Resident
) -> None:
    given = {"name": "张桂英", "phone": "13800000001", "branch_id": street["NS-01"].branch_id}
    answer = form(staff, "/staff/residents/new", given)
    assert answer.status_code == 409
    assert zhang.number in answer.text


def test_nobody_is_enrolled_at_or_moved_to_a_strange_branch(
    staff: FlaskClient, street: dict[str, Branch], zhang: Resident
) -> None:
    given = {"name": "张三", "branch_id": street["NS-02"].branch_id}
    assert form(staff, "/staff/residents/new", given).status_code == 403
    assert form(staff, f"/staff/residents/{zhang.resident_id}/edit", given).status_code == 403


def test_the_detail_page_shows_no_member_of_the_household_beyond_ones_branches(
    staff: FlaskClient, hub_staff: FlaskClient, zhang: Resident, stranger: Resident
) -> None:
    path = f"/staff/residents/{zhang.resident_id}"
    for reader in (staff, hub_staff):
        give_reason(reader, zhang.resident_id)
    assert "13800000001" in staff.get(path).text
    assert "孙丽" not in staff.get(path).text
    assert "孙丽" in hub_staff.get(path).text
    assert staff.get(f"/staff/residents/{stranger.resident_id}").status_code == 403


def test_a_correction_shows_on_the_page_with_who_made_it(staff: FlaskClient, zhang: Resident) -> None:
    path = f"/staff/residents/{zhang.resident_id}"
    given = {"name": "张桂瑛", "branch_id": zhang.branch_id, "phone": ""}
    assert form(staff, f"{path}/edit", given).status_code == 303
    page = staff.get(path).text
    assert "张桂瑛" in page
    assert "没有手机" in page
    assert "更正资料" in page
    assert "staff-" in page, "the name of the login, not its number"


def test_cards_are_revoked_replaced_and_printed(staff: FlaskClient, database: Database, zhang: Resident) -> None:
    path = f"/staff/residents/{zhang.resident_id}"
    assert "请写下原因" in follow(staff, form(staff, f"{path}/card/reissue", {"reason": ""}))
    assert "旧卡已失效" in follow(staff, form(staff, f"{path}/card/reissue", {"reason": "卡丢了"}))
    with database.reading() as db:
        card = queries.find_card(db, zhang.resident_id)
    assert card is not None
    sheet = staff.get(f"/staff/residents/cards?id={zhang.resident_id}").text
    assert " ".join(re.findall("....", card.number)) in sheet
    assert f"{zhang.number[:4]} {zhang.number[4:]}" in sheet
    assert "卡已挂失" in follow(staff, form(staff, f"{path}/card/revoke", {"reason": "又丢了"}))
    assert "没有在用的卡" in staff.get(f"/staff/residents/cards?id={zhang.resident_id}").text
    assert "新卡已发" in follow(staff, form(staff, f"{path}/card"))


def test_no_card_of_a_strange_branch_is_printed(staff: FlaskClient, zhang: Resident, stranger: Resident) -> None:
    path = f"/staff/residents/cards?id={zhang.resident_id}&id={stranger.resident_id}"
    assert staff.get(path).status_code == 403


def test_a_pin_is_shown_once_and_lets_the_resident_in(app: Flask, staff: FlaskClient, zhang: Resident) -> None:
    page = form(staff, f"/staff/residents/{zhang.resident_id}/pin")
    (pin,) = re.findall(r">(\d{6})<", page.text)
    resident = app.test_client()
    answer = form(resident, "/login", {"identifier": "13800000001", "secret": pin})
    assert answer.status_code == 303
    assert "/me/profile" not in answer.location
    assert resident.get("/me/profile").status_code == 303, "the PIN is changed first"


def test_status_household_and_consents_are_set_at_the_desk(staff: FlaskClient, zhang: Resident) -> None:
    path = f"/staff/residents/{zhang.resident_id}"
    assert "暂停" in follow(staff, form(staff, f"{path}/status", {"status": "suspended", "reason": "住院"}))
    assert "现在的状态：正常" in follow(staff, form(staff, f"{path}/status", {"status": "active", "reason": "出院"}))
    assert "已归入户号 H7" in follow(staff, form(staff, f"{path}/household", {"household_code": "H7"}))
    assert "已不属于任何一户" in follow(staff, form(staff, f"{path}/household", {"household_code": ""}))
    assert "已记下同意：公示" in follow(staff, form(staff, f"{path}/consents", {"kind": "notice", "given": "1"}))
    assert "已撤回：公示" in follow(staff, form(staff, f"{path}/consents", {"kind": "notice", "given": "0"}))


def test_an_auditor_sees_and_changes_nothing(
    app: Flask, database: Database, street: dict[str, Branch], zhang: Resident
) -> None:
    auditor = signed_in(app, database, "auditor", street["NS-00"])
    path = f"/staff/residents/{zhang.resident_id}"
    assert "张桂英" in auditor.get("/staff/residents").text
    give_reason(auditor, zhang.resident_id, "audit")
    page = auditor.get(path).text
    assert "张桂英" in page
    assert "挂失" not in page
    assert "/edit" not in page
    assert form(auditor, f"{path}/status", {"status": "left", "reason": "x"}).status_code == 403


def test_a_resident_sees_and_changes_only_their_own(app: Flask, database: Database, zhang: Resident) -> None:
    resident = app.test_client()
    branch_and_resident = (zhang.branch_id, None, zhang.resident_id)
    sign_in(resident, database.transact(make_login, "resident", *branch_and_resident))
    page = resident.get("/me/profile").text
    assert "张桂英" in page
    assert "13800000001" in page
    assert form(resident, "/me/profile/consents", {"kind": "photo", "given": "1"}).status_code == 303
    with database.reading() as db:
        assert queries.consenting(db, Consent.PHOTO, [zhang.resident_id]) == {zhang.resident_id}
        (line,) = queries.list_consents(db, zhang.resident_id)
    assert line.given_by.startswith("resident:")
    assert resident.get("/staff/residents").status_code == 403


def test_a_roster_is_previewed_confirmed_and_enrolled(
    hub_staff: FlaskClient, database: Database, street: dict[str, Branch]
) -> None:
    path = upload(hub_staff, street["NS-00"])
    preview = hub_staff.get(path).text
    assert "确认登记 2 人" in preview
    assert "期初积分 25 分" in preview
    assert "“手机号”不是 11 位手机号" in preview
    with database.reading() as db:
        assert queries.count_residents(db, [branch.branch_id for branch in street.values()]) == 0

    assert form(hub_staff, f"{path}/confirm").status_code == 303
    assert "已登记 2 人" in settled(hub_staff, database, path)
    assert "张桂英" in hub_staff.get("/staff/residents").text
    assert "没有要新登记的人" in hub_staff.get(upload(hub_staff, street["NS-00"])).text
    refused = hub_staff.get(f"{path}/refused")
    assert len(refused.data.decode("utf-8-sig").splitlines()) == 3
    assert "attachment" in refused.headers["Content-Disposition"]
    assert 'class="resident-card"' in hub_staff.get("/staff/residents/cards?roster=1").text


def test_a_preview_can_be_given_up(hub_staff: FlaskClient, street: dict[str, Branch]) -> None:
    path = upload(hub_staff, street["NS-00"])
    assert "已放弃" in follow(hub_staff, form(hub_staff, f"{path}/drop"))
    assert form(hub_staff, f"{path}/confirm").status_code == 409


def test_a_stopped_import_says_why_and_goes_on(
    hub_staff: FlaskClient, database: Database, street: dict[str, Branch]
) -> None:
    path = upload(hub_staff, street["NS-00"])
    import_id = int(path.rpartition("/")[2])
    database.transact(importing.confirm_import, import_id, actor=STAFF)
    database.transact(importing.stop_import, import_id, "day-closed")
    assert "从停下的地方继续" in hub_staff.get(path).text
    assert form(hub_staff, f"{path}/continue").status_code == 303
    assert "已登记 2 人" in settled(hub_staff, database, path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("", b"", "请选择名单文件"),
        ("list.pdf", b"%PDF-1.7", "请导入 .xlsx 或 .csv 文件"),
        ("list.csv", "一,二\n三,四".encode(), "没有找到表头"),
    ],
)
def test_a_file_that_is_no_roster_is_refused_in_words(
    hub_staff: FlaskClient, street: dict[str, Branch], name: str, content: bytes, words: str
) -> None:
    fields = {"branch_id": str(street["NS-00"].branch_id), "file": (io.BytesIO(content), name)}
    answer = form(hub_staff, "/staff/roster", fields)
    assert answer.status_code == 422
    assert words in answer.text


def test_a_station_reaches_no_roster_of_the_hub(
    hub_staff: FlaskClient, staff: FlaskClient, street: dict[str, Branch]
) -> None:
    path = upload(hub_staff, street["NS-00"])
    assert staff.get(path).status_code == 403
    assert form(staff, f"{path}/confirm").status_code == 403
    fields = {"branch_id": str(street["NS-00"].branch_id), "file": (io.BytesIO(b"x"), "list.csv")}
    assert form(staff, "/staff/roster", fields).status_code == 403
    assert "residents.csv" not in staff.get("/staff/roster").text


@pytest.mark.parametrize("path", ["?before=%s", "?branch=%s", "/cards?id=%s", "/cards?roster=%s&after=%s"])
def test_an_id_that_no_row_can_have_is_as_none(staff: FlaskClient, path: str) -> None:
    answer = staff.get("/staff/residents" + path.replace("%s", "9" * 20))
    assert answer.status_code == 200


def upload(client: FlaskClient, branch: Branch) -> str:
    fields = {"branch_id": str(branch.branch_id), "file": (io.BytesIO(ROSTER.encode()), "residents.csv")}
    answer = form(client, "/staff/roster", fields)
    assert answer.status_code == 303, answer.text
    return answer.location


def settled(client: FlaskClient, database: Database, path: str) -> str:
    """Wait for the import that goes on beside the request, and return its page."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with database.reading() as db:
            if import_queries.get_import(db, int(path.rpartition("/")[2])).state is not State.RUNNING:
                return client.get(path).text
        time.sleep(0.05)
    raise AssertionError("the import went on for too long")


def follow(client: FlaskClient, answer: TestResponse) -> str:
    assert answer.status_code == 303
    return client.get(answer.location or "").text
