"""Administrators keep the register of witnesses; everybody else may read who they are."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from moralbank.db import Database
from moralbank.logbook import asking, queries, service
from moralbank.logbook.asking import Errand, Found, Outcome
from moralbank.transparency import Log, cosignature, note
from tests._people import form, make_login, sign_in
from tests.logbook._signed import TITLES, WITNESSES, SignedBook

PAGE = "/log/NS-00/witnesses"


@pytest.fixture
def admin(signed: SignedBook, client: FlaskClient, database: Database) -> FlaskClient:
    sign_in(client, database.transact(make_login, "admin", signed.branches["NS-00"]))
    return client


def fields(number: int = 0, **changed: str) -> dict[str, str]:
    given = {"title": TITLES[number], "verifier_key": str(WITNESSES[number].key), "url": "https://w.example"}
    return given | changed


def test_a_witness_is_registered_shown_and_let_go(signed: SignedBook, admin: FlaskClient, database: Database):
    assert "还没有见证人" in admin.get(PAGE).text
    for number in range(3):
        assert form(admin, PAGE, fields(number)).status_code == 303
    assert form(admin, "/log/NS-00/policy", {"needed": 2}).status_code == 303
    page = admin.get(PAGE).text
    assert all(title in page for title in TITLES)
    assert str(WITNESSES[0].key) in page.replace("&#43;", "+")
    public = admin.get("/log/NS-00").text
    assert all(title in public for title in TITLES)
    with database.reading() as db:
        first = queries.list_witnesses(db, signed.book)[0]
    assert form(admin, f"{PAGE}/{first.witness_id}/retire").status_code == 303
    page = admin.get(PAGE, headers={"Accept-Language": "en"}).text
    assert "Former witnesses" in page
    assert form(admin, f"{PAGE}/{first.witness_id}/retire").status_code == 404
    with database.reading() as db:
        assert str(queries.policy_of(db, signed.book)) == "2 of 2"
        second = queries.list_witnesses(db, signed.book)[0]
    assert form(admin, f"{PAGE}/{second.witness_id}/retire").status_code == 409


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_form_that_is_refused_says_what_to_mend_and_keeps_what_was_typed(admin: FlaskClient):
    answer = form(admin, PAGE, fields(verifier_key="nonsense", url="ftp://x"))
    assert answer.status_code == 422
    assert "验证公钥不合规定" in answer.text
    assert "请填 http:// 或 https:// 开头的地址" in answer.text
    assert TITLES[0] in answer.text
    form(admin, PAGE, fields())
    other = note.signing_key(WITNESSES[0].name, bytes([99]) * 32, note.COSIGNATURE)
    answer = form(admin, PAGE, fields(verifier_key=str(other.key)))
    assert answer.status_code == 409
    assert "名称或公钥已经登记在册" in answer.text
    answer = form(admin, "/log/NS-00/policy", {"needed": 3})
    assert (answer.status_code, "见证规则应为" in answer.text) == (422, True)
    for wrong in ("-1", "two", "", "65"):
        assert form(admin, "/log/NS-00/policy", {"needed": wrong}).status_code == 422


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_registers_a_witness_of_this_machine(signed: SignedBook, admin: FlaskClient, database: Database):
    assert form(admin, PAGE, fields(url="local:street-office")).status_code == 422
    with database.reading() as db:
        assert queries.list_witnesses(db, signed.book) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_administrators_of_the_books_hub_keep_the_register(
    signed: SignedBook, client: FlaskClient, database: Database
):
    for role, place, status in (
        ("admin", "NS-00", 200), ("admin", "NS", 200), ("admin", "NS-01", 403), ("admin", "XX-00", 403),
        ("staff", "NS-00", 403), ("auditor", "NS-00", 403),
    ):  # fmt: skip
        sign_in(client, database.transact(make_login, role, signed.branches[place]))
        assert client.get(PAGE).status_code == status, (role, place)
        assert ("管理见证人" in client.get("/log/NS-00").text) == (status == 200), (role, place)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_alarm_is_shown_where_witnesses_are_kept(signed: SignedBook, admin: FlaskClient, database: Database):
    form(admin, PAGE, fields())
    signed.award()
    signed.sign()
    with database.reading() as db:
        errand: Errand = asking.list_errands(db, asking.clock.now())[0]
    database.transact(asking.keep, Found(errand, Outcome.AHEAD, stated_size=9))
    page = admin.get(PAGE).text
    assert "说它签过的和银行现在的对不上" in page
    assert "账可能被倒回" in page


def test_the_page_tells_whether_enough_have_signed(signed: SignedBook, client: FlaskClient, database: Database):
    for key, title in zip(WITNESSES, TITLES, strict=True):
        database.transact(service.add_witness, signed.book, str(key.key), title, "local:x", actor="system")
    database.transact(service.set_policy, signed.book, 2, actor="system")
    signed.award()
    signed.sign()
    page = client.get("/log/NS-00").text
    assert "还只有 0 家" in page
    assert "这是演示" in page
    with database.reading() as db:
        standing = queries.get_standing(db, signed.book, Log.LEDGER)
    text = note.parse(standing.checkpoint.note).text
    lines = [cosignature.cosign(text, witness, 1_790_000_000) for witness in WITNESSES[1:]]
    database.transact(service.accept, signed.book, "".join(f"{line}\n" for line in lines).encode())
    page = client.get("/log/NS-00").text
    assert "这个检查点有 2 家" in page
    assert page.count("已见证") == 2
