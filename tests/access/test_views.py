"""One's own pages: sessions, secret, tokens."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from moralbank import clock
from moralbank.access import queries, service
from moralbank.access.errors import BadTokenScopes
from moralbank.access.wording import SCOPE_NAMES
from moralbank.branches.queries import Branch
from moralbank.db import Database
from tests._people import PASSWORD, PIN, MadeLogin, form, make_login, sign_in

Tree = dict[str, Branch]
NEW = "four quiet words here"


@pytest.fixture
def staff(database: Database, tree: Tree) -> MadeLogin:
    return database.transact(make_login, "staff", tree["NS-01"])


def sessions_of(database: Database, login: MadeLogin) -> list[queries.Session]:
    with database.reading() as db:
        return queries.list_sessions(db, login.login_id)


def test_all_places_where_one_is_signed_in_are_listed_and_each_can_be_ended(app, database, staff) -> None:
    phone, office = app.test_client(), app.test_client()
    sign_in(phone, staff)
    sign_in(office, staff)
    assert phone.get("/sessions").text.count('/revoke"') == 2
    assert "就是这里" in phone.get("/sessions").text
    older = min(session.session_id for session in sessions_of(database, staff))
    assert form(office, f"/sessions/{older}/revoke").status_code == 303
    assert phone.get("/sessions").status_code == 303
    assert len(sessions_of(database, staff)) == 1


def test_all_other_places_end_at_once(app, database, staff) -> None:
    clients = [app.test_client() for _ in range(3)]
    for client in clients:
        sign_in(client, staff)
    assert form(clients[0], "/sessions/revoke-others").status_code == 303
    assert [client.get("/sessions").status_code for client in clients] == [200, 303, 303]


def test_nobody_ends_the_sessions_of_others(app, database, tree, staff) -> None:
    victim, thief = app.test_client(), app.test_client()
    sign_in(victim, staff)
    sign_in(thief, database.transact(make_login, "admin", None))
    [session] = sessions_of(database, staff)
    assert form(thief, f"/sessions/{session.session_id}/revoke").status_code == 404
    assert victim.get("/sessions").status_code == 200


@pytest.mark.parametrize(
    ("user_agent", "says"),
    [
        ("Mozilla/5.0 (Linux; Android 14) Chrome/122.0 Mobile Safari/537.36 MicroMessenger/8.0", "微信 · 安卓"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari · iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/122.0 Safari/537.36 Edg/122.0", "Edge · Windows"),
        ("<script>", "未知设备"),
    ],
)
def test_a_device_is_called_what_people_call_it(client, database, staff, user_agent: str, says: str) -> None:
    form(client, "/login", {"identifier": staff.name, "secret": PASSWORD})
    database.transact(service.open_session, staff.login_id, address="10.0.0.1", device=user_agent)
    page = client.get("/sessions").text
    assert says in page
    assert "<script>" not in page


def test_ending_the_session_one_is_in_signs_out(client, database, staff) -> None:
    sign_in(client, staff)
    [session] = sessions_of(database, staff)
    assert form(client, f"/sessions/{session.session_id}/revoke").status_code == 303
    assert client.get("/sessions").status_code == 303


def test_a_changed_secret_signs_out_everywhere_else_and_goes_on_here(app, database, staff) -> None:
    here, elsewhere = app.test_client(), app.test_client()
    sign_in(here, staff)
    sign_in(elsewhere, staff)
    assert form(here, "/secret", {"current": PASSWORD, "secret": NEW, "again": NEW}).status_code == 303
    assert here.get("/sessions").status_code == 200
    assert elsewhere.get("/sessions").status_code == 303


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"current": "wrong", "secret": NEW, "again": NEW}, "现在的密码不对"),
        ({"current": PASSWORD, "secret": NEW, "again": NEW + "x"}, "两次输入的新密码不一样"),
        ({"current": PASSWORD, "secret": "short", "again": "short"}, "至少 10 个字符"),
        ({"current": PASSWORD, "secret": PASSWORD, "again": PASSWORD}, "要和现在的不一样"),
        ({"current": PASSWORD}, "请填写这一项"),
    ],
)
def test_a_secret_that_cannot_be_taken_says_why(client, database, staff, fields, says: str) -> None:
    sign_in(client, staff)
    answer = form(client, "/secret", fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert NEW not in answer.text
    with database.reading() as db:
        assert service.matching(queries.list_secrets(db, [staff.login_id]), PASSWORD) == [staff.login_id]


def test_the_old_secret_is_guessed_five_times_and_no_more(client, database, staff) -> None:
    sign_in(client, staff)
    for _ in range(5):
        form(client, "/secret", {"current": "wrong", "secret": NEW, "again": NEW})
    answer = form(client, "/secret", {"current": PASSWORD, "secret": NEW, "again": NEW})
    assert answer.status_code == 422
    assert "15 分钟" in answer.text


def test_a_token_is_shown_once_and_works_and_is_stopped(client, app, database, tree, staff) -> None:
    sign_in(client, staff)
    until = (clock.today() + timedelta(days=30)).isoformat()
    answer = form(client, "/tokens", {"name": "大屏", "scopes": ["branches:read"], "expires_on": until})
    assert answer.status_code == 201
    token = re.search(r"mb_[\w-]{43}", answer.text)
    assert token is not None
    header = {"Authorization": f"Bearer {token[0]}"}
    shown = app.test_client().get("/api/v1/branches", headers=header)
    assert [branch["code"] for branch in shown.get_json()["items"]] == ["NS-01"]
    assert token[0] not in client.get("/tokens").text
    assert "大屏" in client.get("/tokens").text
    with database.reading() as db:
        [kept] = queries.list_tokens(db, staff.login_id)
    assert kept.used_at is not None
    assert form(client, f"/tokens/{kept.token_id}/revoke").status_code == 303
    assert app.test_client().get("/api/v1/branches", headers=header).status_code == 401


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"scopes": ["charges:write"]}, "不能超出您自己的角色"),
        ({"scopes": ["everything"]}, "不能超出您自己的角色"),
        ({"scopes": []}, "请填写这一项"),
        ({"days": 0}, "明天到一年"),
        ({"days": 400}, "明天到一年"),
        ({"name": "x" * 51}, "1 到 50"),
    ],
)
def test_a_token_beyond_its_issuer_or_without_an_end_is_refused(client, database, staff, fields, says: str) -> None:
    sign_in(client, staff)
    fields = dict(fields)
    until = clock.today() + timedelta(days=fields.pop("days", 30))
    given = {"name": "大屏", "scopes": ["awards:write"], "expires_on": until.isoformat()} | fields
    answer = form(client, "/tokens", given)
    assert answer.status_code == 422
    assert says in answer.text
    with database.reading() as db:
        assert queries.list_tokens(db, staff.login_id) == []


@pytest.mark.parametrize("role", ["resident", "operator", "staff", "auditor", "admin"])
def test_no_role_issues_a_scope_it_lacks(database, tree, role: str) -> None:
    merchant = 7 if role == "operator" else None
    resident = 42 if role == "resident" else None
    login = database.transact(make_login, role, tree["NS-01"], merchant, resident)
    own = queries.scopes_of(login.principal)
    if role == "auditor":
        assert not any(scope.endswith(":write") for scope in own)
    for scope in set(queries.SCOPES) - set(own):
        with pytest.raises(BadTokenScopes):
            database.transact(service.issue_token, login.principal, "x", [scope], clock.today() + timedelta(days=1))


def test_every_scope_is_said_in_words() -> None:
    assert set(SCOPE_NAMES) == set(queries.SCOPES)


def test_nobody_stops_the_tokens_of_others(client, database, staff) -> None:
    until = clock.today() + timedelta(days=1)
    database.transact(service.issue_token, staff.principal, "mine", ["awards:write"], until)
    with database.reading() as db:
        [token] = queries.list_tokens(db, staff.login_id)
    sign_in(client, database.transact(make_login, "admin", None))
    assert form(client, f"/tokens/{token.token_id}/revoke").status_code == 404


def test_a_residents_pages_speak_of_six_digits(client, database, tree) -> None:
    sign_in(client, database.transact(make_login, "resident", tree["NS-01"], resident_id=42))
    assert "6 位数字" in client.get("/secret").text
    assert form(client, "/secret", {"current": PIN, "secret": "847261", "again": "847261"}).status_code == 303
