"""Staff's pages of forgetting, and a resident's copy of their own data."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from moralbank.forgetting import queries
from moralbank.forgetting.values import State
from tests._people import MadeLogin, form, give_reason, make_login, sign_in
from tests.forgetting.conftest import MEMO, NAME, PHONE, REASON, Bank

ASKED = {
    "ground": "pipl-47-3",
    "asked_for_by": "self",
    "proven_by": "identity-card",
    "points": "donate",
    "signed": "1",
}


def client_of(bank: Bank, login: MadeLogin) -> FlaskClient:
    client = bank.app.test_client()
    sign_in(client, login)
    give_reason(client, bank.resident.resident_id)
    return client


@pytest.fixture
def maker(bank: Bank) -> FlaskClient:
    return client_of(bank, bank.maker)


@pytest.fixture
def checker(bank: Bank) -> FlaskClient:
    return client_of(bank, bank.checker)


def test_one_asks_and_another_agrees(bank: Bank, maker: FlaskClient, checker: FlaskClient) -> None:
    path = f"/staff/residents/{bank.resident.resident_id}"
    assert f"{path}/forget" in maker.get(path).text
    answer = form(maker, f"{path}/forget", ASKED)
    assert answer.status_code == 303
    own = maker.get(answer.location).text
    assert "由两个人办" in own
    assert "批准并遗忘" not in own
    assert "由两个人办" in maker.get(form(maker, f"{answer.location}/agree").location).text
    assert bank.now() == bank.resident

    seen = checker.get(answer.location).text
    assert "账目里的备注和盐值" in seen
    assert NAME not in seen
    assert "已遗忘" in checker.get(form(checker, f"{answer.location}/agree").location).text
    assert bank.now().is_forgotten
    assert "已遗忘的储户" in checker.get(path).text
    listed = checker.get("/staff/forgetting").text
    assert bank.resident.number in listed
    assert "这份申请已经审批" in checker.get(form(checker, f"{answer.location}/refuse").location).text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signed": ""}, "请填写这一项"),
        ({"signed": "0"}, "请先收好本人签字的申请书"),
        ({"ground": "boredom"}, "请选一项"),
        ({"ground": "pipl-49"}, "去世后由近亲属申请"),
        ({"points": "none"}, "账上还有"),
    ],
)
def test_a_form_with_a_fault_is_shown_again(
    bank: Bank, maker: FlaskClient, changes: dict[str, str], words: str
) -> None:
    answer = form(maker, f"/staff/residents/{bank.resident.resident_id}/forget", ASKED | changes)
    assert answer.status_code in (409, 422)
    assert words in answer.text
    with bank.database.reading() as db:
        assert queries.find_open(db, bank.resident.resident_id) is None


def test_a_request_is_turned_down(bank: Bank, maker: FlaskClient, checker: FlaskClient) -> None:
    path = form(maker, f"/staff/residents/{bank.resident.resident_id}/forget", ASKED).location
    assert "资料都在" in checker.get(form(checker, f"{path}/refuse").location).text
    with bank.database.reading() as db:
        assert queries.get_request(db, int(path.rpartition("/")[2])).state is State.REFUSED


def test_others_may_not(bank: Bank, maker: FlaskClient) -> None:
    path = form(maker, f"/staff/residents/{bank.resident.resident_id}/forget", ASKED).location
    auditor = bank.app.test_client()
    sign_in(auditor, bank.database.transact(make_login, "auditor", bank.resident.branch_id))
    assert "批准并遗忘" not in auditor.get(path).text
    assert form(auditor, f"{path}/agree").status_code == 403
    resident = bank.app.test_client()
    whose = (bank.neighbour.branch_id, None, bank.neighbour.resident_id)
    sign_in(resident, bank.database.transact(make_login, "resident", *whose))
    assert resident.get(path).status_code == 403
    assert maker.get("/staff/forgetting/99999").status_code == 404


def test_a_resident_takes_a_copy_of_everything_about_them(bank: Bank) -> None:
    own = bank.app.test_client()
    whose = (bank.resident.branch_id, None, bank.resident.resident_id)
    sign_in(own, bank.database.transact(make_login, "resident", *whose))
    answer = own.get("/me/profile/data.json")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    copy = answer.json
    assert (copy["details"]["name"], copy["details"]["phone"]) == (NAME, PHONE)
    assert {line["kind"] for line in copy["lines"]["points"]} >= {"award", "redemption"}
    assert MEMO in answer.text
    assert copy["attendance"]["scans"]
    assert {"reserved", "certificates", "record", "objections", "not_wanted"} <= copy.keys()
    assert REASON in {one["reason"] for one in copy["requests"]}
    assert copy["lookers"]
    assert not re.search(r"secret_hash|token_hash", answer.text)
