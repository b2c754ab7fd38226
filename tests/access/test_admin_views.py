"""The administrator's pages of logins."""

from __future__ import annotations

import re

import pytest

from moralbank.access import queries
from moralbank.access.queries import Login
from moralbank.branches.queries import Branch
from moralbank.db import Database
from tests._people import MadeLogin, form, make_login, sign_in

Tree = dict[str, Branch]


@pytest.fixture
def admin(client, database: Database, tree: Tree) -> MadeLogin:
    login = database.transact(make_login, "admin", tree["NS-00"])
    sign_in(client, login)
    return login


def found(database: Database, name: str) -> Login | None:
    with database.reading() as db:
        return queries.find_login(db, name)


def given(branch: Branch | None, **fields: object) -> dict[str, object]:
    branch_id = branch.branch_id if branch else ""
    return {"name": "wangfang", "display_name": "王芳", "role": "staff", "branch_id": branch_id} | fields


def test_a_new_login_shows_its_first_password_once(client, app, database, tree, admin) -> None:
    answer = form(client, "/admin/logins/new", given(tree["NS-01"]))
    assert answer.status_code == 201
    secret = re.search(r'<p class="lead mono">(\w{14})</p>', answer.text)
    assert secret is not None
    login = found(database, "wangfang")
    assert login is not None
    assert secret[1] not in client.get(f"/admin/logins/{login.login_id}").text
    newcomer = app.test_client()
    answer = form(newcomer, "/login", {"identifier": "WangFang", "secret": secret[1]})
    assert answer.status_code == 303
    assert newcomer.get("/sessions").location == "/secret"


@pytest.mark.parametrize("role", ["staff", "auditor", "admin"])
@pytest.mark.parametrize("code", ["NS", "XX-01", None])
def test_nothing_is_given_beyond_ones_own_scope(client, database, tree, admin, role: str, code) -> None:
    answer = form(client, "/admin/logins/new", given(tree[code] if code else None, role=role))
    assert answer.status_code == 403
    assert found(database, "wangfang") is None


def test_a_form_that_cannot_be_meant_says_what_to_mend_and_keeps_what_was_typed(client, database, tree, admin) -> None:
    answer = form(client, "/admin/logins/new", given(tree["NS-01"], name="wang fang", role="mayor"))
    assert answer.status_code == 422
    assert "请选择角色" in answer.text
    assert 'value="wang fang"' in answer.text
    assert form(client, "/admin/logins/new", given(None, branch_id="9" * 30)).status_code == 422
    answer = form(client, "/admin/logins/new", given(tree["NS-01"], name="13800000001"))
    assert answer.status_code == 422
    assert "登录名要 2 到 32 个字" in answer.text


def test_a_taken_name_is_said_at_its_field(client, database, tree, admin) -> None:
    form(client, "/admin/logins/new", given(tree["NS-01"]))
    answer = form(client, "/admin/logins/new", given(tree["NS-02"]))
    assert answer.status_code == 409
    assert "已经有人用了" in answer.text


def test_an_operator_is_let_in_only_at_a_merchant_of_ones_own_branches(client, database, tree, admin) -> None:
    for merchant in ("", "7", "999999"):
        answer = form(client, "/admin/logins/new", given(tree["NS-01"], role="operator", merchant_id=merchant))
        assert answer.status_code == 422
        assert "请选择收银员在哪个商家" in answer.text
    assert found(database, "wangfang") is None


def test_the_list_shows_ones_own_people_and_no_residents(client, database, tree, admin) -> None:
    database.transact(make_login, "staff", tree["NS-01"], name="ours")
    database.transact(make_login, "staff", tree["XX-01"], name="theirs")
    page = client.get("/admin/logins").text
    assert "ours" in page
    assert "theirs" not in page


def test_roles_are_given_and_taken_back_on_the_login_page(client, database, tree, admin) -> None:
    login = database.transact(make_login, "staff", tree["NS-01"], name="ours")
    path = f"/admin/logins/{login.login_id}"
    assert form(client, f"{path}/grants", {"role": "staff", "branch_id": tree["NS-02"].branch_id}).status_code == 303
    clash = form(client, f"{path}/grants", {"role": "auditor", "branch_id": tree["NS-02"].branch_id})
    assert clash.status_code == 409
    assert "监督员只看账不办事" in clash.text
    ours = found(database, "ours")
    assert ours is not None
    assert len(ours.grants) == 2
    assert form(client, f"{path}/grants/{ours.grants[0].grant_id}/revoke").status_code == 303
    ours = found(database, "ours")
    assert ours is not None
    assert [grant.branch_id for grant in ours.grants] == [tree["NS-02"].branch_id]


def test_a_suspended_login_is_out_at_once_until_it_is_resumed(client, app, database, tree, admin) -> None:
    login = database.transact(make_login, "staff", tree["NS-01"], name="ours")
    theirs = app.test_client()
    sign_in(theirs, login)
    path = f"/admin/logins/{login.login_id}"
    assert form(client, f"{path}/suspend").status_code == 303
    assert theirs.get("/sessions").status_code == 303
    answer = form(app.test_client(), "/login", {"identifier": "ours", "secret": login.secret})
    assert answer.status_code == 401
    assert form(client, f"{path}/resume").status_code == 303
    assert form(app.test_client(), "/login", {"identifier": "ours", "secret": login.secret}).status_code == 303


def test_a_reset_shows_a_new_password_once(client, app, database, tree, admin) -> None:
    login = database.transact(make_login, "staff", tree["NS-01"], name="ours")
    answer = form(client, f"/admin/logins/{login.login_id}/reset")
    secret = re.search(r'<p class="lead mono">(\w{14})</p>', answer.text)
    assert secret is not None
    for secret_given, status in ((login.secret, 401), (secret[1], 303)):
        answer = form(app.test_client(), "/login", {"identifier": "ours", "secret": secret_given})
        assert answer.status_code == status


@pytest.mark.parametrize("act", ["", "/reset", "/suspend", "/resume", "/grants"])
def test_the_logins_of_others_and_of_residents_are_out_of_reach(client, database, tree, admin, act: str) -> None:
    stranger = database.transact(make_login, "staff", tree["XX-01"])
    resident = database.transact(make_login, "resident", tree["NS-01"], resident_id=42)
    for login in (stranger, resident):
        path = f"/admin/logins/{login.login_id}{act}"
        answer = form(client, path) if act else client.get(path)
        assert answer.status_code == 403
