"""The API's operations on residents, cards, consents and rosters."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.residents import jobs, queries, service
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from tests._people import bearer, make_login
from tests.residents.conftest import STAFF

API = "/api/v1"


@pytest.fixture
def zhang(database: Database, street: dict[str, Branch]) -> Resident:
    person = Person(name="张桂英", branch_id=street["NS-01"].branch_id, phone="13800000001")
    return database.transact(service.enrol, person, actor=STAFF)


@pytest.fixture
def headers(database: Database, street: dict[str, Branch]) -> dict[str, str]:
    """A token of somebody who works at Nanshan station."""
    login = database.transact(make_login, "staff", street["NS-01"])
    return database.transact(bearer, login, "residents:read", "residents:write")


def keyed(headers: dict[str, str], key: str) -> dict[str, str]:
    return headers | {"Idempotency-Key": f"test-{key:0>8}"}


def test_residents_are_listed_within_the_tokens_branches(
    client: FlaskClient, database: Database, street: dict[str, Branch], headers: dict[str, str], zhang: Resident
) -> None:
    other = Person(name="孙丽", branch_id=street["NS-02"].branch_id)
    stranger = database.transact(service.enrol, other, actor=STAFF)
    body = client.get(f"{API}/residents", headers=headers).get_json()
    assert [one["number"] for one in body["items"]] == [zhang.number]
    assert body["next"] is None
    assert client.get(f"{API}/residents?search=孙", headers=headers).get_json()["items"] == []
    assert client.get(f"{API}/residents/{stranger.resident_id}", headers=headers).status_code == 403
    found = client.get(f"{API}/residents/{zhang.resident_id}", headers=headers).get_json()
    assert (found["name"], found["account_id"], found["status"]) == ("张桂英", zhang.account_id, "active")


def test_a_key_enrols_once_and_a_person_once(
    client: FlaskClient, database: Database, street: dict[str, Branch], headers: dict[str, str]
) -> None:
    given: dict[str, Any] = {"name": "李建国", "branch_id": street["NS-01"].branch_id, "consents": ["record"]}
    first = client.post(f"{API}/residents", json=given, headers=keyed(headers, "1"))
    again = client.post(f"{API}/residents", json=given, headers=keyed(headers, "1"))
    other = client.post(f"{API}/residents", json=given, headers=keyed(headers, "2"))
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.data == again.data
    assert other.get_json()["code"] == "resident-already-enrolled"
    with database.reading() as db:
        assert queries.count_residents(db, [street["NS-01"].branch_id]) == 1
    minor = given | {"name": "李小小", "born_on": "2020-01-01"}
    refused = client.post(f"{API}/residents", json=minor, headers=keyed(headers, "3"))
    assert refused.status_code == 422
    assert set(refused.get_json()["errors"]) == {"guardian_name", "guardian_relation"}


def test_details_status_and_consents_are_set(client: FlaskClient, headers: dict[str, str], zhang: Resident) -> None:
    path = f"{API}/residents/{zhang.resident_id}"
    given = {"name": "张桂瑛", "branch_id": zhang.branch_id, "phone": "13800000002"}
    corrected = client.put(path, json=given, headers=keyed(headers, "1"))
    assert (corrected.status_code, corrected.get_json()["name"]) == (200, "张桂瑛")
    consent = {"kind": "notice", "given": True}
    assert client.post(f"{path}/consents", json=consent, headers=keyed(headers, "2")).status_code == 204
    (line,) = client.get(f"{path}/consents", headers=headers).get_json()["items"]
    assert (line["kind"], line["withdrawn_at"]) == ("notice", None)
    change = {"status": "suspended", "reason": "住院"}
    suspended = client.post(f"{path}/status", json=change, headers=keyed(headers, "3"))
    assert suspended.get_json()["status"] == "suspended"
    refused = client.post(f"{path}/status", json=change, headers=keyed(headers, "4"))
    assert (refused.status_code, refused.get_json()["code"]) == (409, "resident-status")


def test_a_card_is_revoked_and_issued(client: FlaskClient, headers: dict[str, str], zhang: Resident) -> None:
    path = f"{API}/residents/{zhang.resident_id}/cards"
    assert client.post(path, headers=keyed(headers, "1")).get_json()["code"] == "card-in-force"
    lost = {"reason": "卡丢了"}
    assert client.post(f"{path}/revoke", json=lost, headers=keyed(headers, "2")).status_code == 204
    issued = client.post(path, headers=keyed(headers, "3"))
    assert issued.status_code == 201
    old, new = client.get(path, headers=headers).get_json()["items"]
    assert old["revoke_reason"] == "卡丢了"
    assert new == issued.get_json()


def test_a_roster_is_judged_confirmed_and_carried_out(
    client: FlaskClient,
    database: Database,
    street: dict[str, Branch],
    headers: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "姓名,手机号,所属驿站,期初积分\n张桂英,13800000001,南山驿站,25\n李四,12,南山驿站,5\n"
    path = f"{API}/branches/{street['NS-01'].branch_id}/rosters"
    csv = {"data": text.encode(), "content_type": "text/csv"}
    roster = client.post(path, **csv, headers=keyed(headers, "1")).get_json()
    assert (roster["state"], roster["take"], roster["refuse"]) == ("preview", 1, 1)
    own = f"{API}/rosters/{roster['import_id']}"
    (refused,) = client.get(f"{own}/rows?verdict=refuse", headers=headers).get_json()["items"]
    assert refused["sheet_row"] == 3
    assert refused["reasons"] == [{"code": "not-a-phone", "column": "手机号", "first_row": None}]
    confirmed = client.post(f"{own}/confirm", headers=keyed(headers, "2"))
    assert (confirmed.status_code, confirmed.get_json()["state"]) == (202, "running")
    monkeypatch.setattr(jobs, "QUIET", jobs.timedelta(0))
    jobs.continue_imports(database)
    assert client.get(own, headers=headers).get_json()["state"] == "done"
    foreign = f"{API}/branches/{street['NS-02'].branch_id}/rosters"
    assert client.post(foreign, **csv, headers=keyed(headers, "3")).status_code == 403


def test_an_empty_text_is_taken_as_nothing(client: FlaskClient, headers: dict[str, str], zhang: Resident) -> None:
    given = {"name": zhang.name, "branch_id": zhang.branch_id, "grid": "", "phone": " ", "guardian_relation": ""}
    corrected = client.put(f"{API}/residents/{zhang.resident_id}", json=given, headers=keyed(headers, "1"))
    assert corrected.status_code == 200
    body = corrected.get_json()
    assert (body["grid"], body["phone"], body["guardian_relation"]) == (None, None, None)
