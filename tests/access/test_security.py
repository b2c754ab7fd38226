"""What every answer says about its own safety."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moralbank.app import create_app
from moralbank.config import Config
from moralbank.db import Database
from tests._people import form, make_login


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/static/app.css", "/api/v1/branches", "/sessions"])
def test_every_answer_carries_the_headers(client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_characters_that_no_database_keeps_are_refused(client) -> None:
    assert client.get("/login?next=%00").status_code == 400
    assert form(client, "/login", {"identifier": "\0", "secret": "x"}).status_code == 400
    assert form(client, "/login", {"\0": "x"}).status_code == 400


def test_pages_hold_nothing_inline(client) -> None:
    page = client.get("/login").text
    assert "<style" not in page
    assert "style=" not in page
    assert " onclick=" not in page
    assert page.count("<script") == page.count('<script type="module" src=')


def test_pages_are_not_kept_and_the_style_sheet_is(client) -> None:
    assert client.get("/login").headers["Cache-Control"] == "no-store"
    assert "no-store" not in client.get("/static/app.css").headers["Cache-Control"]


def test_over_tls_cookies_stay_on_tls(config: Config, database: Database, tree) -> None:
    secure = create_app(replace(config, public_url="https://bank.example"), database)
    client = secure.test_client()
    login = database.transact(make_login, "staff", tree["NS-01"])
    page = client.get("/login", base_url="https://localhost")
    assert page.headers["Strict-Transport-Security"].startswith("max-age=")
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-moralbank=")
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    assert login


def test_a_login_gives_a_fresh_session_and_a_fresh_form_token(client, database: Database, tree) -> None:
    login = database.transact(make_login, "staff", tree["NS-01"])
    client.get("/login")
    with client.session_transaction() as cookie:
        before = cookie["csrf_token"]
    assert form(client, "/login", {"identifier": login.name, "secret": login.secret}).status_code == 303
    with client.session_transaction() as cookie:
        first = cookie["_user_id"]
        assert cookie.get("csrf_token") != before
    assert form(client, "/logout").status_code == 303
    form(client, "/login", {"identifier": login.name, "secret": login.secret})
    with client.session_transaction() as cookie:
        assert cookie["_user_id"] != first
