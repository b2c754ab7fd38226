"""The gate: what a view doesn't say is closed, a session is no token, and an auditor changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.views import MethodView

from moralbank import clock
from moralbank.access import service
from moralbank.access.models import access_logins, access_sessions, access_tokens
from moralbank.branches.queries import Branch
from moralbank.db import Database
from moralbank.web import auth
from moralbank.web.auth import allow, authorisation_table, current, public, within
from tests._people import MadeLogin, bearer, form, make_login, sign_in

Tree = dict[str, Branch]


class Things(MethodView):
    @allow("staff", "auditor", scope="branch")
    def get(self) -> str:
        return "things"

    def post(self) -> str:
        return "never"


@pytest.fixture
def app(fresh_app: Flask) -> Flask:
    """The application with a few rooms of its own, each declared in another way, or in none."""
    app = fresh_app

    @app.route("/t/silent", methods=["GET", "POST"])
    def silent() -> str:
        return "never"

    @app.get("/t/open")
    @public
    def opened() -> str:
        return "anybody"

    @app.route("/t/branch/<int:branch_id>", methods=["GET", "POST"])
    @allow("staff", "auditor", scope="branch")
    def of_branch(branch_id: int) -> str:
        within(branch_id)
        return auth.actor()

    @app.route("/t/mine", methods=["GET", "POST"])
    @allow("auditor", scope="self")
    def mine() -> str:
        return current().name

    @app.get("/api/v1/t/awards")
    @allow("staff", scope="branch", token="awards:write")
    def awards() -> str:
        return current().actor("staff")

    app.add_url_rule("/t/things", view_func=Things.as_view("things"))
    return app


@pytest.fixture
def staff(database: Database, tree: Tree) -> MadeLogin:
    return database.transact(make_login, "staff", tree["NS-01"])


@pytest.fixture
def auditor(database: Database, tree: Tree) -> MadeLogin:
    return database.transact(make_login, "auditor", tree["NS-01"])


def test_a_view_that_says_nothing_is_closed_to_everybody(client, database: Database) -> None:
    assert client.get("/t/silent").status_code == 403
    sign_in(client, database.transact(make_login, "admin", None))
    assert client.get("/t/silent").status_code == 403
    assert form(client, "/t/silent").status_code == 403
    assert client.get("/t/things").text == "things"
    assert form(client, "/t/things").status_code == 403


def test_the_table_names_what_is_not_declared(app: Flask) -> None:
    rows = {(path, method): roles for path, method, roles, *_ in authorisation_table(app)}
    assert rows["/t/silent", "GET"] == rows["/t/things", "POST"] == "UNDECLARED"
    assert rows["/t/things", "GET"] == "staff, auditor"
    assert rows["/t/open", "GET"] == "anybody"


def test_allow_refuses_roles_and_scopes_that_do_not_exist() -> None:
    for arguments in ((), ("mayor",)):
        with pytest.raises(ValueError):
            allow(*arguments)
    with pytest.raises(ValueError):
        allow("staff", scope="world")
    with pytest.raises(ValueError):
        allow("staff", token="everything")


def test_a_stranger_is_sent_to_the_login_page_and_comes_back(client) -> None:
    answer = client.get("/t/branch/1?page=2")
    assert answer.status_code == 303
    assert answer.location == "/login?next=/t/branch/1%3Fpage%3D2"


def test_a_script_of_a_stranger_is_told_so_instead_of_being_given_the_login_page(client) -> None:
    assert client.get("/t/branch/1", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401


def test_a_branch_is_open_to_who_covers_it_only(client, database: Database, tree: Tree, staff: MadeLogin) -> None:
    sign_in(client, staff)
    assert client.get(f"/t/branch/{tree['NS-01'].branch_id}").text == f"staff:{staff.login_id}"
    for code in ("NS-02", "NS-00", "XX-01"):
        assert client.get(f"/t/branch/{tree[code].branch_id}").status_code == 403
    assert client.get("/t/branch/999999").status_code == 404


def test_an_administrator_acts_as_staff(client, database: Database, tree: Tree) -> None:
    admin = database.transact(make_login, "admin", tree["NS"])
    sign_in(client, admin)
    assert client.get(f"/t/branch/{tree['NS-02'].branch_id}").text == f"staff:{admin.login_id}"


def test_an_auditor_reads_and_changes_nothing_but_their_own(client, tree: Tree, auditor: MadeLogin) -> None:
    sign_in(client, auditor)
    path = f"/t/branch/{tree['NS-01'].branch_id}"
    assert client.get(path).text == f"auditor:{auditor.login_id}"
    assert form(client, path).status_code == 403
    assert form(client, "/t/mine").status_code == 200


def test_one_who_is_staff_elsewhere_and_auditor_here_changes_nothing_here(
    client, database: Database, tree: Tree, auditor: MadeLogin
) -> None:
    elsewhere = service.GrantDraft("staff", tree["NS-02"].branch_id)
    database.transact(service.grant_role, auditor.login_id, elsewhere, by=None)
    sign_in(client, auditor)
    here, there = (f"/t/branch/{tree[code].branch_id}" for code in ("NS-01", "NS-02"))
    assert client.get(here).status_code == client.get(there).status_code == 200
    assert form(client, here).status_code == 403
    assert form(client, there).text == f"staff:{auditor.login_id}"


def test_a_form_without_its_token_is_refused_kindly(client, tree: Tree, staff: MadeLogin) -> None:
    sign_in(client, staff)
    answer = client.post(f"/t/branch/{tree['NS-01'].branch_id}")
    assert answer.status_code == 400
    assert "请刷新后再提交" in answer.text


def test_the_api_takes_tokens_and_no_sessions(client, database: Database, staff: MadeLogin) -> None:
    sign_in(client, staff)
    answer = client.get("/api/v1/t/awards")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.mimetype == "application/problem+json"
    header = database.transact(bearer, staff, "awards:write")
    assert client.get("/api/v1/t/awards", headers=header).text == f"staff:{staff.login_id}"


def test_pages_take_sessions_and_no_tokens(client, database: Database, tree: Tree, staff: MadeLogin) -> None:
    header = database.transact(bearer, staff, "awards:write")
    assert client.get(f"/t/branch/{tree['NS-01'].branch_id}", headers=header).status_code == 303


def test_a_token_does_only_what_it_was_issued_for(client, database: Database, staff: MadeLogin) -> None:
    header = database.transact(bearer, staff, "residents:read")
    answer = client.get("/api/v1/t/awards", headers=header)
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "token-scope-missing"


def test_a_token_ends_with_its_expiry_its_revocation_and_its_issuers_roles(
    client, database: Database, staff: MadeLogin
) -> None:
    def status() -> int:
        return client.get("/api/v1/t/awards", headers=header).status_code

    header = database.transact(bearer, staff, "awards:write")
    with clock.at(clock.now() + timedelta(days=32)):
        assert status() == 401
    assert status() == 200
    database.transact(service.revoke_role, staff.login_id, staff.principal.grants[0].grant_id, by=_root(database))
    assert status() == 403
    database.transact(service.suspend_login, staff.login_id, by=_root(database))
    assert status() == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer mb_wrong", "Basic YTpi", "mb_x", "Bearer \x00"])
def test_what_is_no_token_is_refused(client, header: str) -> None:
    assert client.get("/api/v1/t/awards", headers={"Authorization": header}).status_code == 401


def test_a_session_ends_when_it_rests_too_long_and_when_it_is_too_old(
    client, database: Database, tree: Tree, staff: MadeLogin
) -> None:
    def status(after: timedelta) -> int:
        with clock.at(begun + after):
            return client.get(f"/t/branch/{tree['NS-01'].branch_id}").status_code

    begun = clock.now()
    sign_in(client, staff)
    for hours in range(1, 12):
        assert status(timedelta(hours=hours)) == 200
    assert status(timedelta(hours=12, minutes=1)) == 303
    sign_in(client, staff)
    assert status(timedelta(hours=2, minutes=1)) == 303


def test_a_session_lasts_while_an_open_page_asks_and_never_longer_than_its_whole(
    client, database: Database, tree: Tree, staff: MadeLogin
) -> None:
    begun = clock.now()
    sign_in(client, staff)
    for minutes in range(10, 12 * 60, 10):
        with clock.at(begun + timedelta(minutes=minutes)):
            assert client.get("/sessions/here", headers={"Sec-Fetch-Mode": "cors"}).status_code == 204
    with clock.at(begun + timedelta(hours=12, minutes=1)):
        assert client.get("/sessions/here", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401


def test_one_who_must_change_the_secret_sees_nothing_else_first(client, database: Database, tree: Tree) -> None:
    drafts = [service.GrantDraft("staff", tree["NS-01"].branch_id)]
    opened = database.transact(service.open_login, "wangfang", "王芳", drafts, by=None)
    sign_in(client, opened.login_id)
    path = f"/t/branch/{tree['NS-01'].branch_id}"
    assert client.get(path).location == "/secret"
    assert client.get(path, headers={"Sec-Fetch-Mode": "cors"}).status_code == 403
    fields = {"current": opened.secret, "secret": "four quiet words here", "again": "four quiet words here"}
    assert form(client, "/secret", fields).status_code == 303
    assert client.get(path).status_code == 200


def test_cookies_and_tokens_are_kept_only_as_hashes(client, database: Database, staff: MadeLogin) -> None:
    sign_in(client, staff)
    with client.session_transaction() as cookie:
        token = cookie["_user_id"]
    header = database.transact(bearer, staff, "awards:write")["Authorization"].split()[1]
    with database.reading() as db:
        rows = [
            row for table in (access_sessions, access_tokens, access_logins) for row in db.execute(sa.select(table))
        ]
    assert len(token) >= 43
    assert len(header) >= 43
    assert token not in str(rows)
    assert header not in str(rows)
    assert staff.secret not in str(rows)


def _root(database: Database):
    return database.transact(make_login, "admin", None).principal
